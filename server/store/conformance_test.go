package store_test

import (
	"io"
	"log/slog"
	"testing"

	"github.com/kindred-rec/kindred/server/store"
	"github.com/kindred-rec/kindred/server/store/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(dir string, c storetest.Config) (*store.Store, error) {
		o := store.DefaultOptions()
		o.Now, o.MaxItems, o.MaxUsers = c.Now, c.MaxItems, c.MaxUsers
		o.Sync = false // durability has tests of its own
		o.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
		return store.Open(dir, o)
	})
}
