package datasets_test

import (
	"context"
	"fmt"
	"os"

	"bierbench/datasets"
)

// Raw data sets in the published layouts are ingested once and then opened. The raw ones here are
// generated; with the published CUB-200-2011, Raw is its folder and Custom stays empty.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "datasets-example-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if err = datasets.WriteMini(ctx, dir, datasets.MiniOptions{Seed: 1, Classes: 3, Images: 2}); err != nil {
		panic(err)
	}

	set, err := datasets.Lookup("cub")
	if err != nil {
		panic(err)
	}
	o := datasets.DefaultIngestOptions()
	o.Raw, o.Out, o.Custom = dir, dir+"/datasets", datasets.MiniRelease
	manifest, folder, err := datasets.Ingest(ctx, set, o)
	if err != nil {
		panic(err)
	}
	fmt.Println(manifest.Variant)

	data, err := datasets.Open(folder)
	if err != nil {
		panic(err)
	}
	defer data.Close()
	fmt.Println(data.Len(), "images")
	for _, split := range []datasets.Split{datasets.Train, datasets.Test} {
		fmt.Println(split, len(data.Rows(split)), "images of", manifest.Classes[string(split)], "classes")
	}
	pixels := make([]uint8, 32*32*3)
	if err := data.Pixels(0, datasets.View{Size: 32}, pixels); err != nil {
		panic(err)
	}
	// Output:
	// mini-s256-jpeg
	// 16 images
	// train 7 images of 3 classes
	// test 9 images of 3 classes
}

// A name on the command line or in a suite means a set, or one of its prepared variants.
func ExampleLookupVariant() {
	for _, name := range []string{"cub", "sop/grocery", "birds"} {
		set, variant, err := datasets.LookupVariant(name)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Printf("%s %q\n", set.Title, variant)
	}
	// Output:
	// CUB-200-2011 ""
	// Stanford Online Products "grocery"
	// unknown data set "birds", want one of cub, cars196, sop, inshop, vehicleid, folder, csv, parquet
}
