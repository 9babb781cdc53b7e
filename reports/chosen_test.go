package reports

import (
	"bytes"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"bierbench/runs"
)

// chosenSample is the sample's baseline of two seeds three times: as it is, with a model that was
// selected, and with one that was peeked at. The label says nothing of how.
func chosenSample() loadedRun {
	whole := sample()
	s := loadedRun{record: whole.record, steps: map[runs.Key][]runs.TrainStep{}, diff: chosenDiff()}
	s.record.Cells = nil
	for _, c := range whole.cells {
		if c.Dataset != "cub" || c.Method != "bier" && c.Method != "baseline" || c.Seed == 3 {
			continue
		}
		methods := []string{c.Method}
		if c.Method == "bier" {
			methods = []string{"chosen", "looked"}
		}
		for _, method := range methods {
			c.Method = method
			switch method {
			case "chosen":
				c.Selection = &runs.Selection{Rule: runs.ByValidation, Metric: "MAP@R", Classes: 5, Images: 40, Step: 100 * c.Seed}
			case "looked":
				c.Selection = &runs.Selection{Rule: runs.ByPeek, Metric: "MAP@R", Classes: 12, Images: 1234, Step: 300, TestLooks: 11, Optimistic: true}
			}
			if c.Selection != nil {
				c.Selection.Looks = []runs.Look{{Step: c.Selection.Step, Metrics: map[string]float64{"R@1": 0.5, "MAP@R": 0.25}, Seconds: 0.5}}
				e := c.Evaluations[0]
				e.At = c.Selection.At()
				c.Evaluations = []runs.Evaluation{e}
				c.Timing = map[string]float64{"train": 12, "select": 3, "total": 16}
			}
			s.cells, s.record.Cells = append(s.cells, c), append(s.record.Cells, c.Key)
			s.steps[c.Key] = whole.steps[runs.Key{Group: runs.Group{
				Dataset: "cub", Variant: c.Variant, Backbone: c.Backbone, Mode: c.Mode, Method: "bier", Size: c.Size,
			}, Seed: c.Seed}][:4]
		}
	}
	return s
}

// chosenDiff is the comparison of chosenSample: the selected method has a verdict, the peeked one
// has none.
func chosenDiff() *runs.Diff {
	whole := sampleDiff()
	d := &runs.Diff{Schema: runs.Schema, A: "sample", B: "sample", Base: "baseline", Footnotes: []string{
		"A is the model after the last step, B is the best model on validation classes, which it was not trained on",
	}}
	selected, peeked := whole.Rows[0], whole.Rows[0]
	selected.B.Method, selected.At, selected.AtA, selected.Notes = "chosen", runs.AtSelected, runs.AtLast, []int{0}
	peeked = runs.Comparison{
		A: peeked.A, B: peeked.B, Protocol: peeked.Protocol, At: runs.AtPeek, AtA: runs.AtLast, SeedsA: []int{1, 2}, SeedsB: []int{1, 2},
		Reason: "B is chosen by its test results (peek, 11 test looks a seed): no verdict, and its queries are not kept",
	}
	peeked.B.Method = "looked"
	d.Rows = []runs.Comparison{selected, peeked}
	return d
}

// Every output says for each row whether its model was selected or peeked at, at which steps, and how
// often the test images were looked at.
func TestChosenGolden(t *testing.T) {
	r := assemble([]loadedRun{chosenSample()}, sampleOptions())
	d := chosenDiff()
	for _, c := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"chosen.txt", r.Text},
		{"chosen.md", r.Markdown},
		{"chosen.csv", r.CSV},
		{"chosen.tex", r.LaTeX},
		{"chosen.json", r.headlines(whole)[0].JSON},
		{"chosen.html", r.HTML},
		{"chosen-diff.txt", func(w io.Writer) error { return DiffText(d, w) }},
		{"chosen-diff.md", func(w io.Writer) error { return DiffMarkdown(d, w) }},
		{"chosen-diff.json", func(w io.Writer) error { return DiffJSON(d, w) }},
		{"chosen-diff.html", func(w io.Writer) error { return DiffHTML(d, nil, nil, w) }},
		{"report.json", r.JSON},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := c.write(&b); err != nil {
				t.Fatal(err)
			}
			wanted := []string{"peek, 11 test looks a seed", "selected"}
			if !strings.Contains(c.name, "diff") {
				wanted = append(wanted, "peek, 11 test looks a seed (steps 300, 300)", "selected on validation classes (steps 100, 200)")
			}
			for _, want := range wanted {
				if !strings.Contains(b.String(), want) {
					t.Errorf("no %q", want)
				}
			}
			if ext := filepath.Ext(c.name); ext != ".html" && c.name != "report.json" { // these are long, and have goldens of their own
				golden(t, c.name, c.write)
			}
		})
	}
}
