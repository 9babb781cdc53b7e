package retrieval

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bierbench/models/internal/modelstest"
)

// compressedCase is a search as testdata/compressed.py reads and writes it.
type compressedCase struct {
	Name          string            `json:"name"`
	Queries       [][]float32       `json:"queries"`
	QueryLabels   []int32           `json:"query_labels"`
	Gallery       [][]float32       `json:"gallery,omitempty"`
	GalleryLabels []int32           `json:"gallery_labels,omitempty"`
	Recalls       []int             `json:"recalls"`
	Parts         []compressedPart  `json:"parts"`
	Results       []compressedFound `json:"results,omitempty"` // of each part
}

type compressedPart struct {
	Dimensions int    `json:"dimensions"`
	Form       string `json:"form"`
	Unit       bool   `json:"unit"`
}

type compressedFound struct {
	Metrics map[string]float64    `json:"metrics"`
	Bounds  map[string][2]float64 `json:"bounds"`
}

// compareCompressed evaluates every part of a case and compares with what numpy found. Metrics are
// means of exact fractions, so they may differ by the rounding of sums alone.
func compareCompressed(t *testing.T, c compressedCase, want []compressedFound) {
	t.Helper()
	const rounding = 1e-12
	if len(want) != len(c.Parts) || len(want) == 0 {
		t.Fatalf("%d results of %d parts", len(want), len(c.Parts))
	}
	s := dialectCase{
		Queries: c.Queries, QueryLabels: c.QueryLabels, Gallery: c.Gallery, GalleryLabels: c.GalleryLabels, Recalls: c.Recalls,
	}.search()
	for i, p := range c.Parts {
		got, err := RetrieveCompressed(t.Context(), modelstest.Backend(t), s, Compression(p))
		if err != nil {
			t.Errorf("%+v: %v", p, err)
			continue
		}
		if len(got.Metrics) != len(want[i].Metrics) || len(got.Metrics) < 3 {
			t.Errorf("%+v: metrics %v; want %v", p, got.Metrics, want[i].Metrics)
		}
		for name, w := range want[i].Metrics {
			g, bounds, wants := got.Metrics[name], got.Bounds[name], want[i].Bounds[name]
			if math.Abs(g-w) > rounding || math.Abs(bounds[0]-wants[0]) > rounding || math.Abs(bounds[1]-wants[1]) > rounding {
				t.Errorf("%+v: %s is %.9g within %v; want %.9g within %v", p, name, g, bounds, w, wants)
			}
		}
	}
}

// The expected numbers were computed by testdata/compressed.py with numpy. Bits tie often, so their
// bounds are apart.
func TestCompressedAgainstNumpy(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "compressed.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		By    string
		Cases []compressedCase
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) != 3 || !strings.HasPrefix(file.By, "numpy") {
		t.Fatalf("%d cases by %q", len(file.Cases), file.By)
	}
	for _, c := range file.Cases {
		t.Run(c.Name, func(t *testing.T) { compareCompressed(t, c, c.Results) })
	}
}

// All dimensions as float32 are what Retrieve searches: the same bits.
func TestCompressedWhole(t *testing.T) {
	s := randomSearch(rand.New(rand.NewPCG(4, 2)), 70, 9, 11)
	want, err := Retrieve(t.Context(), modelstest.Backend(t), s)
	if err != nil {
		t.Fatal(err)
	}
	got, err := RetrieveCompressed(t.Context(), modelstest.Backend(t), s, Compression{Dimensions: 9, Form: Float32})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// 1,100 numbers of one size are all 127 as int8: their product, 1,100 * 127^2 = 17.7 million, is above
// 2^24, where float32 would round. It is then summed in int32. The reference sums in int64.
func TestCompressedWide(t *testing.T) {
	const n, width = 12, 1100
	random := rand.New(rand.NewPCG(6, 6))
	s := Search{Width: width, SelfExcluded: true, Recalls: []int{1}, Nearest: n}
	for i := range n {
		s.QueryIDs = append(s.QueryIDs, int64(i))
		s.QueryClasses = append(s.QueryClasses, int32(i%3))
		for range width {
			s.Queries = append(s.Queries, float32(1-2*random.IntN(2))*0.25)
		}
	}
	s.Gallery, s.GalleryIDs, s.GalleryClasses = s.Queries, s.QueryIDs, s.QueryClasses
	c := Compression{Dimensions: width, Form: Int8}
	if p := c.pack(s.Queries, width); exactInFloat32(p, p) {
		t.Fatal("the case is too small for the test")
	}
	got, err := RetrieveCompressed(t.Context(), modelstest.Backend(t), s, c)
	if err != nil {
		t.Fatal(err)
	}
	for q, r := range got.Queries {
		for at, id := range r.NearestIDs {
			sum := int64(0)
			for j := range width {
				sum += int64(s.Queries[q*width+j]*508) * int64(s.Queries[int(id)*width+j]*508)
			}
			if want := float32(sum) * float32(0.25/127); r.NearestScores[at] != want {
				t.Errorf("score of %d and %d: %g, want %g", q, id, r.NearestScores[at], want)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := RetrieveCompressed(ctx, modelstest.Backend(t), s, c); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Worked by hand: 127 v / 0.5 of 0.5, -0.25, 0.1 is 127, -63.5, 25.4; halves go to the even number. A
// vector of zeros stays, at any length that it is to have.
func TestPack(t *testing.T) {
	values := []float32{0.5, -0.25, 0.1, 9, 0, 0, 0, 9}
	for _, tt := range []struct {
		c      Compression
		want   []float32
		scales []float32
		bytes  int
	}{
		{Compression{3, Int8, false}, []float32{127, -64, 25, 0, 0, 0}, []float32{0.5 / 127, 0}, 7},
		{Compression{3, Int8, true}, []float32{127, -64, 25, 0, 0, 0}, []float32{float32(0.5 / math.Sqrt(0.3225) / 127), 0}, 7},
		{Compression{3, Bits, true}, []float32{1, -1, 1, -1, -1, -1}, nil, 1},
		{Compression{2, Float32, false}, []float32{0.5, -0.25, 0, 0}, nil, 8},
		{Compression{4, Bits, false}, []float32{1, -1, 1, 1, -1, -1, -1, 1}, nil, 1},
	} {
		got := tt.c.pack(values, 4)
		near := cmp.Comparer(func(a, b float32) bool { return math.Abs(float64(a-b)) < 1e-8 }) // the length is summed in float64
		if diff := cmp.Diff(tt.want, got.values) + cmp.Diff(tt.scales, got.scales, near); diff != "" || tt.c.Bytes() != tt.bytes {
			t.Errorf("%+v: %d bytes, want %d (-want +got):\n%s", tt.c, tt.c.Bytes(), tt.bytes, diff)
		}
	}
}

func TestCompressedRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		c    Compression
		want string
	}{
		"no dimension":  {Compression{0, Bits, false}, "want at least 1"},
		"more than are": {Compression{4, Bits, false}, "no more than there are"},
		"another form":  {Compression{3, "int4", false}, "not one of float32, int8, bits"},
	} {
		s := randomSearch(rand.New(rand.NewPCG(1, 1)), 6, 3, 2)
		if _, err := RetrieveCompressed(t.Context(), modelstest.Backend(t), s, tt.c); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want an error with %q", name, err, tt.want)
		}
	}
}
