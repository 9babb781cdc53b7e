package datasets

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLookup(t *testing.T) {
	var names []string
	for _, s := range All() {
		names = append(names, s.Name)
		got, err := Lookup(s.Name)
		if err != nil || got.Title != s.Title {
			t.Errorf("%s: got %s, %v", s.Name, got.Title, err)
		}
		if s.Title == "" || len(s.Protocols) == 0 || s.Own() == (len(s.Folders) > 0 || s.Read != nil || s.Looks != nil) {
			t.Errorf("%s: %+v", s.Name, s)
		}
	}
	if _, err := Lookup("mnist"); err == nil || !strings.Contains(err.Error(), strings.Join(names, ", ")) {
		t.Errorf("got %v", err)
	}
}

// The K of R@K and the ids are those of the papers and of the report's rows.
func TestProtocols(t *testing.T) {
	var got []string
	for _, s := range All()[:4] {
		for _, p := range s.Protocols {
			got = append(got, fmt.Sprint(p.ID, " ", p.Kind, " ", p.List, " ", p.Recalls))
		}
	}
	want := []string{
		"cub-loo loo 0 [1 2 4 8 16 32]", "cars196-loo loo 0 [1 2 4 8 16 32]", "sop-loo loo 0 [1 10 100 1000]",
		"inshop-qg qg 0 [1 10 20 30 40 50]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestFormatError(t *testing.T) {
	if got := (&FormatError{File: "a.txt", Line: 3, Msg: "want 1, got 2"}).Error(); got != "a.txt:3: want 1, got 2" {
		t.Error(got)
	}
	if got := (&FormatError{File: "a.mat", Msg: "cut"}).Error(); got != "a.mat: cut" {
		t.Error(got)
	}
}

func TestReadCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, files := range map[string]rawFiles{
		"cub": cubFiles([]int{2, 1}, 1), "cars196": papersFiles(), "sop": sopFiles(3, []int{2}, []int{2}),
		"inshop": inshopFiles(someGarments()), "vehicleid": someVehicles(),
	} {
		set, err := Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := readFolder(ctx, set, files.write(t), "mini"); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
