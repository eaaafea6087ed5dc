package shop

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/kindred-rec/kindred/ranker"
	"github.com/kindred-rec/kindred/server/record"
)

// Reproduction is what Reproduce came to.
type Reproduction uint8

const (
	// ReproducedSame: made again, in the same order.
	ReproducedSame Reproduction = iota + 1
	// ReproducedDifferent: made again, and it differs.
	ReproducedDifferent
	// ReproducedVerified: not made again; the logged features give the logged scores.
	ReproducedVerified
	// ReproducedGone: neither can be done.
	ReproducedGone
)

// InputState is how an input of a decision stands now.
type InputState uint8

// The states of an input.
const (
	InputSame InputState = iota + 1
	InputChanged
	InputGone
)

// Input is one thing that a decision was made from.
type Input struct {
	Name  string
	State InputState
	Text  string
}

// ReproduceReply tells how a decision stands to what would be made of its inputs now.
type ReproduceReply struct {
	Reproduction Reproduction
	Text         string
	Inputs       []Input
	Logged, Made []string // item ids; Made is empty where nothing was made
	// ListPropensity is the product of the propensities of the slots.
	ListPropensity float64
}

// reproducing is one decision under examination.
type reproducing struct {
	*Shop
	gen    *generation
	d      record.Decision // whose list is compared
	list   record.Decision // that its list was made for: of a page, the first one
	policy *policy
	reply  ReproduceReply
}

// Reproduce makes the list of a logged decision again from what it was made from: the
// events that were known, policy, seed and clock of then, and the model, vectors and
// counters of now. Where these have moved on the reply names them. It serves nothing,
// logs nothing and counts nothing. record.ErrNotFound: there is no such decision (any
// more).
func (s *Shop) Reproduce(ctx context.Context, id string) (*ReproduceReply, error) {
	if err := s.enter(); err != nil {
		return nil, err
	}
	defer s.releaseBound(0)
	s.decisions.flush()
	d, err := s.log.Decision(id)
	if err != nil {
		return nil, fmt.Errorf("decision %.80q, which may have expired, been dropped or been erased with its user: %w", id, err)
	}
	r := &reproducing{Shop: s, gen: s.gen.Load(), d: d, list: d}
	r.reply.ListPropensity = 1
	for i := range d.Items {
		r.reply.Logged = append(r.reply.Logged, s.ItemID(d.Items[i].Item))
		r.reply.ListPropensity *= float64(d.Items[i].Propensity)
	}
	var req ranker.Request
	if ok := r.inputs(ctx, &req); ok {
		return &r.reply, r.make(&req)
	}
	r.verify()
	return &r.reply, nil
}

func (r *reproducing) input(name string, state InputState, format string, args ...any) {
	r.reply.Inputs = append(r.reply.Inputs, Input{name, state, fmt.Sprintf(format, args...)})
}

// gone names the inputs that are not there any more; changed those that are not as then.
func (r *reproducing) names(state InputState) string {
	var list []string
	for _, in := range r.reply.Inputs {
		if in.State == state {
			list = append(list, in.Name)
		}
	}
	return strings.Join(list, ", ")
}

// inputs looks at each input, makes the request of them, and reports whether all are
// there.
func (r *reproducing) inputs(ctx context.Context, req *ranker.Request) bool {
	r.findRequest()
	r.findPolicy()
	r.findGeneration()
	p := &person{}
	r.findPerson(p)
	r.findItems()
	r.findCounters(ctx)
	if r.names(InputGone) != "" {
		return false
	}
	return r.ask(req, p)
}

// ask makes the request that a person's list was made for, and reports whether all that it
// needs is there.
func (r *reproducing) ask(req *ranker.Request, p *person) bool {
	*req = ranker.Request{
		History: p.history, Impressions: p.passed, Surface: r.list.Surface, UserVector: p.vector(), Hidden: p.hidden,
		Now: r.list.ClockTime().UnixMicro(), Limit: int(max(r.list.Limit, r.list.Ranked)), Seed: r.list.Seed,
		Policy: r.policy.on(r.list.Surface), Diversity: r.list.Diversity, DiversitySet: true,
		Seen: seenNamed(r.list.Seen), Degraded: ranker.Degradation(r.list.Degraded), Anonymous: p.anonymous, PersonalizationOff: p.optOut,
	}
	if req.Seen == ranker.HideInteracted {
		req.Hidden = append(p.hidden, p.disliked...)
	}
	return r.complete(req)
}

func seenNamed(name string) ranker.SeenPolicy {
	return ranker.SeenPolicy(max(0, slices.Index(seenNames[:], name)))
}

// complete adds what needs the catalog, and reports whether it is there.
func (r *reproducing) complete(req *ranker.Request) bool {
	for _, id := range r.list.Context {
		if n, ok := r.log.ItemNumber(id); ok && r.table.Row(n) != nil {
			req.Context = append(req.Context, n)
		}
	}
	switch r.list.Kind {
	case record.DecisionSimilar, record.DecisionTogether:
		req.PersonalizationOff = true
		if len(req.Context) > 0 {
			req.Relation = ranker.Similar
			if r.list.Kind == record.DecisionTogether {
				req.Relation = ranker.BoughtTogether
			}
		}
	}
	req.Exclude = slices.Clone(r.list.Exclude)
	groups, ok := r.earlierRows(req)
	if !ok {
		return false
	}
	if r.list.Filter != "" {
		f, err := r.filters.Filter(r.list.Filter)
		if err != nil {
			r.input("request", InputGone, "its filter is refused by now: %s", filterFault(err))
			return false
		}
		req.Match, req.Allow = f, f.Bitmap().Words
	}
	if req.Relation == ranker.BoughtTogether {
		groups = r.groupsOf(groups, req.Context)
	}
	if len(groups) > 0 {
		req.Match = otherGroups{req.Match, groups}
	}
	return true
}

// earlierRows excludes what the rows before it on its page have, and returns the groups
// whose variants they show.
func (r *reproducing) earlierRows(req *ranker.Request) (groups []uint32, ok bool) {
	base, row, several := strings.Cut(r.list.ID, ".")
	if !several {
		return nil, true
	}
	var rows int
	if _, err := fmt.Sscan(row, &rows); err != nil {
		return nil, true
	}
	for i := range rows {
		d, err := r.log.Decision(rowID(base, i))
		if err != nil {
			r.input("request", InputGone, "row %d of its page, whose items it leaves out, is not in the log", i)
			return nil, false
		}
		made := r.settings().policies.find(d.Policy)
		for _, x := range d.Items {
			req.Exclude = append(req.Exclude, x.Item)
			if item := r.table.Row(x.Item); item != nil && item.Group != 0 && (made == nil || !made.KeepVariants) {
				groups = append(groups, item.Group)
			}
		}
	}
	return groups, true
}

// findRequest says whether the log has what was asked for.
func (r *reproducing) findRequest() {
	switch r.d.Kind {
	case record.DecisionUnknown:
		r.input("request", InputGone, "the decision was logged by a release that did not log what was asked for")
		return
	case record.DecisionSearch:
		r.input("request", InputGone, "the text of a search is not logged")
		return
	case record.DecisionRank:
		r.input("request", InputGone, "the caller's list of items is not logged")
		return
	case record.DecisionPage:
		first, err := r.log.Decision(r.d.First)
		if err != nil {
			r.input("request", InputGone, "the decision of its first page is not in the log")
			return
		}
		r.list = first
	}
	r.input("request", InputSame, "as it was asked")
}

func (r *reproducing) findPolicy() {
	if r.policy = r.settings().policies.find(r.d.Policy); r.policy == nil {
		r.input("policy", InputGone, "version %.80q is not kept any more", r.d.Policy)
		return
	}
	r.input("policy", InputSame, "%s", r.d.Policy)
}

func (r *reproducing) findGeneration() {
	switch {
	case r.d.Generation == r.gen.id:
		r.input("generation", InputSame, "%s", r.gen.id)
	case bundleOf(r.d.Generation) == bundleOf(r.gen.id) && modelOf(r.d.Generation) == modelOf(r.gen.id):
		r.input("generation", InputChanged, "%s made it, %s serves by now: the same models, an index of its own", r.d.Generation, r.gen.id)
	default:
		r.input("generation", InputGone, "%s made it, %s serves by now", r.d.Generation, r.gen.id)
	}
}

// bundleOf and modelOf are the trained model and the text encoder that a generation's name
// tells of.
func bundleOf(generation string) string {
	_, hash, _ := strings.Cut(generation, "/bundle:")
	return hash
}

func modelOf(generation string) string {
	base, _, _ := strings.Cut(generation, "/bundle:")
	for range 2 { // engine and number
		base = base[:max(0, strings.LastIndexByte(base, '/'))]
	}
	return base
}

// findPerson fills p with what was known of the subject then.
func (r *reproducing) findPerson(p *person) {
	p.anonymous = true
	if r.list.UserNumber == 0 {
		r.input("subject", InputSame, "anonymous")
		r.input("events", InputSame, "none")
		return
	}
	user, _, known := r.log.Name(r.list.UserNumber)
	if !known {
		r.input("subject", InputGone, "was erased")
		return
	}
	r.input("subject", InputSame, "known")
	// A session that was merged since has its user's name; the rung tells what it was then.
	p.anonymous, p.number = user == "" || r.list.Tier == ranker.Session.String(), r.list.UserNumber
	var until time.Time
	if r.list.AsOf || r.list.Kind == record.DecisionBulk {
		until = r.list.ClockTime()
	}
	known, err := r.readPerson(p, max(r.list.Applied, r.list.Profile.Seq)+1, until)
	switch {
	case err != nil:
		r.input("events", InputGone, "cannot be read: %v", err)
	case !known:
		r.input("events", InputGone, "the last one that was known, %d in the log, is past the retention or erased", r.list.Profile.Seq)
	case r.list.Profile.Epoch != 0 && r.list.Profile.Epoch != r.log.Head().Epoch:
		r.input("events", InputChanged, "the store was restored since")
	default:
		r.input("events", InputSame, "%d acts up to then", len(p.touches))
	}
}

// readPerson reads a person's events before a place in the log; known: the last one that
// the decision reflects is among them.
func (r *reproducing) readPerson(p *person, before uint64, until time.Time) (known bool, err error) {
	past, err := r.readPast(p.number, before, until)
	if err != nil {
		return false, err
	}
	p.touches, p.showings, p.optOut = past.touches, past.showings, past.optOut
	r.convert(p)
	known = r.list.Profile.Seq == 0
	for i := range p.touches {
		known = known || p.touches[i].seq == r.list.Profile.Seq
	}
	p.taste = r.makeTaste(p, r.gen, r.gen.users().changes.Load())
	return known, nil
}

// findItems looks for what was shown.
func (r *reproducing) findItems() {
	var lost []string
	for _, x := range r.d.Items {
		if row := r.table.Row(x.Item); !row.Servable(r.d.ClockTime().UnixMicro()) {
			lost = append(lost, r.ItemID(x.Item))
		}
	}
	if len(lost) > 0 {
		r.input("items", InputChanged, "%d of %d may not be shown any more, such as %.40q", len(lost), len(r.d.Items), lost[0])
		return
	}
	r.input("items", InputSame, "all may be shown")
}

// countedEntries bounds how much of the log is looked through for what has changed.
const countedEntries = 200_000

// findCounters says what the log has got since.
func (r *reproducing) findCounters(ctx context.Context) {
	events, items, all := 0, 0, true
	err := r.log.ScanLog(r.list.Applied, func(e record.Entry) error {
		if events+items == countedEntries {
			all = false
			return errEnough
		}
		switch {
		case e.Stored != nil:
			events++
		case e.Row != nil, e.Delete != nil:
			items++
		}
		return ctx.Err()
	})
	more := ""
	if err != nil && !all {
		more = "more than "
	}
	switch {
	case err != nil && all:
		r.input("counters", InputChanged, "how far they moved on cannot be read: %v", err)
	case r.list.Applied == 0:
		r.input("counters", InputChanged, "the decision does not say what they were")
	case events == 0 && items == 0 && (r.policy == nil || !r.policy.capped):
		r.input("counters", InputSame, "nothing was written since")
	case events == 0 && items == 0:
		r.input("counters", InputChanged, "showings of the day that its policy caps have moved on")
	default:
		r.input("counters", InputChanged, "moved on by %s%d events, %d changes of the catalog", more, events, items)
	}
}

// make ranks again and compares.
func (r *reproducing) make(req *ranker.Request) error {
	var res ranker.Response
	if err := r.gen.pipeline.Recommend(req, &res); err != nil {
		return fmt.Errorf("ranking: %w", err)
	}
	from := min(int(r.d.Offset), len(res.Items))
	made := res.Items[from:min(from+int(r.d.Limit), len(res.Items))]
	same := len(made) == len(r.d.Items)
	for i := range made {
		r.reply.Made = append(r.reply.Made, r.ItemID(made[i].Item))
		same = same && made[i].Item == r.d.Items[i].Item
	}
	r.reply.Reproduction, r.reply.Text = ReproducedSame, "the same items in the same order"
	if same {
		return nil
	}
	changed := r.names(InputChanged)
	if changed == "" {
		changed = "nothing that is logged"
	}
	r.reply.Reproduction = ReproducedDifferent
	r.reply.Text = "another list, since " + changed + " changed"
	if ok, why := r.scores(&res); ok {
		r.reply.Text += "; the logged features give the logged scores"
	} else {
		r.reply.Text += "; the logged features do not tell more: " + why
	}
	return nil
}

// verify compares logged features with logged scores.
func (r *reproducing) verify() {
	gone := r.names(InputGone)
	var res ranker.Response
	ok, why := false, "the models that made it are gone"
	if bundleOf(r.d.Generation) == bundleOf(r.gen.id) {
		req := ranker.Request{Limit: 1, Now: r.d.ClockTime().UnixMicro()}
		if r.complete(&req) {
			if err := r.gen.pipeline.Recommend(&req, &res); err == nil {
				ok, why = r.scores(&res)
			}
		}
	}
	if ok {
		r.reply.Reproduction = ReproducedVerified
		r.reply.Text = fmt.Sprintf("it cannot be made again, since %s is gone; the logged features give the logged scores under the model that serves", gone)
		return
	}
	r.reply.Reproduction = ReproducedGone
	r.reply.Text = fmt.Sprintf("it cannot be made again, since %s is gone, nor verified: %s", gone, why)
}

// scores reports whether a model gives the logged scores of the logged features.
func (r *reproducing) scores(by *ranker.Response) (ok bool, why string) {
	if len(r.d.Items) == 0 {
		return false, "nothing was shown"
	}
	if r.d.Kind == record.DecisionSearch {
		return false, "a search is not scored by features"
	}
	columns, err := columnsOf(r.d.FeatureNames, r.d.Items)
	if err != nil {
		return false, err.Error()
	}
	out := make([]float64, len(r.d.Items))
	by.Model.Score(columns, out)
	for i, x := range r.d.Items {
		if math.Abs(out[i]-float64(x.Score)) > 1e-4*max(1, math.Abs(out[i])) {
			return false, fmt.Sprintf("the model that serves gives item %.40q a score of %.6g, the log has %.6g", r.ItemID(x.Item), out[i], x.Score)
		}
	}
	return true, ""
}

// columnsOf are logged features as a model reads them. One that this release does not know
// is an error; one that the log does not have is 0.
func columnsOf(names []string, items []record.Shown) (*ranker.Columns, error) {
	var columns ranker.Columns
	for f := range columns {
		columns[f] = make([]float32, len(items))
	}
	for k, name := range names {
		f, err := ranker.ParseFeature(name)
		if err != nil {
			return nil, fmt.Errorf("feature %.63q is none of this release", name)
		}
		for i := range items {
			if k < len(items[i].Features) {
				columns[f][i] = items[i].Features[k]
			}
		}
	}
	return &columns, nil
}
