package transformer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/kindred-rec/kindred/embed/transformer/hub"
)

// Open loads a model by its name: a folder, as [Load] does, or owner/model on the hub,
// which from says how to get.
func Open(ctx context.Context, name string, from hub.Source, o Options) (*Encoder, error) {
	stat, err := os.Stat(name)
	switch {
	case err == nil && stat.IsDir():
		return Load(name, o)
	case err == nil:
		return nil, fmt.Errorf("transformer: %s is not a folder; name the folder of the model", name)
	case !errors.Is(err, fs.ErrNotExist) || !hub.IsModel(name):
		return nil, fmt.Errorf("transformer: model %.200q is neither a folder nor owner/model: %w", name, err)
	}
	dir, err := from.Fetch(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("transformer: there is no folder %s: %w", name, err)
	}
	return Load(dir, o)
}
