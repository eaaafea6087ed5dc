package backup

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/kindred-rec/kindred/server/record"
	"github.com/kindred-rec/kindred/server/store"
)

// BenchmarkBackup takes a full backup of 100,000 events of 5,000 users, then one of 1,000
// more, restores both and verifies what came of it.
func BenchmarkBackup(b *testing.B) {
	o := store.DefaultOptions()
	o.Sync, o.Logger = false, slog.New(slog.DiscardHandler)
	s, err := store.Open(b.TempDir(), o)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if _, err := s.CreateTenant(b.Context(), record.Tenant{Name: "shop"}); err != nil {
		b.Fatal(err)
	}
	tenant, err := s.Tenant("shop")
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	write := func(events int) {
		var batch []record.Mutation
		for range events {
			n++
			batch = append(batch, record.Mutation{Event: &record.Event{
				ID: fmt.Sprintf("event-%d", n), User: fmt.Sprint("user-", n*7919%5000), Item: fmt.Sprint("item-", n*104729%2000), Type: record.TypeView, Time: time.Now(),
			}})
			if len(batch) == 1000 {
				if _, _, err := tenant.Append(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
				batch = nil
			}
		}
	}
	write(100_000)
	for b.Loop() {
		dir, data := b.TempDir(), filepath.Join(b.TempDir(), "new")
		var seconds [4]float64
		timed := func(i int, fn func() error) {
			begin := time.Now()
			if err := fn(); err != nil {
				b.Fatal(err)
			}
			seconds[i] = time.Since(begin).Seconds()
		}
		var full, more *Manifest
		timed(0, func() (err error) { full, err = Take(b.Context(), dir, Local{Store: s}, TakeOptions{}); return err })
		write(1000)
		timed(1, func() (err error) { more, err = Take(b.Context(), dir, Local{Store: s}, TakeOptions{}); return err })
		timed(2, func() error {
			_, err := Restore(b.Context(), RestoreOptions{From: dir, Data: data, Store: o})
			return err
		})
		restored, err := store.Open(data, o)
		if err != nil {
			b.Fatal(err)
		}
		timed(3, func() error {
			v, err := restored.Verify(b.Context(), nil)
			if err == nil && !v.Whole() {
				err = fmt.Errorf("faults %v", v.Faults)
			}
			return err
		})
		if err := restored.Close(); err != nil {
			b.Fatal(err)
		}
		for i, name := range []string{"s/full", "s/more", "s/restore", "s/verify"} {
			b.ReportMetric(seconds[i], name)
		}
		b.ReportMetric(float64(full.Bytes())/1e6, "MB/full")
		b.ReportMetric(float64(more.Bytes())/1e6, "MB/more")
	}
}
