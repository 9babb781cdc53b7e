package runs

// The verdicts of a Comparison.
const (
	Better = "better"
	Worse  = "worse"
	Noise  = "~"
)

// Comparison is one row of a diff: group A against group B on one metric of one protocol. A is the
// base; Delta = B - A. All values are fractions.
type Comparison struct {
	A        Group   `json:"a"`
	B        Group   `json:"b"`
	RunB     string  `json:"run_b,omitempty"` // the run of B, where a diff is of more than two
	Protocol string  `json:"protocol"`
	At       string  `json:"at"`             // of B's model: last, selected or peek
	AtA      string  `json:"at_a,omitempty"` // of A's, where it is another
	Metric   string  `json:"metric"`
	SeedsA   []int   `json:"seeds_a"`
	SeedsB   []int   `json:"seeds_b"`
	MeanA    float64 `json:"mean_a"`
	MeanB    float64 `json:"mean_b"`
	Delta    float64 `json:"delta"`
	Low      float64 `json:"low"` // 95% interval of Delta
	High     float64 `json:"high"`
	// ClassesOnly says that the interval leaves out the variance between seeds: where models are
	// compared as they are, and where a side that varies with its seed has one.
	ClassesOnly bool `json:"classes_only,omitempty"`
	// Detectable is the true difference that this comparison finds in four of five cases, with the
	// seeds and rows of this table; 0 where it is not known.
	Detectable float64    `json:"detectable,omitempty"`
	P          float64    `json:"p"`       // two-sided, by inverting the interval
	PHolm      float64    `json:"p_holm"`  // after Holm's correction over the table's rows
	Verdict    string     `json:"verdict"` // better, worse or ~; empty when Reason is set or the metric is collapsed
	Gained     int        `json:"gained"`  // query hits that only B has, over the pairs of equal seeds; R@K only
	Lost       int        `json:"lost"`
	Pairs      []SeedPair `json:"pairs,omitempty"`   // for information, not the verdict
	Classes    *Classes   `json:"classes,omitempty"` // how the hits changed by test class; R@1 only
	Reason     string     `json:"reason,omitempty"`  // why the row cannot be compared; the numbers are then zero
	Notes      []int      `json:"notes,omitempty"`   // indices into Diff.Footnotes
}

// SeedPair compares the two groups at one seed, by McNemar's exact test on their hits.
type SeedPair struct {
	Seed   int     `json:"seed"`
	Gained int     `json:"gained"`
	Lost   int     `json:"lost"`
	P      float64 `json:"p"`
}

// Classes says in which test classes the rate of hits changed. Rates are means over the seeds of
// each side.
type Classes struct {
	Better  int           `json:"better"` // classes with a higher rate in B
	Worse   int           `json:"worse"`
	Equal   int           `json:"equal"`
	Largest []ClassChange `json:"largest"` // the largest gains, falling, then the largest losses, the largest last
}

// ClassChange is one test class on both sides.
type ClassChange struct {
	Class   int     `json:"class"`
	Queries int     `json:"queries"` // a draw of a gallery counts its queries again
	A       float64 `json:"a"`       // rate of hits
	B       float64 `json:"b"`
	Delta   float64 `json:"delta"`  // B - A
	Gained  int     `json:"gained"` // query hits that only B has, over the pairs of equal seeds
	Lost    int     `json:"lost"`
}

// ConfigDifference says how two configurations differ, and which rows have them.
type ConfigDifference struct {
	Unified string `json:"unified"` // unified diff of the indented configurations, without the seed
	Rows    []int  `json:"rows"`    // indices into Diff.Rows
}

// Diff is a paired comparison. It is of two runs (Base is empty), of several runs with the first
// (Others names them, and each row's RunB is its B), or of the methods inside one run with the
// method Base (A and B are then the same run). A row whose A has a method other than Base was
// compared with a base of its own.
type Diff struct {
	Schema    int          `json:"schema"`
	A         string       `json:"run_a"`
	B         string       `json:"run_b"`            // of several runs, their names joined by ", "
	Others    []string     `json:"runs_b,omitempty"` // the runs that are compared with A, where there are several
	Base      string       `json:"base,omitempty"`
	Models    bool         `json:"models,omitempty"` // compares trained models as they are, not their methods
	Rows      []Comparison `json:"rows"`
	Footnotes []string     `json:"footnotes"` // other differences: code, training data, configuration, hardware
	// Configurations has each difference once, in the order of its first row.
	Configurations []ConfigDifference `json:"configurations,omitempty"`
}

// Summary is a metric over the seeds of a group.
type Summary struct {
	Seeds []int   `json:"seeds"`
	Mean  float64 `json:"mean"`
	Low   float64 `json:"low"` // 95% Student-t interval of the mean; equals Mean with one seed
	High  float64 `json:"high"`
	SD    float64 `json:"sd"` // sample standard deviation over seeds, 0 with one
}
