package runs

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// chosenBy makes the cells' models chosen ones.
func chosenBy(cells []fake, s Selection) []fake {
	for i := range cells {
		before := cells[i].change
		cells[i].change = func(c *Cell) {
			if before != nil {
				before(c)
			}
			one := s
			c.Selection = &one
			for j := range c.Evaluations {
				c.Evaluations[j].At = one.At()
			}
		}
	}
	return cells
}

// A model after the last step and a selected one are compared, and a footnote says which is which;
// a peeked one is compared with nothing, itself included.
func TestCompareChosen(t *testing.T) {
	validation := Selection{Rule: ByValidation, Step: 3}
	same := Selection{Rule: ByValidation, Step: 3, Optimistic: true}
	peeked := Selection{Rule: ByPeek, Step: 3, TestLooks: 11, Optimistic: true}
	last := func() []fake { return seeds("bier", 1, 2, 12, 0.5) }
	by := func(s Selection) func() []fake {
		return func() []fake { return chosenBy(last(), s) }
	}
	for _, tt := range []struct {
		name         string
		a, b         func() []fake
		at, atA      string
		note, reason string
	}{
		{"last and last", last, last, AtLast, "", "", ""},
		{
			"last and selected", last, by(validation), AtSelected, AtLast,
			"A is the model after the last step, B is the best model on validation classes", "",
		},
		{"selected and last", by(validation), last, AtLast, AtSelected, "B is the model after the last step", ""},
		{"selected and selected", by(validation), by(validation), AtSelected, "", "A and B are the best model on validation classes", ""},
		{
			"evaluated by what selects", last, by(same), AtSelected, AtLast,
			"B is evaluated on the images by which it was chosen: an optimistic number", "",
		},
		{"last and peek", last, by(peeked), AtPeek, AtLast, "", "B is chosen by its test results (peek, 11 test looks a seed): no verdict"},
		{
			"peek and selected", by(peeked), by(validation), AtSelected, AtPeek, "",
			"A is chosen by its test results (peek, 11 test looks a seed): no verdict",
		},
		{"peek and peek", by(peeked), by(peeked), AtPeek, "", "", "A is chosen by its test results"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := compareRuns(t, fakeRun(t, "a", tt.a()...), fakeRun(t, "b", tt.b()...))
			if tt.reason != "" {
				if len(d.Rows) != 1 || !strings.Contains(d.Rows[0].Reason, tt.reason) || d.Rows[0].At != tt.at ||
					d.Rows[0].AtA != tt.atA || d.Rows[0].Verdict != "" {
					t.Errorf("rows %+v; want one without a verdict: %s", d.Rows, tt.reason)
				}
				return
			}
			if len(d.Rows) == 0 {
				t.Fatal("no rows")
			}
			for _, r := range d.Rows {
				if r.Reason != "" || r.Verdict == "" || r.At != tt.at || r.AtA != tt.atA {
					t.Errorf("row %+v; want a verdict at %q against %q", r, tt.at, tt.atA)
				}
				notes := ""
				for _, n := range r.Notes {
					notes += d.Footnotes[n] + "\n"
				}
				if !strings.Contains(notes, tt.note) || tt.note == "" && strings.Contains(notes, "model") {
					t.Errorf("notes %q, want %q", notes, tt.note)
				}
			}
		})
	}
}

func TestSelectionLabel(t *testing.T) {
	validation, peeked := &Selection{Rule: ByValidation, Step: 300}, &Selection{Rule: ByPeek, Step: 40, TestLooks: 11, Optimistic: true}
	for _, tt := range []struct {
		want string
		of   []*Selection
	}{
		{"", nil},
		{"", []*Selection{nil, nil}},
		{"selected on validation classes (step 300)", []*Selection{validation}},
		{"selected on validation classes (steps 300, 300)", []*Selection{validation, validation}},
		{"selected on these validation classes (step 2), an optimistic number", []*Selection{{Rule: ByValidation, Step: 2, Optimistic: true}}},
		{"peek, 11 test looks (step 40)", []*Selection{peeked}},
		{"peek, 11 and 5 test looks a seed (steps 40, 9)", []*Selection{peeked, {Rule: ByPeek, Step: 9, TestLooks: 5}}},
	} {
		if got := SelectionLabel(tt.of...); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
	if got := []string{(*Selection)(nil).At(), validation.At(), peeked.At()}; !cmp.Equal(got, []string{"last", "selected", "peek"}) {
		t.Errorf("states %q", got)
	}
}

// The first of equals is the best: no later step is preferred without a gain.
func TestBest(t *testing.T) {
	look := func(step int, r1, ap float64) Look {
		return Look{Step: step, Metrics: map[string]float64{"R@1": r1, "MAP@R": ap}}
	}
	looks := []Look{look(1, 0.5, 0.2), look(2, 0.7, 0.4), look(3, 0.7, 0.4), look(4, 0.8, 0.3)}
	for metric, want := range map[string]int{"R@1": 4, "MAP@R": 2} {
		if best, ok := Best(looks, metric); !ok || best.Step != want {
			t.Errorf("%s: step %d, want %d", metric, best.Step, want)
		}
	}
	if _, ok := Best(nil, "R@1"); ok {
		t.Error("there is a best of no look")
	}
}

// Looks go on after a step as training steps do.
func TestOpenLooks(t *testing.T) {
	path := filepath.Join(t.TempDir(), looksFile)
	for _, tt := range []struct{ after, add int }{{0, 2}, {2, 4}, {3, 6}} { // the look of step 4 is dropped
		l, err := OpenLooks(path, tt.after)
		if err != nil {
			t.Fatal(err)
		}
		if err = l.Append(Look{Step: tt.add, Metrics: map[string]float64{"R@1": 0.5}}); err != nil {
			t.Fatal(err)
		}
		if err = l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	looks, err := ReadLooks(path)
	if err != nil || len(looks) != 2 || looks[0].Step != 2 || looks[1].Step != 6 {
		t.Errorf("looks %+v, %v; want those of steps 2 and 6", looks, err)
	}
}
