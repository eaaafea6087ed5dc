package histories

import (
	"fmt"
	"math"

	"github.com/kindred-rec/kindred/embed/behaviour/learned"
	"github.com/kindred-rec/kindred/embed/remote"
	"github.com/kindred-rec/kindred/embed/remote/internal/wire"
	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"google.golang.org/protobuf/proto"
)

// conversation is what a stream's requests build on: the bundle and the table of items. It
// belongs to the stream's reader. Rows do not change once they are there.
type conversation struct {
	server  *Server
	last    int64 // id
	hash    string
	encoder Encoder // nil: the first request has not come
	table   []item
	bytes   int64 // of ids and texts in the table
}

type item struct {
	id   string
	text []float32 // nil: none
}

// take checks a request, adds its items to the table, and returns what its users did. An
// error is a status that names the field at fault.
func (c *conversation) take(req *kindredv1.EmbedHistoriesRequest) ([][]learned.Event, error) {
	if req.GetId() <= c.last {
		return nil, wire.Invalid("id", fmt.Sprintf("%d after %d: ids are at least 1 and rise", req.GetId(), c.last))
	}
	c.last = req.GetId()
	if n := proto.Size(req); n > c.server.config.MaxRequestBytes {
		return nil, c.invalid("request", fmt.Sprintf("%d bytes, at most %d may be in a request: send several, of items alone too", n, c.server.config.MaxRequestBytes))
	}
	if err := c.choose(req.GetBundle()); err != nil {
		return nil, err
	}
	if err := c.extend(req.GetItems(), req.GetTexts()); err != nil {
		return nil, err
	}
	return c.users(req)
}

func (c *conversation) invalid(field, description string) error {
	return wire.Invalid(fmt.Sprintf("(id %d) %s", c.last, field), description)
}

// choose settles on the bundle.
func (c *conversation) choose(hash string) (err error) {
	switch {
	case c.encoder == nil && hash == "":
		return c.invalid("bundle", "empty: the first request names it, 64 hexadecimal digits")
	case c.encoder == nil:
		c.hash = hash
		c.encoder, err = c.server.open(hash)
		return err
	case hash != "" && hash != c.hash:
		return c.invalid("bundle", fmt.Sprintf("%.70q, the stream is of %s: open another stream", hash, c.hash))
	}
	return nil
}

// extend adds items to the table.
func (c *conversation) extend(ids []string, texts []byte) error {
	config, dim := &c.server.config, c.encoder.TextDim()
	if n := len(c.table) + len(ids); n > config.MaxTableItems {
		return c.invalid("items", fmt.Sprintf("%d items in the stream's table, at most %d may be: open another stream", n, config.MaxTableItems))
	}
	if want := len(ids) * dim * wire.Float32Bytes; len(texts) != want {
		return c.invalid("texts", fmt.Sprintf("%d bytes for %d items, want %d: the bundle reads texts of %d components", len(texts), len(ids), want, dim))
	}
	for _, id := range ids {
		c.bytes += int64(len(id) + rowBytes)
	}
	if c.bytes += int64(len(texts)); c.bytes > config.MaxTableBytes {
		return c.invalid("items", fmt.Sprintf("%d bytes in the stream's table, at most %d may be: open another stream", c.bytes, config.MaxTableBytes))
	}
	all := make([]float32, len(ids)*dim)
	if err := wire.UnpackVectors(texts, all); err != nil {
		return c.invalid("texts", "a component that is not finite")
	}
	for i, id := range ids {
		c.table = append(c.table, item{id, orNil(all[i*dim : (i+1)*dim])})
	}
	return nil
}

// rowBytes is what a row of a table takes beside its id and text.
const rowBytes = 40

// orNil is nil for zeros.
func orNil(text []float32) []float32 {
	for _, x := range text {
		if x != 0 {
			return text
		}
	}
	return nil
}

// users reads what users did.
func (c *conversation) users(req *kindredv1.EmbedHistoriesRequest) ([][]learned.Event, error) {
	config := &c.server.config
	total, most := 0, min(config.MaxUsers, max(1, remote.MaxReplyBytes/(c.encoder.Dim()*wire.Float32Bytes)))
	for _, h := range req.GetHistories() {
		total += len(h.GetItems())
	}
	switch {
	case len(req.GetHistories()) > most:
		return nil, c.invalid("histories", fmt.Sprintf("%d users, at most %d of this bundle may be in a request: send several", len(req.GetHistories()), most))
	case total > config.MaxRequestEvents:
		return nil, c.invalid("histories", fmt.Sprintf("%d events together, at most %d may be in a request: send several", total, config.MaxRequestEvents))
	case len(req.GetTypes()) > maxTypes:
		return nil, c.invalid("types", fmt.Sprintf("%d names, at most %d may be", len(req.GetTypes()), maxTypes))
	}
	users, events := make([][]learned.Event, len(req.GetHistories())), make([]learned.Event, total)
	for i, h := range req.GetHistories() {
		n := len(h.GetItems())
		if err := c.fill(events[:n], h, req.GetTypes(), fmt.Sprintf("histories[%d].", i)); err != nil {
			return nil, err
		}
		users[i], events = events[:n], events[n:]
	}
	return users, nil
}

func (c *conversation) fill(events []learned.Event, h *kindredv1.History, types []string, path string) error {
	n := len(events)
	if len(h.GetTypes()) != n || len(h.GetWeights()) != n || len(h.GetTimes()) != n && len(h.GetTimes()) != 0 {
		return c.invalid(path+"items", fmt.Sprintf("%d events, with %d types, %d weights and %d times: lists are of one length, times may be empty",
			n, len(h.GetTypes()), len(h.GetWeights()), len(h.GetTimes())))
	}
	for i := range events {
		row, kind, weight := h.Items[i], h.Types[i], h.Weights[i]
		switch {
		case int64(row) >= int64(len(c.table)):
			return c.invalid(fmt.Sprintf("%sitems[%d]", path, i), fmt.Sprintf("row %d, the stream's table has %d", row, len(c.table)))
		case int64(kind) >= int64(len(types)):
			return c.invalid(fmt.Sprintf("%stypes[%d]", path, i), fmt.Sprintf("row %d, the request has %d types", kind, len(types)))
		case math.IsNaN(float64(weight)) || math.IsInf(float64(weight), 0):
			return c.invalid(fmt.Sprintf("%sweights[%d]", path, i), fmt.Sprintf("%g: weights are finite", weight))
		}
		events[i] = learned.Event{Item: c.table[row].id, Text: c.table[row].text, Type: types[kind], Weight: weight}
		if len(h.Times) > 0 {
			events[i].Time = h.Times[i]
		}
	}
	return nil
}
