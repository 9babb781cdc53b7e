package datasets

import (
	"context"

	"bierbench/datasets/internal/mini"
)

// MiniRelease is the custom release name of the miniature sets.
const MiniRelease = "mini"

// MiniOptions say how large the miniature raw data sets are. The bytes depend on all of them but Workers.
type MiniOptions struct {
	Seed    uint64
	Classes int // of the train split and as many of the test split, for each set; 3 to 100
	Images  int // fewest images of a class, 2 to 98; a class has up to 2 more
	Workers int // goroutines that draw; 0 is one per processor
}

// DefaultMini returns 24 + 24 classes of 8 to 10 images.
func DefaultMini() MiniOptions { return MiniOptions(mini.Default()) }

// WriteMini writes miniature raw data sets of all five layouts under dir, each in a folder of its published name, with
// generated images: what demonstrations and tests ingest, with Custom set to MiniRelease. In CUB and Cars the first
// half of the classes is the train split; the other lists say it themselves. Sets that are there already with the same
// options are kept; a folder of such a name that holds anything else is an error and is not touched.
func WriteMini(ctx context.Context, dir string, o MiniOptions) error {
	return mini.Write(ctx, dir, mini.Options(o))
}
