package evaluate

import (
	"errors"
	"fmt"

	"github.com/kindred-rec/kindred/loadtest/dataset"
)

// Protocol says how a log is cut into what is trained on and what is asked.
type Protocol string

const (
	// Auto is Given where the data have test rows of their own (amazon), else LastItem; the default.
	Auto Protocol = "auto"
	// Given takes the test rows that came with the data.
	Given Protocol = "given"
	// LastItem asks for the last item of each user.
	LastItem Protocol = "leave-one-out"
	// ByTime cuts the whole log at one moment.
	ByTime Protocol = "time"
	// Rolling cuts it several times: see dataset.Rolling.
	Rolling Protocol = "rolling"
)

// ErrNoQuestions: the log, cut as asked, leaves nothing to ask or to train on.
var ErrNoQuestions = errors.New("nothing to evaluate")

// wording of protocols, as it stands in [Result.Protocol].
var wording = map[Protocol]string{Given: Published, LastItem: LeaveOneOut, ByTime: GlobalTime, Rolling: RollingWindows}

// cut reads a log and cuts it. Windows have times where the protocol goes by time.
func (o Options) cut(source dataset.Source) (Protocol, []dataset.Window, error) {
	tested, has := source.(dataset.TestSource)
	protocol := o.Protocol
	if protocol == Auto {
		if protocol = LastItem; has {
			protocol = Given
		}
	}
	var settings dataset.SplitOptions
	switch protocol {
	case ByTime:
		windows, err := dataset.Rolling(source, 1, o.Cut, settings)
		return protocol, windows, err
	case Rolling:
		windows, err := dataset.Rolling(source, o.Windows, o.Cut, settings)
		return protocol, windows, err
	case Given:
		if !has {
			return protocol, nil, fmt.Errorf("%w: format %q has no test rows of its own; use protocol %q, %q or %q", ErrOptions, o.Format, LastItem, ByTime, Rolling)
		}
		split, err := dataset.Published(tested, settings)
		return protocol, []dataset.Window{{Split: split}}, err
	}
	split, err := dataset.LeaveOneOut(source, settings)
	return protocol, []dataset.Window{{Split: split}}, err
}

// questions are those that are asked. Data that cannot be evaluated are named here, before
// anything is trained.
func (o Options) questions(split *dataset.Split, protocol Protocol) ([]dataset.Query, error) {
	events, items := 0, map[uint32]bool{}
	for _, s := range split.Train {
		events += len(s.Events)
		for _, e := range s.Events {
			items[e.Item] = true
		}
	}
	switch {
	case len(split.Items) == 0:
		return nil, fmt.Errorf("%w: the data have neither an item nor an event", ErrNoQuestions)
	case events == 0:
		return nil, fmt.Errorf("%w: no event is left to train on, of %d items; %s", ErrNoQuestions, len(split.Items), wayOut[protocol])
	case len(items) < 2:
		return nil, fmt.Errorf("%w: all %d events to train on are of one item; a ranking needs events of two at least: bring a longer log, or another protocol",
			ErrNoQuestions, events)
	}
	queries, err := split.Valid, error(nil)
	if o.Split == Test {
		if queries, err = split.Test(); err != nil {
			return nil, err
		}
	}
	if len(queries) == 0 {
		return nil, fmt.Errorf("%w: protocol %q leaves no %s questions of %d users with %d training events; %s",
			ErrNoQuestions, protocol, o.Split, len(split.Train), events, wayOut[protocol])
	}
	return queries, nil
}

// wayOut is what to do where a protocol leaves nothing.
var wayOut = map[Protocol]string{
	Given:    "it needs a test row whose items the log knows; use protocol leave-one-out",
	LastItem: "it needs a user with three events at least; bring a longer log",
	ByTime:   "it needs a user who acts in the part that is asked and before; raise the test share, or use leave-one-out",
	Rolling:  "it needs in each window a user who acted before; ask for fewer windows, or use leave-one-out",
}
