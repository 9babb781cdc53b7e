package datasets

import (
	"context"
	"errors"
)

// inshop is DeepFashion In-Shop.
func inshop() Set {
	return Set{
		Name: "inshop", Title: "DeepFashion In-Shop", Folders: []string{"In-shop Clothes Retrieval Benchmark"},
		Protocols: []Protocol{{ID: "inshop-qg", Kind: KindQueryGallery, Recalls: []int{1, 10, 20, 30, 40, 50}}},
		Read:  readInShop,
		Looks: func(string) bool { return false },
	}
}

func readInShop(_ context.Context, _, _ string) (*Layout, error) {
	return nil, errors.New("inshop: not read yet")
}
