//go:build integration

package reports

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"bierbench/runs"
)

// What a data set, a suite or a path could hold to run in a page.
const (
	hostileScript = `<script>window.hacked=1</script>`
	hostileImage  = `"><img src=x onerror=window.hacked=1>`
)

// page is a page of the browser's tests.
type page struct {
	name, path string
	shows      []string // text that must be there to be read
}

// hostilePages writes a page of every kind, with names that would be markup.
func hostilePages(t *testing.T) []page {
	t.Helper()
	dir := t.TempDir()
	add := func(name string, write func(io.Writer) error, shows ...string) page {
		path := filepath.Join(dir, name+".html")
		if err := os.WriteFile(path, []byte(render(t, write)), 0o600); err != nil {
			t.Fatal(err)
		}
		return page{name, path, shows}
	}
	s := hostileSample()
	s.noise = sampleNoise()
	d, both := flippedDiff(t)
	flips, err := NewDiffFlips(t.Context(), d, both, &drawer{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range both {
		curved(t, r)
	}
	curves, err := NewDiffCurves(t.Context(), d, both)
	if err != nil {
		t.Fatal(err)
	}
	hostile := sampleDiff()
	hostile.A, hostile.B = hostileScript, hostileImage
	for i := range hostile.Rows {
		hostileGroup(&hostile.Rows[i].A)
		hostileGroup(&hostile.Rows[i].B)
	}
	hostile.Rows = append(hostile.Rows, d.Rows...) // so that there are curves and flips
	noise := &NoiseReport{}
	if r := assemble([]loadedRun{s}, sampleOptions()); r.Noise != nil {
		noise = r.Noise
	}
	return []page{
		add("report", assemble([]loadedRun{s}, sampleOptions()).HTML, hostileScript, hostileImage),
		add("pictures", illustrated(t, stored(t, pictured()), &drawer{}).HTML),
		add("published", publishedReport(t, nil).HTML),
		add("nothing", assemble([]loadedRun{{record: runs.Record{ID: hostileScript, Created: noon()}}}, sampleOptions()).HTML, hostileScript),
		add("noise", noise.HTML),
		add("diff", func(w io.Writer) error { return DiffHTML(hostile, curves, flips, w) }, hostileScript, hostileImage),
		add("trend", hostileTrend().HTML, hostileScript, hostileImage),
	}
}

// curved gives the cells of a run the values that curves need: more than one K, and losses.
func curved(t *testing.T, r *runs.Run) {
	t.Helper()
	cells, err := r.Cells()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cells {
		c.Evaluations[0].Metrics["R@2"] = 0.9
		if err := r.WriteCell(c); err != nil {
			t.Fatal(err)
		}
		log, err := runs.OpenSteps(r.StepsPath(c.Key), 0)
		if err != nil {
			t.Fatal(err)
		}
		for step := range 3 {
			if err := log.Append(runs.TrainStep{Step: step + 1, Loss: 1 / float64(step+1), Rate: 1e-3}); err != nil {
				t.Fatal(err)
			}
		}
		if err := log.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// hostileGroup puts markup into the names of a group.
func hostileGroup(g *runs.Group) {
	if g.Method == evilMethod {
		g.Method = hostileScript
	}
	if g.Dataset == "inshop" {
		g.Dataset, g.Variant = hostileImage, hostileScript
	}
}

// hostileSample is the sample with markup in names, paths, protocols and errors.
func hostileSample() loadedRun {
	s := sample()
	s.record.ID, s.record.Suite = hostileImage, hostileScript
	s.record.Command = []string{"bierbench", "-C", "/data/" + hostileImage, "run", hostileScript}
	for i := range s.record.Cells {
		hostileGroup(&s.record.Cells[i].Group)
	}
	steps := map[runs.Key][]runs.TrainStep{}
	for i := range s.cells {
		c := &s.cells[i]
		before := c.Key
		hostileGroup(&c.Group)
		if list := s.steps[before]; list != nil {
			steps[c.Key] = list
		}
		if c.Error != "" {
			c.Error = "decode /data/" + hostileImage + ".jpg: " + hostileScript
		}
		c.Environment.CPU = hostileImage
		for j := range c.Evaluations {
			if c.Dataset == hostileImage {
				c.Evaluations[j].Protocol = hostileScript
			}
		}
	}
	s.steps = steps
	for i := range s.diff.Rows {
		hostileGroup(&s.diff.Rows[i].A)
		hostileGroup(&s.diff.Rows[i].B)
	}
	return s
}

// hostileTrend is an invented trend of two methods on two data sets over three runs.
func hostileTrend() *Trend {
	names := []string{"first", hostileImage, hostileScript}
	trend := &Trend{Schema: Schema, Metric: recallAt1, Runs: names}
	for _, dataset := range []string{"cub", hostileImage} {
		for i, method := range []string{"baseline", hostileScript} {
			for j, run := range names {
				mean := 0.5 + 0.05*float64(i) + 0.01*float64(j)
				trend.Points = append(trend.Points, TrendPoint{
					Group:    runs.Group{Dataset: dataset, Variant: "mini", Backbone: "convnet", Mode: "frozen", Method: method, Size: 64},
					Protocol: dataset + "-loo", At: runs.AtLast, Run: run, Created: noon().Add(time.Duration(j) * time.Hour),
					Commits: []string{hostileScript}, Summary: runs.Summarize([]float64{mean - 0.01, mean, mean + 0.01}, []int{1, 2, 3}),
				})
			}
		}
	}
	return trend
}
