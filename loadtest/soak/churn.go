package soak

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// Churn is what changed beside the offered load.
type Churn struct {
	Imports      int    `json:"imports"`
	ImportedRows int    `json:"imported_rows"`
	Trainings    int    `json:"trainings"` // models that came to be kept
	Promotions   int    `json:"promotions"`
	ByHand       bool   `json:"promoted_by_hand,omitempty"`
	LastTraining string `json:"last_training,omitempty"` // how it went, in the service's words
}

// churn imports the catalog again and again and sees to a promotion. It belongs to one goroutine at a time.
type churn struct {
	options Options
	catalog kindredv1.CatalogServiceClient
	events  kindredv1.EventServiceClient
	admin   kindredv1.AdminServiceClient
	models  kindredv1.ModelServiceClient

	count   Churn
	errors  map[string]int64
	serving string
	known   map[string]bool // models
}

func newChurn(conn grpc.ClientConnInterface, o Options) *churn {
	return &churn{
		options: o, catalog: kindredv1.NewCatalogServiceClient(conn), events: kindredv1.NewEventServiceClient(conn),
		admin: kindredv1.NewAdminServiceClient(conn), models: kindredv1.NewModelServiceClient(conn),
		errors: map[string]int64{}, known: map[string]bool{},
	}
}

var things = []string{"gel pen", "garden hose", "folding chair", "desk lamp", "tea kettle", "wool blanket", "running shoe", "rain coat"}

// rows are a part of the catalog, with the texts of an edition.
func (c *churn) rows(from, to, edition int) (list []*kindredv1.Item) {
	for i := from; i < min(to, c.options.Items); i++ {
		thing := things[i%len(things)]
		list = append(list, &kindredv1.Item{
			Id: fmt.Sprintf("item-%d", i), Title: fmt.Sprintf("%s %d, edition %d", thing, i, edition), Categories: []string{thing},
		})
	}
	return list
}

const rowsAtOnce = 500

// importAll writes the whole catalog as one import.
func (c *churn) importAll(ctx context.Context, edition int) error {
	stream, err := c.catalog.ImportItems(ctx)
	if err != nil {
		return err
	}
	err = stream.Send(&kindredv1.ImportItemsRequest{Part: &kindredv1.ImportItemsRequest_Options{Options: &kindredv1.ImportOptions{Mode: kindredv1.ImportMode_IMPORT_MODE_MERGE}}})
	for at := 0; at < c.options.Items && err == nil; at += rowsAtOnce { // the reason of an error comes with the reply
		batch := &kindredv1.ItemBatch{Items: c.rows(at, at+rowsAtOnce, edition)}
		err = stream.Send(&kindredv1.ImportItemsRequest{Part: &kindredv1.ImportItemsRequest_Items{Items: batch}})
	}
	reply, err := stream.CloseAndRecv()
	if err != nil {
		return err
	}
	if len(reply.Errors) > 0 {
		return fmt.Errorf("soak: a good row is refused: %v", reply.Errors[0])
	}
	c.count.Imports++
	c.count.ImportedRows += c.options.Items
	return nil
}

// fill makes the catalog, and a past that can be trained on: each user goes through items of one kind in order.
func (c *churn) fill(ctx context.Context) error {
	if err := c.importAll(ctx, 0); err != nil {
		return fmt.Errorf("soak: fill the catalog: %w", err)
	}
	c.count = Churn{}
	const each = 12
	var batch []*kindredv1.Event
	flush := func() error {
		reply, err := c.events.WriteEvents(ctx, &kindredv1.WriteEventsRequest{Events: batch})
		if err == nil && len(reply.Errors) > 0 {
			err = fmt.Errorf("a good event is refused: %v", reply.Errors[0])
		}
		batch = nil
		if err != nil {
			return fmt.Errorf("soak: fill the log: %w", err)
		}
		return nil
	}
	for u := range min(c.options.Users, 2000) {
		for k := range each {
			batch = append(batch, &kindredv1.Event{UserId: fmt.Sprintf("u%d", u), Type: kindredv1.EventType_EVENT_TYPE_CLICK,
				ItemId: fmt.Sprintf("item-%d", (u%len(things)+(u/8+k)*len(things))%c.options.Items)})
		}
		if len(batch)+each > 1000 {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if len(batch) == 0 {
		return nil
	}
	return flush()
}

// run changes the catalog every few seconds and looks after the models, until the context ends.
func (c *churn) run(ctx context.Context) {
	start := time.Now()
	tick := time.NewTicker(max(c.options.Duration/30, 2*time.Second))
	defer tick.Stop()
	for edition := 1; ; edition++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		c.note(ctx, c.importAll(ctx, edition))
		c.note(ctx, c.follow(ctx, time.Since(start) > c.options.Duration/2))
	}
}

// note counts an error that is not the end of the test.
func (c *churn) note(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		c.errors[fmt.Sprintf("%v: %s", status.Code(err), status.Convert(err).Message())]++
	}
}

// follow sees which models came and which serves, and promotes the newest if none was promoted and it is late.
func (c *churn) follow(ctx context.Context, late bool) error {
	tenant, err := c.admin.GetTenant(ctx, &kindredv1.GetTenantRequest{})
	if err != nil {
		return err
	}
	st := tenant.Status
	if st.Training != nil {
		c.count.LastTraining = fmt.Sprintf("%v %s", st.Training.Outcome, st.Training.Reason)
	}
	if st.ServingModel != c.serving {
		c.serving = st.ServingModel
		c.count.Promotions++
	}
	list, err := c.models.ListModels(ctx, &kindredv1.ListModelsRequest{})
	if err != nil {
		return err
	}
	newest := ""
	for _, m := range list.Models {
		if !c.known[m.Hash] {
			c.known[m.Hash] = true
			c.count.Trainings++
		}
		newest = m.Hash
	}
	if late && c.count.Promotions == 0 && newest != "" {
		_, err := c.models.PromoteModel(ctx, &kindredv1.PromoteModelRequest{Hash: newest, Force: true})
		c.count.ByHand = err == nil
		return err
	}
	return nil
}
