package shop

import (
	"context"
	"fmt"
	"slices"

	"github.com/kindred-rec/kindred/ranker/catalog"
	"github.com/kindred-rec/kindred/server/record"
)

// Write puts mutations into the log and returns when they are on disk: one outcome
// each, in their order, and the token of the last. A mutation that does not fit the
// tenant is Refused with an *InputError; the others land.
func (s *Shop) Write(ctx context.Context, batch []record.Mutation) ([]record.Outcome, record.Token, error) {
	p, err := s.Submit(ctx, batch)
	if err != nil {
		return nil, record.Token{}, err
	}
	return p.Wait(ctx)
}

// Submit hands mutations to the log without waiting for the disk. Batches of one
// caller keep the order of their submission.
func (s *Shop) Submit(ctx context.Context, batch []record.Mutation) (*Pending, error) {
	good, outcomes, err := s.screen(ctx, batch)
	if err != nil {
		return nil, err
	}
	p := &Pending{outcomes: outcomes, token: s.log.Head()}
	if len(good) > 0 {
		if p.waiter, err = s.log.Submit(ctx, good); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// DryRun answers what Write would, and writes nothing. What a first row would settle for
// the tenant holds for the rest of the batch.
func (s *Shop) DryRun(ctx context.Context, batch []record.Mutation) ([]record.Outcome, error) {
	outcomes, _, err := s.dryRun(ctx, s.settings(), batch)
	return outcomes, err
}

// dryRun is DryRun under settings; it returns them as the batch would settle them.
func (s *Shop) dryRun(ctx context.Context, settings *tenantView, batch []record.Mutation) ([]record.Outcome, *tenantView, error) {
	p := &Pending{outcomes: make([]record.Outcome, len(batch))}
	var good []record.Mutation
	for i := range batch {
		if it := batch[i].Item; it != nil && s.settles(settings, it) {
			next := settings.Tenant
			settled(&next, it)
			settings = s.viewOf(next)
		}
		if err := s.check(settings, &batch[i]); err != nil {
			p.outcomes[i] = record.Outcome{Status: record.Refused, Err: err}
			continue
		}
		good = append(good, batch[i])
	}
	answers, err := s.log.DryRun(ctx, good)
	if err != nil {
		return nil, nil, err
	}
	p.fill(answers)
	return p.outcomes, settings, nil
}

// Pending is a submitted batch.
type Pending struct {
	outcomes []record.Outcome // those refused here are filled
	waiter   Waiter           // nil: all were refused here
	token    record.Token
}

// Wait returns when the batch is on disk. It may be called once.
func (p *Pending) Wait(ctx context.Context) ([]record.Outcome, record.Token, error) {
	if p.waiter == nil {
		return p.outcomes, p.token, nil
	}
	answers, token, err := p.waiter.Wait(ctx)
	if err != nil {
		return nil, record.Token{}, err
	}
	p.fill(answers)
	return p.outcomes, token, nil
}

// fill puts the log's answers where no refusal stands yet.
func (p *Pending) fill(answers []record.Outcome) {
	next := 0
	for i := range p.outcomes {
		if p.outcomes[i].Status == 0 {
			p.outcomes[i] = answers[next]
			next++
		}
	}
}

// screen separates the mutations that fit the tenant from those that do not. What a
// first row settles for the tenant (its currency, the type of an attribute) is
// settled here, on disk, before the row is written.
func (s *Shop) screen(ctx context.Context, batch []record.Mutation) ([]record.Mutation, []record.Outcome, error) {
	outcomes := make([]record.Outcome, len(batch))
	good := batch
	refused := 0
	for i := range batch {
		m := &batch[i]
		if m.Item != nil {
			if err := s.settle(ctx, m.Item); err != nil {
				return nil, nil, err
			}
		}
		if err := s.check(s.settings(), m); err != nil {
			if refused == 0 {
				good = append(make([]record.Mutation, 0, len(batch)-1), batch[:i]...)
			}
			outcomes[i] = record.Outcome{Status: record.Refused, Err: err}
			refused++
		} else if refused > 0 {
			good = append(good, *m)
		}
	}
	return good, outcomes, nil
}

// check reports an *InputError if a mutation does not fit the tenant.
func (s *Shop) check(t *tenantView, m *record.Mutation) error {
	switch {
	case m.Event != nil:
		return t.types.check(m.Event)
	case m.Item != nil:
		return s.checkItem(t, m.Item)
	case m.Patch != nil && m.Patch.Price != nil:
		return checkCurrency(t, m.Patch.Price)
	}
	return nil
}

func (s *Shop) checkItem(t *tenantView, it *record.Item) error {
	if it.Price != nil {
		if err := checkCurrency(t, it.Price); err != nil {
			return err
		}
	}
	if n := len(it.Vector); n != 0 && n != s.dim {
		return &InputError{Field: "vector", Description: fmt.Sprintf(
			"has %d components, the tenant's vectors have %d: give that many, or leave it out to have the text encoded", n, s.dim)}
	}
	for name, v := range it.Attributes {
		d, ok := t.attributes[name]
		if ok && (d.Kind != v.Kind || d.List != v.List) {
			return &InputError{Field: fmt.Sprintf("attributes[%q]", name), Description: fmt.Sprintf(
				"is a %s, declared is a %s: use the declared type, or another name", typeText(v.Kind, v.List), typeText(d.Kind, d.List))}
		}
		if !ok && len(t.attributes) >= record.MaxDeclared {
			return &InputError{Field: fmt.Sprintf("attributes[%q]", name), Description: fmt.Sprintf(
				"would be attribute number %d, at most %d are declared a tenant: use fewer names", len(t.attributes)+1, record.MaxDeclared)}
		}
	}
	return nil
}

func checkCurrency(t *tenantView, m *record.Money) error {
	if t.Currency == "" || t.Currency == m.Currency {
		return nil
	}
	return &InputError{Field: "price.currency_code", Description: fmt.Sprintf(
		"is %s, the tenant's currency is %s: convert the price before sending", m.Currency, t.Currency)}
}

func typeText(k record.Kind, list bool) string {
	if list {
		return "list of " + k.String() + "s"
	}
	return k.String()
}

// settle fixes what an item is the first to say: the currency, the type of an
// attribute. Most items say nothing new.
func (s *Shop) settle(ctx context.Context, it *record.Item) error {
	if !s.settles(s.settings(), it) {
		return nil
	}
	return s.amend(ctx, func(next *record.Tenant) error { settled(next, it); return nil })
}

// settles reports whether an item that fits is the first to say something.
func (s *Shop) settles(t *tenantView, it *record.Item) bool {
	news := it.Price != nil && t.Currency == ""
	for name := range it.Attributes {
		if _, ok := t.attributes[name]; !ok && len(t.attributes) < record.MaxDeclared {
			news = true
		}
	}
	return news && s.checkItem(t, it) == nil
}

// settled puts what an item is the first to say into the settings.
func settled(next *record.Tenant, it *record.Item) {
	if next.Currency == "" && it.Price != nil {
		next.Currency = it.Price.Currency
	}
	next.Attributes = declareNew(slices.Clip(next.Attributes), it.Attributes)
}

// declareNew adds what values use and list lacks, by name, up to the bound.
func declareNew(list []record.Attribute, values map[string]record.Value) []record.Attribute {
	known := make(map[string]bool, len(list))
	for _, a := range list {
		known[a.Name] = true
	}
	for _, name := range sortedKeys(values) {
		if !known[name] && len(list) < record.MaxDeclared {
			list = append(list, record.Attribute{Name: name, Kind: values[name].Kind, List: values[name].List})
		}
	}
	return list
}

// kinds holds the catalog's kind of each record kind.
var kinds = map[record.Kind]catalog.Kind{
	record.KindString: catalog.KindString,
	record.KindNumber: catalog.KindNumber,
	record.KindBool:   catalog.KindBool,
	record.KindTime:   catalog.KindTime,
}
