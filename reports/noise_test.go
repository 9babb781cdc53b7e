package reports

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"bierbench/runs"
)

// sampleNoise is invented: a row with everything, one of two seeds without a partner, and one of
// one seed.
func sampleNoise() []runs.SeedNoise {
	row := func(dataset, variant, protocol string) runs.SeedNoise {
		return runs.SeedNoise{
			Run: "sample", Group: runs.Group{Dataset: dataset, Variant: variant, Backbone: "convnet", Mode: "frozen"},
			Protocol: protocol, At: runs.AtLast, Metric: recallAt1, Classes: 100, Queries: 1234, LeftOut: []string{},
			Splits: []runs.Split{}, Needed: []runs.Need{},
		}
	}
	whole, alone, single := row("cub", "mini+box-s64-jpeg", "cub-loo+box+mini"), row("sop", "mini-s64-jpeg", "sop-loo+mini"),
		row("inshop", evilVariant, "inshop-qg+a|b")
	whole.Configurations, whole.Fewest, whole.Most, whole.Alike, whole.Single = 12, 4, 5, 1, 2
	whole.LeftOut = []string{evilMethod + ": no query has a positive", "b: x", "c: y", "d: z"}
	whole.SD, whole.Low, whole.High, whole.Freedom, whole.Correlation, whole.Smallest, whole.Largest = 0.0031, 0.0026, 0.0038,
		43.5, 0.05, 0.0012, 0.0064
	whole.ClassSD, whole.Pairs = 0.0025, 11
	whole.Splits = []runs.Split{
		{Seeds: 1, Configurations: 12, Splits: 120, All: true, SD: 0.0044, Within95: 0.0088, Largest: 0.0141, Verdicts: 7},
		{Seeds: 2, Configurations: 12, Splits: 96, SD: 0.0031, Within95: 0.0061, Largest: 0.0099, Verdicts: 3},
	}
	whole.Needed = []runs.Need{
		{Difference: 0.0025, Power: 0.13},
		{Difference: 0.01, Seeds: 7, Power: 0.81},
		{Difference: 0.04, Seeds: 2, Power: 0.99},
	}
	whole.Found = 0.0118
	alone.Configurations, alone.Fewest, alone.Most, alone.Classes = 1, 2, 2, 4
	alone.SD, alone.Low, alone.High, alone.Freedom, alone.Smallest, alone.Largest = 0.01, 0.0045, 0.3, 1, 0.01, 0.01
	alone.Splits = []runs.Split{{Seeds: 1, Configurations: 1, Splits: 1, All: true, SD: 0.014, Within95: 0.014, Largest: 0.014}}
	alone.Needed = []runs.Need{{Difference: 0.0025, Power: 0.01}, {Difference: 0.01, Power: 0.7}, {Difference: 0.04, Seeds: 30, Power: 0.8}}
	single.Single, single.Reason = 2, "one seed only: nothing can be said of the spread over seeds, run at least two"
	return []runs.SeedNoise{whole, alone, single}
}

func TestNoiseGolden(t *testing.T) {
	o := runs.DefaultNoiseOptions()
	o.Rows = 20
	n := NewNoiseReport(sampleNoise(), o)
	golden(t, "noise.txt", n.Text)
	golden(t, "noise.md", n.Markdown)
	golden(t, "noise.csv", n.CSV)
	lines, err := csv.NewReader(strings.NewReader(render(t, n.CSV))).ReadAll()
	if err != nil || len(lines) < 20 {
		t.Errorf("%d lines of CSV: %v", len(lines), err)
	}
	var back NoiseReport
	if err := json.Unmarshal([]byte(render(t, n.JSON)), &back); err != nil || back.Noise[0].Needed[1].Seeds != 7 || back.TableRows != 20 {
		t.Errorf("noise.json holds %+v: %v", back, err)
	}
	page := render(t, n.HTML)
	for _, want := range []string{
		`<tr data-dataset="cub" data-method="">`, `<option>inshop</option>`, "&gt;100", "&lt;script&gt;alert(1)",
		"one seed only: nothing can be said", "a table of 20 rows",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if found := regexp.MustCompile(`(?i)<script>alert|ZgotmplZ`).FindString(page); found != "" {
		t.Errorf("the page has %q", found)
	}
	// One row for each of several metrics, models or runs says which it is.
	rows := sampleNoise()[:1]
	other := rows[0]
	other.Metric, other.At, other.Run = mapAtR, runs.AtSelected, "second"
	text := render(t, NewNoiseReport(append(rows, other), o).Text)
	for _, want := range []string{"R@1, MAP@R", "selected", "second"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// The section of a report is small, is filtered as the others are, and is absent where nothing was
// measured.
func TestReportWithNoise(t *testing.T) {
	s := sample()
	without := render(t, assemble([]loadedRun{s}, sampleOptions()).HTML)
	if strings.Contains(without, `id="noise"`) || strings.Contains(without, "#noise") {
		t.Error("a report without noise has its section")
	}
	s.noise = sampleNoise()
	r := assemble([]loadedRun{s}, sampleOptions())
	page := render(t, r.HTML)
	for _, want := range []string{`<a href="#noise">Noise</a>`, `<section id="noise">`, `id="noise-3-title"`, `id="noise-1-note-1"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if grown := len(page) - len(without); grown > 15_000 {
		t.Errorf("three rows of noise are %d bytes of the page", grown)
	}
	md := render(t, r.Markdown)
	if !strings.Contains(md, "## Noise") || strings.Contains(md, "<script>") {
		t.Error("the Markdown has no section of noise, or markup of data")
	}
	var back Report
	if err := json.Unmarshal([]byte(render(t, r.JSON)), &back); err != nil || back.Noise == nil || len(back.Noise.Noise) != 3 {
		t.Errorf("report.json holds noise %+v: %v", back.Noise, err)
	}
}

// Runs that tell next to nothing about seeds say why, and no format shows a number for nothing.
func TestDegenerateNoise(t *testing.T) {
	some, other := []int32{1, 2, 1, 3, 1, 1}, []int32{2, 1, 1, 3, 5, 5}
	for _, c := range []struct {
		name string
		run  *runs.Run
		want string
	}{
		{"identical seeds", writeRun(t, "a", 3, false, some, some), "seeds make no noise here"},
		{"one seed", writeRun(t, "a", 3, false, some), "one seed only"},
		{"one query", writeRun(t, "a", 2, false, []int32{1}, []int32{2}), "no other to compare it with"},
		{"one class", writeRun(t, "a", 1, false, some, other), "no other to compare it with"},
		{"all tied", writeRun(t, "a", 3, true, some, other), "ties decide it"},
		{"no query", writeRun(t, "a", 3, false, nil, nil), "no configuration could be read"},
		{"two seeds", writeRun(t, "a", 3, false, some, other), "the least that is needed"},
		{"no cell", writeRun(t, "a", 3, false), "No cell is done yet"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := runs.DefaultNoiseOptions()
			rows, err := runs.MeasureNoise(t.Context(), c.run, o)
			if err != nil {
				t.Fatal(err)
			}
			n := NewNoiseReport(rows, o)
			r := &Report{Noise: n}
			bad := regexp.MustCompile(`\bNaN\b|[+-]?\bInf\b`)
			for name, write := range map[string]func(io.Writer) error{
				"text": n.Text, "md": n.Markdown, "csv": n.CSV, "json": n.JSON, "report": r.JSON,
				"html": func(w io.Writer) error {
					_, page, _ := strings.Cut(render(t, n.HTML), "<body>")
					page, _, _ = strings.Cut(page, "<script>") // of the page, which speaks of NaN
					_, err := fmt.Fprint(w, page)
					return err
				},
			} {
				text := render(t, write)
				if found := bad.FindString(text); found != "" {
					t.Errorf("%s shows %s", name, found)
				}
				if name == "text" && !strings.Contains(text, c.want) {
					t.Errorf("no %q in\n%s", c.want, text)
				}
			}
		})
	}
}

// Build measures the noise of runs, and of one that lacks the metric nothing.
func TestBuildMeasuresNoise(t *testing.T) {
	o := sampleOptions()
	r, err := Build(t.Context(), []*runs.Run{writeRun(t, "a", 3, false, []int32{1, 2, 1, 3}, []int32{1, 1, 1, 3})}, o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Noise == nil || len(r.Noise.Noise) != 1 || r.Noise.Noise[0].SD == 0 {
		t.Errorf("noise %+v", r.Noise)
	}
	o.Noise.Metrics = []string{"R@7"}
	if r, err = Build(t.Context(), []*runs.Run{writeRun(t, "a", 3, false, []int32{1, 2, 1, 3})}, o); err != nil || r.Noise != nil {
		t.Errorf("noise of a metric that no cell has: %+v, %v", r.Noise, err)
	}
}
