package pipeline

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bierbench/models/retrieval"
)

// Worked by hand from the rule: powers of two from 64, the ends of learners, the whole. Only parts
// that end inside a learner get unit length.
func TestVectorParts(t *testing.T) {
	part := func(dimensions, learners int, unit bool) vectorPart {
		return vectorPart{retrieval.Compression{Dimensions: dimensions, Unit: unit}, learners}
	}
	for name, tt := range map[string]struct {
		width    int
		learners []int
		want     []vectorPart
	}{
		"one learner":               {512, []int{512}, []vectorPart{part(64, 0, true), part(128, 0, true), part(256, 0, true), part(512, 0, false)}},
		"the papers' three":         {512, []int{96, 160, 256}, []vectorPart{part(64, 0, true), part(96, 1, false), part(128, 0, true), part(256, 2, false), part(512, 3, false)}},
		"features":                  {100, []int{100}, []vectorPart{part(64, 0, true), part(100, 0, false)}},
		"too small to be made less": {64, []int{64}, []vectorPart{part(64, 0, false)}},
		"a small ensemble":          {24, []int{8, 16}, []vectorPart{part(8, 1, false), part(24, 2, false)}},
	} {
		if got := vectorParts(tt.width, tt.learners, false); slices.ContainsFunc(got, func(p vectorPart) bool { return p.Unit }) {
			t.Errorf("%s: a part gets unit length where lengths count: %+v", name, got)
		}
		if diff := cmp.Diff(tt.want, vectorParts(tt.width, tt.learners, true), cmp.AllowUnexported(vectorPart{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
