package api

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/shop"
)

// Bounds of requests, as the wire contract states them.
const (
	maxLimit    = 1000
	maxRanked   = 10_000
	maxContext  = 100
	maxExclude  = 1000
	maxPageRows = 16
	maxQuery    = 1024
	maxExplain  = 100
	maxWait     = 2 * time.Second
	defaultWait = 100 * time.Millisecond
)

// reading collects the faults of one request while it is converted.
type reading struct {
	shop   *shop.Shop
	bounds *Bounds
	faults []violation
}

func (r *reading) fault(field, format string, args ...any) {
	r.faults = append(r.faults, violation{field, fmt.Sprintf(format, args...)})
}

// err is INVALID_ARGUMENT with all faults, nil if there are none.
func (r *reading) err() error {
	if len(r.faults) == 0 {
		return nil
	}
	return invalid(r.faults...)
}

// told is a bound with the name of its setting, if one can lower it.
func told(bound int, setting string) string {
	if setting == "" {
		return strconv.Itoa(bound)
	}
	return fmt.Sprintf("%d (%s)", bound, setting)
}

func (r *reading) limit(field string, n int32, bound int, setting string) int {
	if n < 0 || int(n) > bound {
		r.fault(field, "is %d: give 1 to %s, or 0 for the default", n, told(bound, setting))
	}
	return int(n)
}

func (r *reading) text(field, s string, bound int, setting string) string {
	if len(s) > bound {
		r.fault(field, "is %d bytes, at most %s are taken", len(s), told(bound, setting))
	}
	return s
}

func (r *reading) ids(field string, ids []string, bound int, setting string) []string {
	if len(ids) > bound {
		r.fault(field, "has %d ids, at most %s are taken", len(ids), told(bound, setting))
		return nil
	}
	for i, id := range ids {
		if f := checkID(field, id, true); f != nil {
			r.fault(fmt.Sprintf("%s[%d]", field, i), "%s", f.description)
		}
	}
	return ids
}

func (r *reading) subject(w *kindredv1.Subject) shop.Subject {
	for _, f := range []*violation{
		checkID("subject.user_id", w.GetUserId(), false), checkID("subject.session_id", w.GetSessionId(), false),
	} {
		if f != nil {
			r.faults = append(r.faults, *f)
		}
	}
	return shop.Subject{User: w.GetUserId(), Session: w.GetSessionId()}
}

// seen converts a policy; orElse stands for one that is not set.
func (r *reading) seen(field string, p kindredv1.SeenPolicy, orElse shop.Seen) shop.Seen {
	switch p {
	case kindredv1.SeenPolicy_SEEN_POLICY_UNSPECIFIED:
		return orElse
	case kindredv1.SeenPolicy_SEEN_POLICY_KEEP:
		return shop.SeenKeep
	case kindredv1.SeenPolicy_SEEN_POLICY_HIDE_PURCHASED:
		return shop.SeenHidePurchased
	case kindredv1.SeenPolicy_SEEN_POLICY_HIDE_INTERACTED:
		return shop.SeenHideInteracted
	}
	r.fault(field, "%d is no policy of this version", p)
	return orElse
}

// diversity converts a weight; an unset one is negative: the surface's.
func (r *reading) diversity(field string, d *float64) float64 {
	if d == nil {
		return -1
	}
	if !(*d >= 0 && *d <= 1) {
		r.fault(field, "is %v: give 0 to 1", *d)
	}
	return *d
}

func (r *reading) asOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	if err := t.CheckValid(); err != nil {
		r.fault("as_of", "is no time between the years 1 and 9999")
	}
	return t.AsTime()
}

func (r *reading) fresh(token string, wait *durationpb.Duration) shop.Fresh {
	f := shop.Fresh{Wait: defaultWait}
	if wait != nil {
		f.Wait = wait.AsDuration()
		if wait.CheckValid() != nil || f.Wait < 0 || f.Wait > maxWait {
			r.fault("max_wait", "is %v: give 0 to %v", f.Wait, maxWait)
		}
	}
	t, err := r.shop.ParseToken(token)
	if err != nil {
		r.fault("min_write_token", "%s", err.(*shop.InputError).Description)
	}
	f.Token = t
	return f
}

// recommend converts a request for lists.
func (r *reading) recommend(req *kindredv1.RecommendRequest) shop.RecommendQuery {
	q := shop.RecommendQuery{
		Subject: r.subject(req.Subject),
		Context: r.ids("context_item_ids", req.ContextItemIds, r.bounds.Context, "max-context"),
		Exclude: r.ids("exclude_item_ids", req.ExcludeItemIds, r.bounds.Exclude, "max-exclude"),
		AsOf:    r.asOf(req.AsOf), Fresh: r.fresh(req.MinWriteToken, req.MaxWait),
		Seed: req.Seed, Paginate: req.Paginate, Explain: req.Explain,
	}
	named := shop.Row{Policy: r.policy(req.Policy), Experiment: req.Experiment, Variant: req.Variant}
	if (req.Experiment == "") != (req.Variant == "") {
		r.fault("variant", "goes with experiment: give both, or neither")
	}
	if req.Experiment != "" && req.Policy != "" {
		r.fault("policy", "is given beside experiment, whose variant has a policy: give one of them")
	}
	base := r.row("", &kindredv1.RowRequest{
		Surface: req.Surface, Limit: req.Limit, Filter: req.Filter, SeenPolicy: req.SeenPolicy, Diversity: req.Diversity,
	}, shop.SeenDefault)
	q.Rows = []shop.Row{base}
	if len(req.Rows) > 0 {
		q.Rows = r.rows(req, base)
	}
	for i := range q.Rows {
		q.Rows[i].Policy, q.Rows[i].Experiment, q.Rows[i].Variant = named.Policy, named.Experiment, named.Variant
	}
	return q
}

// policy checks the form of a policy's name.
func (r *reading) policy(name string) string {
	if name != "" && !shop.ValidPolicyID(name) {
		r.fault("policy", "%.80q is no policy: give a name, or name/version as replies have it", name)
	}
	return name
}

func (r *reading) row(path string, w *kindredv1.RowRequest, orElse shop.Seen) shop.Row {
	limit := r.limit(path+"limit", w.GetLimit(), r.bounds.List, "max-list")
	if limit == 0 && r.shop.LimitOf(w.GetSurface()) > r.bounds.List {
		limit = r.bounds.List
	}
	return shop.Row{
		Surface: r.text(path+"surface", w.GetSurface(), record.MaxSurface, ""),
		Limit:   limit,
		Filter:  r.text(path+"filter", w.GetFilter(), record.MaxFilter, ""),
		Seen:    r.seen(path+"seen_policy", w.GetSeenPolicy(), orElse),
		// A nil message has no diversity either.
		Diversity: r.diversity(path+"diversity", diversityOf(w)),
	}
}

func diversityOf(w *kindredv1.RowRequest) *float64 {
	if w == nil {
		return nil
	}
	return w.Diversity
}

func (r *reading) rows(req *kindredv1.RecommendRequest, base shop.Row) []shop.Row {
	if req.Surface != "" || req.Limit != 0 || req.Filter != "" || req.PageToken != "" || req.Paginate {
		r.fault("rows", "are given beside surface, limit, filter, paginate or page_token: move these into the rows; pages are of one list")
	}
	if len(req.Rows) > maxPageRows {
		r.fault("rows", "has %d rows, at most %d are taken", len(req.Rows), maxPageRows)
		return nil
	}
	rows, total := make([]shop.Row, len(req.Rows)), 0
	for i, w := range req.Rows {
		rows[i] = r.row(fmt.Sprintf("rows[%d].", i), w, base.Seen)
		if rows[i].Diversity < 0 {
			rows[i].Diversity = base.Diversity
		}
		total += cmp.Or(rows[i].Limit, r.shop.LimitOf(rows[i].Surface))
	}
	if total > r.bounds.List {
		r.fault("rows", "ask for %d items in all, at most %s are returned", total, told(r.bounds.List, "max-list"))
	}
	return rows
}

// page converts a request for the next page.
func (r *reading) page(req *kindredv1.RecommendRequest) shop.PageQuery {
	if req.Surface != "" || req.Filter != "" || len(req.ContextItemIds) > 0 || len(req.ExcludeItemIds) > 0 ||
		len(req.Rows) > 0 || req.AsOf != nil || req.SeenPolicy != 0 || req.MinWriteToken != "" || req.Diversity != nil ||
		req.Policy != "" || req.Experiment != "" || req.Variant != "" {
		r.fault("page_token", "goes with subject, limit, include_items and explain alone: the list it continues was made with the rest")
	}
	limit := r.limit("limit", req.Limit, r.bounds.List, "max-list")
	if limit == 0 {
		limit = min(10, r.bounds.List)
	}
	return shop.PageQuery{Subject: r.subject(req.Subject), Token: req.PageToken, Limit: limit}
}
