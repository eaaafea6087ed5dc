package ope

import (
	"errors"
	"fmt"
	"math"
)

// Sentinels that a caller can tell apart with errors.Is.
var (
	// ErrLog: the log breaks the contract of [Log]; the message names the row and the value.
	ErrLog = errors.New("ope: bad log")
	// ErrTarget: the target policy gave what is no probability, or a distribution that does not sum to 1.
	ErrTarget = errors.New("ope: bad target policy")
	// ErrOptions: a field of Options is outside its bounds.
	ErrOptions = errors.New("ope: bad options")
	// ErrRefused: the log is too thin for the target. The Result is there, with what was found out about the support.
	ErrRefused = errors.New("ope: refused")
)

// Row is one choice of the logging policy: the action in one slot of one decision.
type Row struct {
	// Decision the row belongs to, from 0. Rows of a decision stand side by side in the order in which its slots were
	// filled, and decisions are numbered in the order in which they stand.
	Decision int32
	// Action taken, 0 to Log.Actions-1.
	Action int32
	// Slot it stood in, 0 to Log.Slots-1. What the reward model learns by; it need not count up within a decision.
	Slot int32
	// Propensity is the logging policy's probability of Action given the context and the rows of the decision before this
	// one, above 0 to 1.
	Propensity float64
	// Reward that followed. Finite.
	Reward float64
	// Features of the action in its context, Log.Features long; empty: none.
	Features []float32
}

// Log is what a policy did and what came of it.
type Log struct {
	Rows []Row
	// Cluster of each decision, from 0 without gaps. Decisions of one cluster (say, one user) need not be independent; the
	// clusters must be. Nil: each decision is a cluster of its own.
	Cluster []int32
	// Actions, Slots and Features bound what rows hold.
	Actions, Slots, Features int
	// Closed says that every row had the same actions to choose from: then an action that no row has in a slot is
	// unexplored there. Otherwise a row with a propensity below 1 is trusted to have given all its candidates a chance.
	Closed bool
	// MaxReward is the largest reward there can be, of rewards from 0. Needed by the Bernstein interval alone; 0: unknown.
	MaxReward float64
}

// Decisions is how many the log has. It is right for a log that passes Check.
func (l *Log) Decisions() int {
	if len(l.Rows) == 0 {
		return 0
	}
	return int(l.Rows[len(l.Rows)-1].Decision) + 1
}

// cell numbers an action in a slot.
func (l *Log) cell(action, slot int32) int { return int(action)*l.Slots + int(slot) }

// cluster gives the cluster of a decision.
func (l *Log) cluster(decision int32) int32 {
	if l.Cluster == nil {
		return decision
	}
	return l.Cluster[decision]
}

// clusters is how many there are.
func (l *Log) clusters() int {
	if l.Cluster == nil {
		return l.Decisions()
	}
	n := int32(0)
	for _, c := range l.Cluster {
		n = max(n, c+1)
	}
	return int(n)
}

// Check reports the first breach of the contract. Rows are counted from 1 in messages.
func (l *Log) Check() error {
	if len(l.Rows) == 0 {
		return fmt.Errorf("%w: it is empty; there is nothing to judge a policy by", ErrLog)
	}
	next := int32(0)
	for i := range l.Rows {
		r := &l.Rows[i]
		if r.Decision != next && (i == 0 || r.Decision != next-1) {
			return fmt.Errorf("%w: row %d is of decision %d; rows of a decision stand together and decisions count up from 0", ErrLog, i+1, r.Decision)
		}
		next = r.Decision + 1
		if err := l.checkRow(r); err != nil {
			return fmt.Errorf("%w: row %d: %w", ErrLog, i+1, err)
		}
	}
	return l.checkClusters()
}

func (l *Log) checkRow(r *Row) error {
	switch {
	case r.Action < 0 || int(r.Action) >= l.Actions:
		return fmt.Errorf("action %d is not among the %d of the log", r.Action, l.Actions)
	case r.Slot < 0 || int(r.Slot) >= l.Slots:
		return fmt.Errorf("slot %d is not among the %d of the log", r.Slot, l.Slots)
	case len(r.Features) != 0 && len(r.Features) != l.Features:
		return fmt.Errorf("%d features; the log has %d", len(r.Features), l.Features)
	case math.IsNaN(r.Reward) || math.IsInf(r.Reward, 0):
		return fmt.Errorf("reward %v is not finite", r.Reward)
	case l.MaxReward > 0 && (r.Reward < 0 || r.Reward > l.MaxReward):
		return fmt.Errorf("reward %v is not between 0 and MaxReward, %v", r.Reward, l.MaxReward)
	}
	return CheckPropensity(r.Propensity)
}

// CheckPropensity tells why a number cannot be the probability of something that happened.
func CheckPropensity(p float64) error {
	switch {
	case p > 0 && p <= 1:
		return nil
	case p == 0:
		return errors.New("propensity 0: what has no chance cannot have been shown, so that the log's propensities are not those of its policy")
	}
	return fmt.Errorf("propensity %v: must be above 0 and at most 1", p)
}

func (l *Log) checkClusters() error {
	if l.Cluster == nil {
		return nil
	}
	if len(l.Cluster) != l.Decisions() {
		return fmt.Errorf("%w: clusters for %d decisions; there are %d", ErrLog, len(l.Cluster), l.Decisions())
	}
	met := make([]bool, len(l.Cluster))
	most := int32(0)
	for i, c := range l.Cluster {
		if c < 0 || int(c) >= len(met) {
			return fmt.Errorf("%w: cluster %d of decision %d; clusters count up from 0 without gaps", ErrLog, c, i)
		}
		met[c], most = true, max(most, c)
	}
	for c := range most {
		if !met[c] {
			return fmt.Errorf("%w: no decision is of cluster %d; clusters count up from 0 without gaps", ErrLog, c)
		}
	}
	return nil
}

// Target is the policy to judge. It must be safe for concurrent use.
type Target interface {
	// Probability with which the target takes the logged action of Rows[row], given what the row's Propensity is given: the
	// context and the decision's rows before it. 0 to 1.
	Probability(row int) float64
}

// Chooser is a Target whose whole distribution is known. Without it there are no doubly robust and no direct estimates.
type Chooser interface {
	Target
	// Choices appends what the target may take in place of the logged action of a row, that action included. The
	// probabilities sum to 1. Features are lent.
	Choices(row int, dst []Choice) []Choice
}

// Choice is an action a target may take.
type Choice struct {
	Action      int32
	Probability float64
	Features    []float32 // as Row.Features
}
