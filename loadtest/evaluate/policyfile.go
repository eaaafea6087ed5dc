package evaluate

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/ranker/filter"
	"github.com/kindred-rec/kindred/ranker/rerank"
	"github.com/kindred-rec/kindred/server/record"
)

// parsePolicy reads a policy as `policies put` takes it.
func parsePolicy(text []byte) (*kindredv1.Policy, error) {
	p := &kindredv1.Policy{}
	if err := protojson.Unmarshal(text, p); err != nil {
		return nil, fmt.Errorf(`it is neither weights ({"weights": …}) nor a policy as policies put takes it: %w`, err)
	}
	return p, nil
}

var (
	capLabels = map[kindredv1.CapLabel]rerank.Label{kindredv1.CapLabel_CAP_LABEL_CATEGORY: rerank.Category,
		kindredv1.CapLabel_CAP_LABEL_BRAND: rerank.Brand, kindredv1.CapLabel_CAP_LABEL_SELLER: rerank.Seller}
	newMethods = map[kindredv1.NewItemMethod]rerank.Method{kindredv1.NewItemMethod_NEW_ITEM_METHOD_UNSPECIFIED: rerank.ByScore,
		kindredv1.NewItemMethod_NEW_ITEM_METHOD_SCORE: rerank.ByScore, kindredv1.NewItemMethod_NEW_ITEM_METHOD_THOMPSON: rerank.Thompson,
		kindredv1.NewItemMethod_NEW_ITEM_METHOD_UCB: rerank.UCB}
)

// ruled is a contender's policy over the catalog of the evaluation.
type ruled struct {
	name   string
	policy *rerank.Policy
	note   string // what of it has no effect here
}

// policies makes those of the contenders, before anything is trained.
func (b *bench) policies() ([]ruled, error) {
	compiler, err := filter.NewCompiler(b.table, filter.Limits{})
	if err != nil {
		return nil, err
	}
	var all []ruled
	for _, c := range b.o.Compare {
		if c.policy == nil {
			continue
		}
		policy, note, err := b.policy(c.policy, compiler)
		if err != nil {
			return nil, fmt.Errorf("contender %q: %s: %w", c.Name, c.Spec, err)
		}
		all = append(all, ruled{c.Name, policy, note})
	}
	return all, nil
}

func (b *bench) policy(w *kindredv1.Policy, compiler *filter.Compiler) (*rerank.Policy, string, error) {
	p := &rerank.Policy{Diversity: w.GetDiversity(), KeepVariants: w.KeepVariants, Explore: rerank.Exploration{Temperature: w.GetExploration().GetTemperature()}}
	var notes []string
	if w.SeenPolicy != kindredv1.SeenPolicy_SEEN_POLICY_UNSPECIFIED {
		notes = append(notes, "what was seen is shown or hidden as the protocol says, not the policy")
	}
	if n := w.NewItems; n != nil {
		p.NewItems = rerank.NewItems{Share: n.Share, MaxAge: n.MaxAge.AsDuration(), MaxImpressions: int(n.MaxImpressions), Method: newMethods[n.Method]}
		notes = append(notes, "each act of training counts as an impression")
	}
	if f := w.Fatigue; f != nil {
		p.Fatigue = rerank.Fatigue{Weight: f.Weight, HalfLife: f.HalfLife.AsDuration()}
		if p.Fatigue.HalfLife == 0 {
			p.Fatigue.HalfLife = record.DefaultHalfLife
		}
		notes = append(notes, "a log has no impressions, so fatigue has none to go by")
	}
	for i, c := range w.Caps {
		label, known := capLabels[c.Label]
		if !known {
			return nil, "", fmt.Errorf("caps[%d].label is not set, or of no label that this version knows", i)
		}
		p.Caps = append(p.Caps, rerank.Cap{By: label, Most: int(c.Most), Within: int(c.Within)})
	}
	elsewhere := 0
	for i, r := range w.Rules {
		if len(r.Surfaces) > 0 {
			elsewhere++
			continue
		}
		rule, err := b.rule(r, compiler)
		if err != nil {
			return nil, "", fmt.Errorf("rules[%d] %q: %w", i, r.Name, err)
		}
		if rule.Action == rerank.CapPerDay {
			notes = append(notes, "a log has no impressions, so daily caps have none to count")
		}
		p.Rules = append(p.Rules, rule)
	}
	if elsewhere > 0 {
		notes = append(notes, fmt.Sprintf("%d of %d rules are of surfaces, and there is none here", elsewhere, len(w.Rules)))
	}
	return p, strings.Join(notes, "; "), p.Validate()
}

func (b *bench) rule(w *kindredv1.PolicyRule, compiler *filter.Compiler) (rerank.Rule, error) {
	r := rerank.Rule{Name: w.Name, From: microsOf(w.FromTime), Until: microsOf(w.UntilTime)}
	switch a := w.Action.(type) {
	case *kindredv1.PolicyRule_Exclude:
		r.Action = rerank.Exclude
	case *kindredv1.PolicyRule_DailyCap:
		r.Action, r.PerDay = rerank.CapPerDay, int(a.DailyCap.GetMost())
	case *kindredv1.PolicyRule_Pin:
		r.Action, r.Slot = rerank.Pin, int(a.Pin.GetSlot())
	case *kindredv1.PolicyRule_Reserve:
		r.Action, r.Share = rerank.Reserve, a.Reserve.GetShare()
	case *kindredv1.PolicyRule_Boost:
		r.Action, r.Factor = rerank.Boost, a.Boost.GetFactor()
	case *kindredv1.PolicyRule_Bury:
		r.Action = rerank.Bury
	default:
		return r, errors.New("no action is set; give one of exclude, daily_cap, pin, reserve, boost and bury")
	}
	if w.ItemId != "" {
		item, known := b.split.Number(w.ItemId)
		if !known {
			return r, fmt.Errorf("item %q is not in the data", w.ItemId)
		}
		r.Item, r.HasItem = item, true
	}
	if w.Condition != "" {
		program, err := compiler.Compile(w.Condition)
		if err != nil {
			return r, err
		}
		r.Match = program
	}
	return r, nil
}

func microsOf(t *timestamppb.Timestamp) int64 {
	if t == nil {
		return 0
	}
	return t.AsTime().UnixMicro()
}
