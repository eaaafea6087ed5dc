package record

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Experiment shows people of different variants different policies.
type Experiment struct {
	Name     string
	Revision int32 // from 1
	Updated  time.Time
	By       string // id of the API key; empty: none was asked for
	Note     string
	Salt     string // empty: Name
	Variants []Variant
	Surfaces []string // empty: all
	Layer    string   // empty: its own
	// LayerFrom and LayerUntil bound its part of the layer; both 0: all of it.
	LayerFrom, LayerUntil float64
	Start, End            time.Time // zero: no bound
	Status                ExperimentStatus
	Excluded              []string // user ids
	// Spans say which buckets of the hash are whose; ascending and disjoint. They are made
	// of the shares, and of the spans before, so that few people change their variant.
	Spans []Span
}

// Variant is one arm of an experiment.
type Variant struct {
	Name   string
	Policy string // empty: the surface's
	Share  float64
	Users  []string // always in it
}

// Span gives the buckets from From until Until, exclusive, to a variant.
type Span struct {
	From, Until int32
	Variant     string
}

// ExperimentStatus says whether an experiment runs.
type ExperimentStatus uint8

// The states of an experiment.
const (
	ExperimentDraft ExperimentStatus = iota + 1
	ExperimentRunning
	ExperimentStopped
)

// AssignmentKind is how somebody came to a variant.
type AssignmentKind uint8

// How somebody came to a variant: by the hash, listed, named by the request, or nobody.
const (
	AssignedByHash AssignmentKind = iota + 1
	AssignedListed
	AssignedByRequest
	AssignedAnonymous
)

// Assignment is the variant that a list was made with. The zero value: none.
type Assignment struct {
	Experiment, Variant string
	Kind                AssignmentKind
}

// Bounds of experiments.
const (
	MaxExperiments = 64 // of a tenant
	MaxVariants    = 16
	MaxListed      = 1000 // user ids, of a variant and of those excluded
	// ShareSteps is how finely shares are cut.
	ShareSteps = 10_000
)

// SaltOf is what the hash of an experiment is of, beside the person.
func (e *Experiment) SaltOf() string {
	if e.Salt != "" {
		return e.Salt
	}
	return e.Name
}

// LayerOf names the layer that the experiment is in.
func (e *Experiment) LayerOf() string {
	if e.Layer != "" {
		return e.Layer
	}
	return "\x00" + e.Name // no layer of a caller's can have this name
}

// Part is the part of its layer in steps, from until exclusive.
func (e *Experiment) Part() (from, until int32) {
	if e.LayerFrom == 0 && e.LayerUntil == 0 {
		return 0, ShareSteps
	}
	return Steps(e.LayerFrom), Steps(e.LayerUntil)
}

// Steps is a share in steps.
func Steps(share float64) int32 { return int32(math.Round(share * ShareSteps)) }

// RunsAt reports whether it runs at a time.
func (e *Experiment) RunsAt(t time.Time) bool {
	return e.Status == ExperimentRunning && !t.Before(e.Start) && (e.End.IsZero() || t.Before(e.End))
}

// On reports whether it runs on a surface.
func (e *Experiment) On(surface string) bool {
	return len(e.Surfaces) == 0 || slices.Contains(e.Surfaces, surface)
}

// Clashes reports whether two running experiments may have a person on a surface at once,
// so that two policies would claim one list.
func (e *Experiment) Clashes(other *Experiment) bool {
	if e.Status != ExperimentRunning || other.Status != ExperimentRunning ||
		!surfacesMeet(e.Surfaces, other.Surfaces) || !timesMeet(e.Start, e.End, other.Start, other.End) {
		return false
	}
	if e.LayerOf() != other.LayerOf() {
		return true
	}
	from, until := e.Part()
	otherFrom, otherUntil := other.Part()
	return from < otherUntil && otherFrom < until
}

// Validate returns what is wrong with the form of an experiment, nil if nothing is.
func (e *Experiment) Validate() []Violation {
	var c checker
	if !ValidPolicyName(e.Name) {
		c.add("name", "%.80q is no experiment name: %s", e.Name, nameRule)
	}
	c.text("note", e.Note, MaxNote)
	c.text("salt", e.Salt, MaxTypeName)
	c.text("layer", e.Layer, MaxTypeName)
	if len(e.Surfaces) > MaxRuleSurfaces {
		c.add("surfaces", "has %d entries, at most %d are taken", len(e.Surfaces), MaxRuleSurfaces)
	}
	c.surfaceNames("", e.Surfaces)
	c.steps("layer_from", e.LayerFrom, ShareSteps)
	c.steps("layer_until", e.LayerUntil, ShareSteps)
	if from, until := e.Part(); from >= until {
		c.add("layer_until", "is %v, not above layer_from %v: nobody would be in it", e.LayerUntil, e.LayerFrom)
	}
	if !e.Start.IsZero() && !e.End.IsZero() && !e.End.After(e.Start) {
		c.add("end_time", "%s is not after start_time %s", stamp(e.End), stamp(e.Start))
	}
	if e.Status < ExperimentDraft || e.Status > ExperimentStopped {
		c.add("status", "%d is no status of this version", e.Status)
	}
	c.people("excluded_user_ids", e.Excluded, map[string]bool{})
	c.variants(e.Variants)
	return c.found
}

func (c *checker) variants(list []Variant) {
	if len(list) == 0 || len(list) > MaxVariants {
		c.add("variants", "has %d entries: give 1 to %d, the control first", len(list), MaxVariants)
		return
	}
	names, listed, sum := map[string]bool{}, map[string]bool{}, 0.0
	for i, v := range list {
		field := fmt.Sprintf("variants[%d]", i)
		if !ValidPolicyName(v.Name) {
			c.add(field+".name", "%.80q is no variant name: %s", v.Name, nameRule)
		}
		c.once(names, field+".name", v.Name)
		c.steps(field+".share", v.Share, ShareSteps)
		c.people(field+".user_ids", v.Users, listed)
		sum += v.Share
	}
	if sum > 1+1e-9 {
		c.add("variants", "have shares of %v in all: they add up to 1 at most", sum)
	}
}

// people checks a list of user ids, none of which may stand twice.
func (c *checker) people(field string, ids []string, seen map[string]bool) {
	if len(ids) > MaxListed {
		c.add(field, "has %d entries, at most %d are taken", len(ids), MaxListed)
		return
	}
	for i, id := range ids {
		at := fmt.Sprintf("%s[%d]", field, i)
		c.id(at, id)
		c.once(seen, at, id)
	}
}
