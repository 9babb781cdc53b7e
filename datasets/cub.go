package datasets

import (
	"context"
	"errors"
)

// cub is CUB-200-2011.
func cub() Set {
	return Set{
		Name: "cub", Title: "CUB-200-2011", Folders: []string{"CUB_200_2011"},
		Protocols: []Protocol{{ID: "cub-loo", Kind: KindLeaveOneOut, Recalls: []int{1, 2, 4, 8, 16, 32}}},
		Read:  readCUB,
		Looks: func(string) bool { return false },
	}
}

func readCUB(_ context.Context, _, _ string) (*Layout, error) {
	return nil, errors.New("cub: not read yet")
}
