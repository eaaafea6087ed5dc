package histories

import (
	"fmt"
	"log/slog"
	"runtime"

	"github.com/kindred-rec/kindred/embed/bundle"
	"github.com/kindred-rec/kindred/embed/remote"
)

// Config says what a worker takes. Dir is required; a field's zero value means its default.
type Config struct {
	// Dir is where bundles lie and uploaded ones go. It is this worker's alone.
	Dir string

	// Keep is how many bundles an upload leaves in Dir, the newest, beside those in use;
	// Loaded how many are in memory beside those that open streams use. Default 8 and 2.
	Keep, Loaded int

	// BundleBytes bounds the files of a bundle. Default 4 GiB.
	BundleBytes int64

	// MaxUsers, MaxRequestEvents and MaxRequestBytes bound one request. Default 1,024, 65,536
	// and 8 MiB. A reply is within remote.MaxReplyBytes beside that.
	MaxUsers, MaxRequestEvents, MaxRequestBytes int

	// MaxTableItems and MaxTableBytes bound the items of one stream. Default 1,048,576 and
	// 512 MiB.
	MaxTableItems int
	MaxTableBytes int64

	// MaxStreams bounds the streams open at once, StreamWindow the requests of one that are
	// under way. Default 4 and 4. What streams hold is within MaxStreams * (MaxTableBytes +
	// StreamWindow * (MaxRequestBytes + 72 * MaxRequestEvents + remote.MaxReplyBytes)).
	MaxStreams, StreamWindow int

	// Load makes the encoder of a verified bundle, and Backend names what computes, for Info.
	// Default [InGo] on all processors, "go".
	Load    func(*bundle.Bundle) (Encoder, error)
	Backend string

	// Log gets faults of encoders, without any history. Default none.
	Log *slog.Logger
}

// maxTypes bounds the names of event types of a request.
const maxTypes = 1024

func (c Config) resolve() (Config, error) {
	if c.Dir == "" {
		return c, fmt.Errorf("%w: Dir is empty: name a folder for bundles", remote.ErrConfig)
	}
	if c.BundleBytes == 0 {
		c.BundleBytes = 4 << 30
	}
	if c.MaxTableBytes == 0 {
		c.MaxTableBytes = 512 << 20
	}
	if c.BundleBytes < 1 || c.MaxTableBytes < 1<<10 {
		return c, fmt.Errorf("%w: BundleBytes is %d and MaxTableBytes %d; want at least 1 and 1,024, or 0 for the default", remote.ErrConfig, c.BundleBytes, c.MaxTableBytes)
	}
	for _, setting := range []struct {
		name              string
		value             *int
		otherwise         int
		smallest, largest int
	}{
		{"Keep", &c.Keep, 8, 1, 1 << 16},
		{"Loaded", &c.Loaded, 2, 1, 1 << 10},
		{"MaxUsers", &c.MaxUsers, 1024, 1, 1 << 16},
		{"MaxRequestEvents", &c.MaxRequestEvents, 1 << 16, 1, 1 << 24},
		{"MaxRequestBytes", &c.MaxRequestBytes, 8 << 20, 128 << 10, 64 << 20},
		{"MaxTableItems", &c.MaxTableItems, 1 << 20, 1, 1 << 26},
		{"MaxStreams", &c.MaxStreams, 4, 1, 1 << 10},
		{"StreamWindow", &c.StreamWindow, 4, 1, 256},
	} {
		if *setting.value == 0 {
			*setting.value = setting.otherwise
		}
		if *setting.value < setting.smallest || *setting.value > setting.largest {
			return c, fmt.Errorf("%w: %s is %d; want %d to %d, or 0 for the default",
				remote.ErrConfig, setting.name, *setting.value, setting.smallest, setting.largest)
		}
	}
	if c.Load == nil {
		c.Load = InGo(runtime.GOMAXPROCS(0))
	}
	if c.Backend == "" {
		c.Backend = "go"
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c, nil
}
