// Package reports turns the records of runs into what people read and cite:
// tables, charts and pages. Numbers stay what the records hold (fractions in
// [0,1], seconds) until a renderer writes them; only renderers know percent.
//
// Everything that comes from data (names of data sets, methods and classes,
// errors, settings) is text and is escaped for the format it is written to.
package reports

import (
	"encoding/json"
	"time"

	"bierbench/runs"
)

// Schema is the version of report.json.
const Schema = 1

// Options says how a report is made.
type Options struct {
	Title string    // heading of the report; empty: the runs' ids
	Now   time.Time // written as the time of the report
	Base  string    // the method that others are compared with, where the suite names no other
	// Compare is how the comparison resamples. Its metrics share one Holm
	// correction, so it asks for no metric that is not shown.
	Compare runs.CompareOptions
	// Noise is how the noise of seeds is measured, with Base for its base; without
	// a metric it is not.
	Noise runs.NoiseOptions
	// Pictures are those of the data sets; nil: the report has no examples.
	Pictures Pictures
	// Published is what others have published; nil: none of it is shown.
	Published *Published
	// Tolerance is by how much a mean may miss a published number that it
	// reproduces, a fraction of at least 0; nil: there are no verdicts.
	Tolerance *float64
}

// DefaultOptions returns the options of the command: against `baseline` on R@1.
func DefaultOptions() Options {
	return Options{
		Base:    "baseline",
		Compare: runs.CompareOptions{Seed: 1, Metrics: []string{recallAt1}},
		Noise:   runs.DefaultNoiseOptions(),
	}
}

// Report is everything a report shows, and report.json. Fractions are in
// [0,1], times in seconds, correlations absolute values in [0,1].
type Report struct {
	Schema       int           `json:"schema"`
	Title        string        `json:"title"`
	Created      time.Time     `json:"created"`
	Base         string        `json:"base"` // method of the comparisons that name no other
	Runs         []Run         `json:"runs"`
	Results      []Result      `json:"results"` // by protocol, then in the suite's order
	Groups       []Group       `json:"groups"`  // in the suite's order
	Failures     []Failure     `json:"failures"`
	Forecast     *Forecast     `json:"forecast,omitempty"` // all groups together; nil where no cell has a prediction
	Environments []Environment `json:"environments"`
	Noise        *NoiseReport  `json:"noise,omitempty"` // nil where it was not measured
	Warnings     []string      `json:"warnings"`        // what a reader must know before trusting the numbers

	Published *PublishedReport `json:"published,omitempty"` // nil where it was not asked for

	examples *album // queries with what was found for them; nil without pictures
}

// Run is a run the report is about.
type Run struct {
	ID        string          `json:"id"`
	Suite     string          `json:"suite"`
	Created   time.Time       `json:"created"`
	Command   []string        `json:"command"`
	Planned   int             `json:"planned"` // cells
	Done      int             `json:"done"`
	Failed    int             `json:"failed"`
	Running   int             `json:"running"` // or interrupted
	Config    json.RawMessage `json:"config,omitempty"`
	Footnotes []string        `json:"footnotes"` // of its comparison
}

// Result is a group on one protocol.
type Result struct {
	Run      string     `json:"run"`
	Group    runs.Group `json:"group"`
	Protocol string     `json:"protocol"`
	At       string     `json:"at"` // last, selected or peek
	// Selections say of each seed how its model was chosen; nil where it is the
	// last one.
	Selections []*runs.Selection `json:"selections,omitempty"`
	// Chosen says the same in words: "peek, 11 test looks (step 300)".
	Chosen     string    `json:"chosen,omitempty"`
	Seeds      []int     `json:"seeds"`
	TestHashes []string  `json:"test_hashes"` // one unless the seeds saw different test images
	Queries    int       `json:"queries"`
	Gallery    int       `json:"gallery"`
	Excluded   int       `json:"excluded"`
	Metrics    []Metric  `json:"metrics"`
	Learners   []Learner `json:"learners,omitempty"`
}

// Metric is one metric of a result over its seeds. Where it is collapsed, ties
// decide it: the numbers are the pessimistic ones, and it gets no verdict.
type Metric struct {
	Name        string           `json:"name"`
	Summary     runs.Summary     `json:"summary"`
	Values      []float64        `json:"values"` // of each seed
	Pessimistic float64          `json:"pessimistic"`
	Optimistic  float64          `json:"optimistic"` // means over seeds of the bounds
	Collapsed   bool             `json:"collapsed"`
	Versus      *runs.Comparison `json:"versus,omitempty"` // against Report.Base or the base that the suite names: its A; nil where it was not compared
}

// Learner is one learner of an ensemble, over seeds. Recalls are means of R@K by
// name, where all seeds have it.
type Learner struct {
	Size              int                `json:"size"`
	R1                runs.Summary       `json:"R@1"`
	Cumulative        runs.Summary       `json:"R@1 cumulative"`
	Recalls           map[string]float64 `json:"recalls,omitempty"`
	CumulativeRecalls map[string]float64 `json:"recalls cumulative,omitempty"`
}

// Group is what a group is made of, whatever it is measured by.
type Group struct {
	Run         string             `json:"run"`
	Group       runs.Group         `json:"group"`
	Planned     []int              `json:"planned"` // seeds
	Done        []int              `json:"done"`
	Failed      []int              `json:"failed"`
	Learners    *runs.Summary      `json:"correlation_learners,omitempty"`   // between dimensions of different learners
	Dimensions  *runs.Summary      `json:"correlation_dimensions,omitempty"` // between all dimensions
	Timing      map[string]float64 `json:"timing"`                           // stage -> seconds of a cell, mean over seeds
	Throughput  map[string]float64 `json:"throughput"`                       // mean over seeds
	Forecast    *Forecast          `json:"forecast,omitempty"`               // nil where no cell has a prediction
	Config      json.RawMessage    `json:"config,omitempty"`                 // of its first cell, without the seed
	ConfigHash  []string           `json:"config_hashes"`                    // one unless its cells were trained differently
	DataHash    []string           `json:"data_hashes"`
	Environment []int              `json:"environments"` // indices into Report.Environments
	Curve       *Curve             `json:"curve,omitempty"`
	Anatomy     *Anatomy           `json:"anatomy,omitempty"` // nil where no record has it
}

// Curve is a group's training, averaged over its done seeds and over Width
// consecutive steps a point.
type Curve struct {
	Width    int         `json:"width"`
	Steps    []float64   `json:"steps"` // the middle of each point's steps
	Loss     []float64   `json:"loss"`  // metric loss, mean over learners
	Total    []float64   `json:"total"` // what was minimised
	Rate     []float64   `json:"rate"`
	Learners [][]float64 `json:"learners"` // [learner][point]: its loss
	Weights  [][]float64 `json:"weights"`  // [learner][point]: its mean boosting weight
}

// Failure is a cell without a result.
type Failure struct {
	Run    string `json:"run"`
	Cell   string `json:"cell"` // its path
	Status string `json:"status"`
	Error  string `json:"error,omitempty"`
}

// Environment is a distinct environment and the number of done cells made in it.
type Environment struct {
	runs.Environment
	Cells int `json:"cells"`
}

// group returns the group that a result belongs to.
func (r *Report) group(result Result) Group {
	for _, g := range r.Groups {
		if g.Run == result.Run && g.Group == result.Group {
			return g
		}
	}
	return Group{Run: result.Run, Group: result.Group}
}

// metric returns a metric of the result by name.
func (r Result) metric(name string) (Metric, bool) {
	for _, m := range r.Metrics {
		if m.Name == name {
			return m, true
		}
	}
	return Metric{}, false
}
