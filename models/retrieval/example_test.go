package retrieval_test

import (
	"context"
	"fmt"
	"log/slog"

	"bierbench/models/cache"
	"bierbench/models/retrieval"
	"bierbench/models/xla"
)

// Embeddings of four images of two classes are scored leave-one-out: each is a query among the
// other three. Images 2 and 4 lie nearest to each other, across the classes.
func ExampleRetrieve() {
	ctx := context.Background()
	backend, err := xla.Open(ctx, xla.Options{Config: xla.Go, Devices: 1}, cache.Cache{}, slog.New(slog.DiscardHandler))
	if err != nil {
		panic(err)
	}
	defer backend.Finalize()
	vectors := []float32{
		1, 0,
		0.8, 0.6,
		0, 1,
		0.6, 0.8,
	}
	ids, classes := []int64{1, 2, 3, 4}, []int32{7, 7, 8, 8}
	r, err := retrieval.Retrieve(ctx, backend, retrieval.Search{
		Queries: vectors, Gallery: vectors, Width: 2,
		QueryIDs: ids, GalleryIDs: ids, QueryClasses: classes, GalleryClasses: classes,
		SelfExcluded: true, Recalls: []int{1, 2}, Nearest: 1,
	})
	if err != nil {
		panic(err)
	}
	fmt.Printf("R@1 %.2f, R@2 %.2f\n", r.Metrics["R@1"], r.Metrics["R@2"])
	for _, q := range r.Queries {
		fmt.Println("image", q.ID, "finds", q.NearestIDs[0], "first and its class at rank", q.Rank)
	}
	// Output:
	// R@1 0.50, R@2 1.00
	// image 1 finds 2 first and its class at rank 1
	// image 2 finds 4 first and its class at rank 2
	// image 3 finds 4 first and its class at rank 1
	// image 4 finds 2 first and its class at rank 2
}
