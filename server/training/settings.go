package training

import (
	"fmt"
	"time"

	"github.com/kindred-rec/kindred/embed/train"
	"github.com/kindred-rec/kindred/embed/train/sequence"
)

// pairBytes is what a counted pair takes, with what its table keeps free.
const pairBytes = 40

// settings are the trainer's. What is left of the memory is its bound.
func (d *corpus) settings(o Options, point *checkpoint) (train.Options, error) {
	t := train.DefaultOptions()
	s := &t.Sequence
	s.Config.Dim, s.Config.FeedForward = o.Dim, 4*o.Dim
	s.Epochs, s.Seed, s.Workers, s.Checkpoint = o.Epochs, o.Seed, o.Workers, point.training()
	left := o.Memory - int64(len(d.texts))*8 - d.log.Report().Kept*16 // texts twice, events once
	if left < MinMemory/2 {
		return t, fmt.Errorf("%w: texts and events leave %d MiB of %d for training: allow more memory", ErrOptions, left>>20, o.Memory>>20)
	}
	s.MaxBytes = left
	t.Transition.MaxPairs = int(min(max(left/2/pairBytes, 1<<16), 50_000_000))
	if o.Tune != nil {
		o.Tune(&t)
	}
	stage := train.Stage("")
	t.Progress = func(now train.Stage) {
		stage = now
		o.say(Progress{Stage: string(now), Epochs: t.Sequence.Epochs})
	}
	s.Progress = func(e sequence.Epoch) {
		p := Progress{Stage: string(stage), Epoch: e.Number, Epochs: t.Sequence.Epochs, Loss: e.Loss}
		if e.Valid != nil {
			p.NDCG = e.Valid.NDCG10
		}
		p.Left = time.Duration(e.Seconds * float64(p.Epochs-e.Number) * float64(time.Second))
		o.say(p)
	}
	return t, nil
}
