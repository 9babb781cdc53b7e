package datasets

import (
	"context"

	"bierbench/datasets/internal/mini"
)

// MiniRelease is the custom release name of the miniature data sets.
const MiniRelease = "mini"

// MiniOptions choose the size of the miniature raw data sets. The bytes depend on all options but
// Workers.
type MiniOptions struct {
	Seed    uint64
	Classes int // number in the train split of each set, and as many in its test split; 3 to 100
	Images  int // smallest number of images in a class, 2 to 98; a class has up to 2 more
	Workers int // goroutines that draw; 0 stands for one per processor
}

// DefaultMini returns the options for 24 + 24 classes of 8 to 10 images.
func DefaultMini() MiniOptions { return MiniOptions(mini.Default()) }

// WriteMini writes miniature raw data sets in the five published layouts below dir, each in a
// folder of its published name. Their images are generated. Demonstrations and tests ingest them,
// with Custom set to MiniRelease. In CUB and Cars the first half of the classes is the train split;
// the lists of the other sets name the split.
//
// A set that is there already with the same options is kept. A folder of such a name that holds
// anything else is an error and is not touched.
func WriteMini(ctx context.Context, dir string, o MiniOptions) error {
	return mini.Write(ctx, dir, mini.Options(o))
}

// ScaleRelease is the custom release name of the raw data sets of published size.
const ScaleRelease = mini.ScaleRelease

// ScaleOptions choose raw data sets of published size, and a part of it for tests.
type ScaleOptions = mini.ScaleOptions

// ScaleSets returns the names of the sets that WriteScale can write.
func ScaleSets() []string { return mini.ScaleSets() }

// WriteScale writes raw data sets with as many rows as the published ones below dir, to measure with:
// Stanford Online Products with all of its images, and PKU VehicleID with one in ten, of about 500 x 400
// pixels. They are 240 drawings, encoded once; files differ in a comment segment, and so in their
// digests. Both are ingested with Custom set to ScaleRelease.
func WriteScale(ctx context.Context, dir string, o ScaleOptions) error {
	return mini.Scale(ctx, dir, o)
}
