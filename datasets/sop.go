package datasets

import (
	"context"
	"errors"
)

// sop is Stanford Online Products.
func sop() Set {
	return Set{
		Name: "sop", Title: "Stanford Online Products", Folders: []string{"Stanford_Online_Products"},
		Protocols: []Protocol{{ID: "sop-loo", Kind: KindLeaveOneOut, Recalls: []int{1, 10, 100, 1000}}},
		Read:  readSOP,
		Looks: func(string) bool { return false },
	}
}

func readSOP(_ context.Context, _, _ string) (*Layout, error) {
	return nil, errors.New("sop: not read yet")
}
