package reports

import (
	"encoding/json"
	"time"

	"bierbench/runs"
)

// Schema is the version of report.json.
const Schema = 1

// Options are the settings of a report.
type Options struct {
	Title string    // heading of the report; empty: the runs' ids
	Now   time.Time // written as the time of the report
	Base  string    // the method that others are compared with, where the suite names no other
	// Compare has the settings of the comparison. Its metrics share one Holm correction, so it
	// should name no metric that is not shown.
	Compare runs.CompareOptions
	// Noise has the settings by which the noise of seeds is measured, with Base as its base.
	// Without a metric it is not measured.
	Noise runs.NoiseOptions
	// Pictures gives the images of the data sets; nil: the report has no examples.
	Pictures Pictures
	// Published has the results that others have published; nil: they are not shown.
	Published *Published
	// Tolerance is the largest distance between a mean and a published number that it reproduces, a
	// fraction of at least 0; nil: there are no verdicts.
	Tolerance *float64
}

// DefaultOptions returns the options of the command: a comparison with "baseline" on R@1.
func DefaultOptions() Options {
	return Options{
		Base:    "baseline",
		Compare: runs.CompareOptions{Metrics: []string{recallAt1}},
		Noise:   runs.DefaultNoiseOptions(),
	}
}

// Report has everything that a report shows; it is also report.json. Metrics are fractions in [0,
// 1], times are in seconds, correlations are absolute values in [0, 1].
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
	Worth        *WorthReport  `json:"worth,omitempty"` // of vectors of which less is kept; nil where it was not computed
	Warnings     []string      `json:"warnings"`        // what a reader must know before trusting the numbers

	Published *PublishedReport `json:"published,omitempty"` // nil where it was not asked for

	examples *album // queries with the images found for them; nil without pictures
}

// Run is one of the runs in a report.
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
	// Selections say for each seed how its model was chosen; nil where it is the last one.
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

// Metric is one metric of a result over its seeds. In a collapsed metric ties decide the number:
// the pessimistic one is shown, and there is no verdict.
type Metric struct {
	Name        string       `json:"name"`
	Summary     runs.Summary `json:"summary"`
	Values      []float64    `json:"values"` // of each seed
	Pessimistic float64      `json:"pessimistic"`
	Optimistic  float64      `json:"optimistic"` // means over seeds of the bounds
	Collapsed   bool         `json:"collapsed"`
	// Versus has the result as B; its A is Report.Base or the base that the suite names. It is nil
	// where the result was not compared.
	Versus *runs.Comparison `json:"versus,omitempty"`
}

// Learner is one learner of an ensemble, over seeds. Recalls are means of R@K by name, for each K
// that all seeds have.
type Learner struct {
	Size              int                `json:"size"`
	R1                runs.Summary       `json:"R@1"`
	Cumulative        runs.Summary       `json:"R@1 cumulative"`
	Recalls           map[string]float64 `json:"recalls,omitempty"`
	CumulativeRecalls map[string]float64 `json:"recalls cumulative,omitempty"`
}

// Group describes the cells of a group, apart from their results on a protocol.
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

// Curve is the training of a group: means over its done seeds and, for each point, over Width
// consecutive steps.
type Curve struct {
	Width    int         `json:"width"`
	Steps    []float64   `json:"steps"` // the middle of each point's steps
	Loss     []float64   `json:"loss"`  // metric loss, mean over learners
	Total    []float64   `json:"total"` // the quantity that was minimised
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

// Environment is an environment and the number of done cells that ran in it.
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
