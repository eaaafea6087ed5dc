package layer

import (
	"math/bits"

	"github.com/kindred-rec/kindred/embed/internal/kernel"
)

// Keys are the keys of the masks of one step of training. They are a function of the
// seed and the step: a run that goes on later has the same.
type Keys struct{ Seed, Step uint64 }

// Site is where in a model something drops out.
type Site uint64

// Sites outside the blocks, and after them three for each block.
const (
	SiteInput Site = iota
	SiteOutput
	SiteResidual
	SiteEvent
	siteBlocks
)

const (
	siteAttention = iota // the attention weights
	siteContext          // what attention adds
	siteWide             // inside the feed-forward
	siteFeed             // what the feed-forward adds
	sitesPerBlock
)

// Key is a number of 64 bits for a site.
func (k Keys) Key(s Site) uint64 {
	high, low := bits.Mul64(k.Seed^0x9e3779b97f4a7c15, k.Step*0xd1342543de82ef95+0x2545f4914f6cdd1d)
	return (high ^ low) + uint64(s)*0x9e3779b97f4a7c15
}

// Mask drops with probability p at a site.
func (k Keys) Mask(p float32, s Site) kernel.Mask { return kernel.NewMask(p, k.Key(s)) }

// Masks are those of one block.
type Masks struct{ Attention, Context, Wide, Feed kernel.Mask }

// Block returns the masks of a block. Evaluation has p 0.
func (k Keys) Block(p float32, block int) Masks {
	at := func(i int) kernel.Mask { return k.Mask(p, siteBlocks+Site(block*sitesPerBlock+i)) }
	return Masks{Attention: at(siteAttention), Context: at(siteContext), Wide: at(siteWide), Feed: at(siteFeed)}
}
