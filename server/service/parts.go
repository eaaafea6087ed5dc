package service

import (
	"fmt"
	"path/filepath"

	"github.com/kindred-rec/kindred/embed"
	"github.com/kindred-rec/kindred/embed/static"
)

func defaultEncoder() (embed.Encoder, error) {
	e, err := static.Default()
	if err != nil {
		return nil, fmt.Errorf("embedded encoder: %w", err)
	}
	return e, nil
}

// ModelsDir is where the trained models of all tenants are kept, beside the files of the
// store.
func ModelsDir(data string) string { return filepath.Join(data, "models") }

// AuditDir is where the audit log is kept, beside the files of the store.
func AuditDir(data string) string { return filepath.Join(data, "audit") }

// indexDir is where index snapshots are kept, beside the files of the store.
func indexDir(data string) string { return filepath.Join(data, "index") }
