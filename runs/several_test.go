package runs

import (
	"encoding/json"
	"strings"
	"testing"
)

// Three runs are one table: each later run against the first, in the order given.
func TestCompareSeveral(t *testing.T) {
	a := fakeRun(t, "a", seeds("bier", 1, 3, 30, 0.5)...)
	b := fakeRun(t, "b", seeds("bier", 1, 3, 30, 0.95)...)
	c := fakeRun(t, "c", seeds("other", 1, 3, 30, 0.5)...)
	d, err := CompareSeveral(t.Context(), a, []*Run{b, c}, CompareOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range d.Rows {
		got = append(got, r.RunB+" "+r.B.Method+" "+r.Metric+" "+r.Verdict+r.Reason)
	}
	want := "b bier R@1 better|b bier MAP@R better|c bier  only run a has this group|c other  only run c has this group"
	if s := strings.Join(got, "|"); s != want {
		t.Errorf("rows\n%s\nwant\n%s", s, want)
	}
	if d.B != "b, c" || len(d.Others) != 2 {
		t.Errorf("B is %q, others %q", d.B, d.Others)
	}
	if _, err := CompareSeveral(t.Context(), a, []*Run{b, a}, CompareOptions{}); err == nil || !strings.Contains(err.Error(), "named twice") {
		t.Errorf("a run against itself among several: %v", err)
	}
	if two := compareRuns(t, a, b); two.Others != nil || two.Rows[0].RunB != "" {
		t.Errorf("a diff of two runs names several: %q", two.Others)
	}
}

// Class 0 gains 3 of its 5 queries, class 1 loses one, the other two stay.
func TestClasses(t *testing.T) {
	a, b := seeds("bier", 1, 1, 4, 0), seeds("bier", 1, 1, 4, 0)
	for i := range 3 {
		b[0].queries[i].Rank = 1
	}
	a[0].queries[9].Rank = 1
	c := compareRuns(t, fakeRun(t, "a", a...), fakeRun(t, "b", b...)).Rows[0].Classes
	if c == nil || c.Better != 1 || c.Worse != 1 || c.Equal != 2 || len(c.Largest) != 2 {
		t.Fatalf("classes %+v", c)
	}
	if got, want := c.Largest[0], (ClassChange{Class: 0, Queries: 5, B: 0.6, Delta: 0.6, Gained: 3}); got != want {
		t.Errorf("gain %+v, want %+v", got, want)
	}
	if got, want := c.Largest[1], (ClassChange{Class: 1, Queries: 5, A: 0.2, Delta: -0.2, Lost: 1}); got != want {
		t.Errorf("loss %+v, want %+v", got, want)
	}
}

func TestConfigurations(t *testing.T) {
	with := func(cells []fake, config string) []fake {
		for i := range cells {
			cells[i].change = func(c *Cell) { c.Config = json.RawMessage(config) }
		}
		return cells
	}
	d := compareRuns(t,
		fakeRun(t, "a", with(seeds("bier", 1, 2, 12, 0.5), `{"seed":1,"learners":[12, 20],"loss":{"alpha":2,"beta":0.5},"steps":400}`)...),
		fakeRun(t, "b", with(seeds("bier", 1, 2, 12, 0.5), `{"seed":7,"learners":[12,20],"loss":{"alpha":3,"beta":0.5},"steps":400}`)...))
	want := `--- A
+++ B
@@ -2,5 +2,5 @@
   "learners": [12,20],
   "loss": {
-    "alpha": 2,
+    "alpha": 3,
     "beta": 0.5
   },
`
	if len(d.Configurations) != 1 {
		t.Fatalf("%d differences, want 1: %+v", len(d.Configurations), d.Configurations)
	}
	got := d.Configurations[0]
	if got.Unified != want {
		t.Errorf("unified diff\n%s\nwant\n%s", got.Unified, want)
	}
	if len(got.Rows) != 2 {
		t.Errorf("rows %v, want both metrics", got.Rows)
	}
}
