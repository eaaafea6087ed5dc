package soak

import (
	"context"
	"fmt"
	"time"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

var things = []string{"gel pen", "garden hose", "folding chair", "desk lamp", "tea kettle", "wool blanket", "running shoe", "rain coat"}

// rowsAtOnce is how many rows a message of an import has, and a deletion.
const rowsAtOnce = 100

// row is an item of the lasting catalog, with the text and the price of an edition.
func row(i, edition int) *kindredv1.Item {
	thing := things[i%len(things)]
	return &kindredv1.Item{
		Id: fmt.Sprintf("item-%d", i), Title: fmt.Sprintf("%s %d, edition %d", thing, i, edition), Categories: []string{thing},
		Price: &kindredv1.Money{CurrencyCode: "EUR", Units: int64(1 + (i+edition)%90)},
	}
}

// novelties is how many items an edition has that are new, and that go with the next but one.
func (c *churn) novelties() int { return max(1, c.options.Items/100) }

func (c *churn) novelty(edition, k int) string { return fmt.Sprintf("new-%d-%d", edition, k) }

// rows are all rows of an edition.
func (c *churn) rows() (list []*kindredv1.Item) {
	for i := range c.options.Items {
		list = append(list, row(i, c.edition))
	}
	for k := range c.novelties() {
		list = append(list, &kindredv1.Item{Id: c.novelty(c.edition, k), Title: fmt.Sprintf("%s, new in edition %d", things[k%len(things)], c.edition)})
	}
	return list
}

// importAll writes the whole catalog as one import, whose messages come as fast as a feed's: half of the time to the next edition.
func (c *churn) importAll(ctx context.Context) error {
	stream, err := c.catalog.ImportItems(ctx)
	if err != nil {
		return err
	}
	err = stream.Send(&kindredv1.ImportItemsRequest{Part: &kindredv1.ImportItemsRequest_Options{Options: &kindredv1.ImportOptions{Mode: kindredv1.ImportMode_IMPORT_MODE_MERGE}}})
	rows := c.rows()
	for at := 0; at < len(rows) && err == nil; at += rowsAtOnce { // the reason of an error comes with the reply
		batch := &kindredv1.ItemBatch{Items: rows[at:min(at+rowsAtOnce, len(rows))]}
		err = stream.Send(&kindredv1.ImportItemsRequest{Part: &kindredv1.ImportItemsRequest_Items{Items: batch}})
		c.rest(ctx, len(rows))
	}
	reply, err := stream.CloseAndRecv()
	if err != nil {
		return err
	}
	if len(reply.Errors) > 0 {
		return fmt.Errorf("soak: a good row is refused: %v", reply.Errors[0])
	}
	c.listed[c.edition] = true
	c.count.Imports++
	c.count.ChangedItems += int(reply.Counts.GetChanged())
	c.count.NewItems += int(reply.Counts.GetAdded())
	return nil
}

// rest waits between the messages of an import of so many rows, until the context ends.
func (c *churn) rest(ctx context.Context, rows int) {
	pause := c.every / 2 * rowsAtOnce / time.Duration(max(rows, rowsAtOnce))
	if pause <= 0 {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
}

// deleteOld removes what was new in the last edition but one, and before.
func (c *churn) deleteOld(ctx context.Context) error {
	for edition := range c.listed {
		if edition > c.edition-2 {
			continue
		}
		if err := c.deleteOf(ctx, edition); err != nil {
			return err
		}
		delete(c.listed, edition)
	}
	return nil
}

// deleteOf removes what was new in an edition.
func (c *churn) deleteOf(ctx context.Context, edition int) error {
	for at := 0; at < c.novelties(); at += rowsAtOnce {
		var ids []string
		for k := at; k < min(at+rowsAtOnce, c.novelties()); k++ {
			ids = append(ids, c.novelty(edition, k))
		}
		reply, err := c.catalog.DeleteItems(ctx, &kindredv1.DeleteItemsRequest{Ids: ids})
		if err != nil {
			return err
		}
		if len(reply.Errors) > 0 {
			return fmt.Errorf("soak: an item is not deleted: %v", reply.Errors[0])
		}
		c.count.DeletedItems += len(ids)
	}
	return nil
}
