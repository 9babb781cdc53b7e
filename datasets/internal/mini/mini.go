package mini

import (
	"context"
	"fmt"
	"os"
	"runtime"
)

// Options choose the size of the miniature sets and the start of their randomness.
type Options struct {
	Seed    uint64
	Classes int // number in the train split of each set, and as many in its test split
	Images  int // smallest number of images in a class; a class has up to 2 more
	Workers int // goroutines that draw; 0 stands for one per processor
}

// Default returns the options of the demonstration: 24 + 24 classes with 8 to 10 images each.
func Default() Options { return Options{Seed: 1, Classes: 24, Images: 8} }

// Validate returns an error for the first option that is out of its range.
func (o Options) Validate() error {
	switch {
	case o.Classes < 3 || o.Classes > 100: // VehicleID has three nested lists; the attributes tell 200 apart with ease
		return fmt.Errorf("mini: %d classes a split, want 3 to 100", o.Classes)
	case o.Images < 2 || o.Images > 98: // a class needs a pair; names have two digits
		return fmt.Errorf("mini: %d images a class, want 2 to 98", o.Images)
	case o.Workers < 0:
		return fmt.Errorf("mini: %d workers, want 0 or more", o.Workers)
	}
	return nil
}

// String describes the options that decide the bytes: all but the number of workers.
func (o Options) String() string {
	return fmt.Sprintf("seed %d, %d train and %d test classes, %d to %d images a class", o.Seed, o.Classes, o.Classes, o.Images, o.Images+2)
}

// set is one of the five miniature data sets.
type set struct {
	name   string
	folder string // published name of the top folder
	family family // what its images show
	write  func(ctx context.Context, f *folder) error
}

// sets returns the five in the order of their publication.
func sets() []set {
	return []set{
		{"cub", "CUB_200_2011", birds(), writeCUB},
		{"cars196", "stanford_cars", cars(), writeCars},
		{"sop", "Stanford_Online_Products", products(), writeSOP},
		{"inshop", "In-shop Clothes Retrieval Benchmark", garments(), writeInShop},
		{"vehicleid", "VehicleID_V1.0", vehicles(), writeVehicleID},
	}
}

// Write writes the five sets below dir, which it creates where it does not exist. A set appears
// under its name when it is whole. A set that is there already, written with the same options, is
// left alone; any other folder of its name is an error.
func Write(ctx context.Context, dir string, o Options) error {
	if err := o.Validate(); err != nil {
		return err
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("mini: %w", err)
	}
	for _, s := range sets() {
		if err := writeSet(ctx, dir, s, o); err != nil {
			return fmt.Errorf("mini: write %s: %w", s.name, err)
		}
	}
	return nil
}
