package api

import (
	"context"
	"fmt"

	kindredv1 "github.com/kindred-rec/kindred/proto/kindred/v1"
	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/shop"
)

// replacement reads what the options say of a replacement.
func (r *importRun) replacement(o *kindredv1.ImportOptions) error {
	r.how = shop.Replacement{
		Dry: o.DryRun, RemovalShare: -1, ConfirmRemoval: -1, ImpactUsers: int(o.ImpactUsers), Seed: o.Seed,
	}
	if o.ConfirmDropShare != nil {
		r.how.RemovalShare = o.GetConfirmDropShare()
		if !(r.how.RemovalShare >= 0 && r.how.RemovalShare <= 1) {
			return invalid(violation{"options.confirm_drop_share", fmt.Sprintf("is %v: give 0 to 1", r.how.RemovalShare)})
		}
	}
	if o.ConfirmRemoval != nil {
		if r.how.ConfirmRemoval = o.GetConfirmRemoval(); r.how.ConfirmRemoval < 0 {
			return invalid(violation{"options.confirm_removal", fmt.Sprintf("is %d: give the number of items that may go, 0 or more", r.how.ConfirmRemoval)})
		}
	}
	if o.ImpactUsers < 0 || o.ImpactUsers > shop.MaxImpactUsers {
		return invalid(violation{"options.impact_users", fmt.Sprintf("is %d: give 1 to %d, or 0 for none", o.ImpactUsers, shop.MaxImpactUsers)})
	}
	if o.ImpactUsers > 0 && !(o.DryRun && r.replace) {
		return invalid(violation{"options.impact_users", "is of a dry run of REPLACE: set dry_run and that mode, or leave it out"})
	}
	return nil
}

// whole takes the stream as the whole catalog.
func (r *importRun) whole() error {
	done, err := r.shop.Replace(r.stream.Context(), r.how, func(stage func([]record.Mutation) ([]record.Outcome, error)) error {
		err := r.rows(func(b *batch) (*kindredv1.RowCounts, error) {
			outcomes, err := stage(b.good)
			if err != nil {
				return nil, r.service.statusOf(r.stream.Context(), err)
			}
			counts, _ := b.answer(outcomes)
			return counts, nil
		})
		if err == nil && r.reply.Counts.Rejected > 0 && !r.dry {
			return r.refuse(r.mend())
		}
		return err
	})
	if err != nil {
		return r.service.statusOf(r.stream.Context(), err)
	}
	rejected := r.reply.Counts.Rejected
	r.reply.Counts = countsToWire(&done.Counts)
	r.reply.Counts.Rejected = max(rejected, done.Counts.Refused)
	r.reply.AddedSample, r.reply.ChangedSample, r.reply.RemovedSample = done.Samples.Added, done.Samples.Changed, done.Samples.Removed
	r.reply.Refusal, r.reply.Impact = done.Refusal, impactToWire(done.Impact)
	if r.dry && rejected > 0 {
		r.reply.Refusal = r.mend()
	}
	if !r.dry {
		r.reply.WriteToken = r.shop.FormatToken(done.Token)
	}
	return nil
}

// mend names the first bad row.
func (r *importRun) mend() string {
	first := r.reply.Errors[0]
	return fmt.Sprintf("%d rows had errors, the first one row %d (id %.40q): %s; so nothing was changed: mend them and import again",
		r.reply.Counts.Rejected, first.Row, first.Id, first.Description)
}

func (r *importRun) refuse(why string) error {
	return preconditionFailed("import", r.reply.ImportId, why)
}

func countsToWire(c *shop.ReplacedCounts) *kindredv1.RowCounts {
	return &kindredv1.RowCounts{
		Added: c.Added, Changed: c.Changed, Unchanged: c.Unchanged, Stale: c.Stale, Removed: c.Removed, Rejected: c.Refused,
	}
}

func impactToWire(in *shop.Impact) *kindredv1.ImportImpact {
	if in == nil {
		return nil
	}
	n := float64(max(1, in.Users))
	out := &kindredv1.ImportImpact{
		Users: int32(in.Users), ChangedShare: float64(in.Changed) / n, LeavingMean: float64(in.LeavingPlaces) / n,
	}
	for _, x := range in.Leaving {
		out.Leaving = append(out.Leaving, &kindredv1.ImpactItem{ItemId: x.ID, Lists: int32(x.Count)})
	}
	for _, x := range in.Entering {
		out.Entering = append(out.Entering, &kindredv1.ImpactItem{ItemId: x.ID, Lists: int32(x.Count)})
	}
	return out
}

func (s *catalogService) RollbackCatalog(ctx context.Context, req *kindredv1.RollbackCatalogRequest) (*kindredv1.RollbackCatalogResponse, error) {
	sh, err := s.shop(ctx)
	if err != nil {
		return nil, err
	}
	done, err := sh.RollbackCatalog(ctx, req.DryRun)
	if err != nil {
		return nil, s.statusOf(ctx, err)
	}
	resp := &kindredv1.RollbackCatalogResponse{
		ImportId: done.ID, ImportTime: stampOf(done.Time), Counts: countsToWire(&done.Counts), CatalogItems: sh.CatalogItems(),
	}
	if !req.DryRun {
		resp.WriteToken = sh.FormatToken(done.Token)
	}
	return resp, nil
}
