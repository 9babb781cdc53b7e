package reports

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"bierbench/runs"
)

// stored writes a source as a run on disk, with the queries of every done cell invented to agree
// with its R@1: image id is of class (id-1)%10, and of a query's nearest images the first and third
// are of its class, or none is.
func stored(t *testing.T, s loadedRun) *runs.Run {
	t.Helper()
	r, err := runs.Store{Dir: t.TempDir()}.Create(s.record.ID, s.record)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range s.cells {
		if err := os.MkdirAll(r.CellDir(c.Key), 0o755); err != nil {
			t.Fatal(err)
		}
		for i, e := range c.Evaluations {
			c.Evaluations[i].Queries, c.Evaluations[i].Gallery = 40, 40
			hits := int(40 * e.Metrics[recallAt1])
			c.Evaluations[i].Metrics = map[string]float64{recallAt1: float64(hits) / 40}
			c.Evaluations[i].Bounds = map[string][2]float64{}
			var queries []runs.Query
			for id := range 40 {
				q := runs.Query{ID: int64(id + 1), Class: int32(id % 10), Rank: 1, RankPessimistic: 1, RankOptimistic: 1}
				if id >= hits {
					q.Rank, q.RankPessimistic, q.RankOptimistic = 7, 7, 7
				}
				for i, step := range [][]int{{10, 1, 20, 2, 3}, {1, 2, 3, 4, 5}}[min(int(q.Rank)-1, 1)] {
					q.Nearest = append(q.Nearest, int64((id+step)%40+1))
					q.Scores = append(q.Scores, 0.9-float32(i)/10-float32(id)/1000)
				}
				queries = append(queries, q)
			}
			if err := runs.WriteQueries(r.QueriesPath(c.Key, e.Protocol), queries); err != nil {
				t.Fatal(err)
			}
		}
		log, err := runs.OpenSteps(r.StepsPath(c.Key), 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range s.steps[c.Key] {
			if step.Step <= 3 {
				if err = log.Append(step); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err = log.Close(); err != nil {
			t.Fatal(err)
		}
		if err := r.WriteCell(c); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// plainSample is the sample without the names that no folder can have.
func plainSample() loadedRun {
	s := sample()
	clean := func(k *runs.Key) {
		if k.Method == evilMethod {
			k.Method = "odd"
		}
		if k.Variant == evilVariant {
			k.Variant = "mini-s64-jpeg"
		}
	}
	for i := range s.record.Cells {
		clean(&s.record.Cells[i])
	}
	steps := map[runs.Key][]runs.TrainStep{}
	for i := range s.cells {
		before := s.cells[i].Key
		clean(&s.cells[i].Key)
		steps[s.cells[i].Key] = s.steps[before]
		for j := range s.cells[i].Evaluations {
			s.cells[i].Evaluations[j].Protocol = strings.ReplaceAll(s.cells[i].Evaluations[j].Protocol, "a|b", "mini")
		}
	}
	s.steps = steps
	return s
}

func TestBuild(t *testing.T) {
	o := sampleOptions()
	r, err := Build(t.Context(), []*runs.Run{stored(t, plainSample())}, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Warnings) > 0 {
		t.Errorf("warnings: %q", r.Warnings)
	}
	if run := r.Runs[0]; run.Done != 25 || run.Failed != 1 || run.Running != 2 || run.Planned != 30 {
		t.Errorf("done %d, failed %d, running %d of %d; want 25, 1, 2 of 30", run.Done, run.Failed, run.Running, run.Planned)
	}
	compared := 0
	for _, x := range r.Results {
		m, ok := x.metric(recallAt1)
		if !ok {
			t.Fatalf("%s has no R@1", x.Group.Path())
		}
		switch {
		case x.Group.Method == "baseline" && m.Versus != nil:
			t.Errorf("%s is compared with itself", x.Group.Path())
		case x.Group.Method != "baseline" && m.Versus == nil:
			t.Errorf("%s is not compared", x.Group.Path())
		case m.Versus != nil && m.Versus.Reason != "":
			t.Errorf("%s: %s", x.Group.Path(), m.Versus.Reason)
		case m.Versus != nil:
			compared++
		}
		g := r.group(x)
		if trained := x.Group.Method != "features"; trained != (g.Curve != nil) {
			t.Errorf("%s: trained %v, curve %v", x.Group.Path(), trained, g.Curve)
		}
		if g.Curve != nil && len(g.Curve.Steps) != 3 {
			t.Errorf("%s: %d points of 3 steps", x.Group.Path(), len(g.Curve.Steps))
		}
	}
	if compared != 8 {
		t.Errorf("%d comparisons, want 8: 4 methods on 2 data sets", compared)
	}
	if _, err := r.Write(t.TempDir()); err != nil {
		t.Error(err)
	}
}

// A run without the base method, and one whose queries are gone, still have a report that says what
// is missing.
func TestBuildWithoutComparison(t *testing.T) {
	o := sampleOptions()
	o.Base = "no such method"
	run := stored(t, plainSample())
	r, err := Build(t.Context(), []*runs.Run{run}, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], `"no such method"`) {
		t.Errorf("warnings %q, want one that names the method", r.Warnings)
	}
	o = sampleOptions()
	for _, c := range plainSample().cells {
		for _, e := range c.Evaluations {
			if err = os.Remove(run.QueriesPath(c.Key, e.Protocol)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if r, err = Build(t.Context(), []*runs.Run{run}, o); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := r.Text(&b); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "not compared with baseline: ") {
		t.Errorf("the report does not say why nothing is compared:\n%s", b.String())
	}
}

// Two runs in one report are told apart in every table.
func TestTwoRuns(t *testing.T) {
	a, b := sample(), sample()
	b.record.ID = "again"
	r := assemble([]loadedRun{a, b}, sampleOptions())
	if r.Title != "sample, again" {
		t.Errorf("title %q", r.Title)
	}
	for _, shown := range r.headlines(whole) {
		if shown.Columns[3].Name != "Run" || len(shown.Rows) != 10 {
			t.Errorf("%s: column %q, %d rows; want Run and 10", shown.Title, shown.Columns[3].Name, len(shown.Rows))
		}
	}
	for _, c := range r.recallCharts() {
		if !strings.Contains(c.Title, "run ") {
			t.Errorf("chart %q does not name its run", c.Title)
		}
	}
	names := map[string]bool{}
	for _, c := range r.charts().all() {
		if names[c.Name] {
			t.Errorf("two charts have the name %s", c.Name)
		}
		names[c.Name] = true
	}
}

func TestWarnsOfMixedResults(t *testing.T) {
	s := sample()
	s.cells[3].ConfigHash = digest("another")           // baseline, seed 1
	s.cells[4].Evaluations[0].TestHash = digest("more") // baseline, seed 2
	r := assemble([]loadedRun{s}, sampleOptions())
	got := fmt.Sprint(r.Warnings)
	for _, want := range []string{"differ in configuration or data", "not all results are on the same test images"} {
		if !strings.Contains(got, want) {
			t.Errorf("warnings %s, want %q", got, want)
		}
	}
}

// What was planned is compared cell by cell: only cells with a predicted time count in the times,
// and only those with both in the memory.
func TestForecast(t *testing.T) {
	cell := func(predicted *runs.Cost, total float64, memory int64) runs.Cell {
		return runs.Cell{Status: runs.Done, Predicted: predicted, Timing: map[string]float64{"total": total}, Memory: memory}
	}
	got := forecastOf([]runs.Cell{
		cell(&runs.Cost{Seconds: 10, Memory: 300, Basis: "measured"}, 12, 310),
		cell(&runs.Cost{Seconds: 11, Memory: 320, Basis: "probe"}, 9, 290),
		cell(&runs.Cost{Memory: 900, Basis: ""}, 50, 0), // its time and its peak are not known
		cell(nil, 60, 999), // of another version
	})
	want := Forecast{Cells: 3, Timed: 2, Seconds: 21, Actual: 21, Memory: 320, Peak: 310}
	if got == nil || *got != want {
		t.Fatalf("%+v, want %+v", got, want)
	}
	if forecastOf([]runs.Cell{cell(nil, 60, 999), cell(&runs.Cost{Disk: 5}, 1, 1)}) != nil {
		t.Error("a forecast of cells without one")
	}
	plain := sample()
	for i := range plain.cells {
		plain.cells[i].Predicted = nil
	}
	r := assemble([]loadedRun{plain}, sampleOptions())
	if r.Forecast != nil || r.planned() != nil {
		t.Error("a section without a prediction")
	}
	var page, text strings.Builder
	if err := errors.Join(r.HTML(&page), r.Markdown(&text)); err != nil ||
		strings.Contains(page.String()+text.String(), "Planned and actual") {
		t.Errorf("the section is in the report, %v", err)
	}
	r = assemble([]loadedRun{sample(), sample()}, sampleOptions())
	rows := r.planned().Rows
	if len(rows) != 2*8 { // four methods with predictions on two sets, in two runs
		t.Errorf("%d rows, want 16", len(rows))
	}
	if r.Forecast.Cells != 46 || r.Forecast.Timed != 34 { // of 24 a run one failed; features have no time
		t.Errorf("%+v in all", r.Forecast)
	}
}
