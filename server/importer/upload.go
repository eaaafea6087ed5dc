package importer

import (
	"google.golang.org/protobuf/proto"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
)

// upload fills batches and sends them. After the service has ended the stream it takes no more: the reason comes with the
// reply.
type upload struct {
	stream interface {
		Send(*kindredv1.ImportItemsRequest) error
	}
	max   int // items a batch
	bar   progress
	batch []*kindredv1.Item
	bytes int
	// numbers maps the rows sent to rows read where they differ.
	numbers numbering
	ended   bool
}

func (u *upload) add(number int64, item *kindredv1.Item) {
	size := proto.Size(item) + framing
	if len(u.batch) == u.max || len(u.batch) > 0 && u.bytes+size > maxBatchBytes {
		u.flush()
	}
	u.numbers.add(number)
	u.batch, u.bytes = append(u.batch, item), u.bytes+size
}

// framing bounds the bytes that a row's tag and length take in a batch.
const framing = 8

func (u *upload) flush() {
	if len(u.batch) == 0 {
		return
	}
	u.send(&kindredv1.ImportItemsRequest{Part: &kindredv1.ImportItemsRequest_Items{Items: &kindredv1.ItemBatch{Items: u.batch}}})
	if !u.ended {
		u.bar.add(len(u.batch))
	}
	u.batch, u.bytes = nil, 0 // not reused: an interceptor or a retry buffer may still hold it
}

func (u *upload) send(m *kindredv1.ImportItemsRequest) {
	if !u.ended {
		u.ended = u.stream.Send(m) != nil
	}
}

// numbering maps the place of a row among those sent to its place among those read. It grows with the gaps that bad rows
// leave, and stops growing at a bound, past which the place is not known.
type numbering struct {
	rows int64 // sent so far
	gaps []gap
	lost int64 // from this sent row on the place is not known; 0: it always is
}

type gap struct{ sent, skipped int64 } // from the row `sent` on, from 0, so many read rows were skipped

const maxGaps = 10_000

func (n *numbering) add(number int64) {
	skipped := number - 1 - n.rows
	last := int64(0)
	if len(n.gaps) > 0 {
		last = n.gaps[len(n.gaps)-1].skipped
	}
	if skipped != last && n.lost == 0 {
		if len(n.gaps) == maxGaps {
			n.lost = n.rows
		} else {
			n.gaps = append(n.gaps, gap{n.rows, skipped})
		}
	}
	n.rows++
}

// of gives the 1-based place among the rows read of the row that was sent as number sent, from 0; 0: not known.
func (n *numbering) of(sent int64) int64 {
	if n.lost > 0 && sent >= n.lost {
		return 0
	}
	skipped := int64(0)
	for _, g := range n.gaps {
		if g.sent > sent {
			break
		}
		skipped = g.skipped
	}
	return sent + skipped + 1
}
