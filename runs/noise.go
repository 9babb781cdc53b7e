package runs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"bierbench/runs/internal/paired"
)

// NoiseOptions are the settings of MeasureNoise.
type NoiseOptions struct {
	Metrics     []string  // R@K, MAP@R or R-precision
	Method      string    // the only method to measure; empty: all
	Base        string    // method with which the others are paired, where the run's record names none
	Differences []float64 // to find, fractions in (0, 1), rising
	Rows        int       // of the table in which a difference is to be found, for Holm's correction
	Splits      int       // largest number of splits for a number of seeds, over all configurations
	Seed        uint64    // of the choice of splits
}

// DefaultNoiseOptions returns R@1 of all methods and differences of 0.25 to 4 points in a table of
// one row.
func DefaultNoiseOptions() NoiseOptions {
	return NoiseOptions{
		Metrics: []string{"R@1"}, Base: "baseline", Differences: []float64{0.0025, 0.005, 0.01, 0.02, 0.04},
		Rows: 1, Splits: 1500, Seed: 1,
	}
}

// validate returns an error that says what is wrong with the options.
func (o NoiseOptions) validate() error {
	switch {
	case len(o.Metrics) == 0:
		return errors.New("no metric")
	case o.Rows < 1 || o.Rows > 1000:
		return fmt.Errorf("a table of %d rows, want 1 to 1,000", o.Rows)
	case o.Splits < 1:
		return fmt.Errorf("%d splits, want at least 1", o.Splits)
	}
	for i, d := range o.Differences {
		if !(d > 0 && d < 1) || i > 0 && d <= o.Differences[i-1] {
			return fmt.Errorf("differences %v, want rising fractions between 0 and 1", o.Differences)
		}
	}
	return nil
}

// SeedNoise is the effect of seeds and test classes on a metric of one protocol, measured on the
// configurations (methods and sizes) of one backbone and mode in a run. Values are fractions.
type SeedNoise struct {
	Run      string `json:"run"`
	Group    Group  `json:"group"` // its method and size are empty, unless one method was asked for
	Protocol string `json:"protocol"`
	At       string `json:"at"`
	Metric   string `json:"metric"`
	Classes  int    `json:"classes"` // of the test queries
	Queries  int    `json:"queries"`

	Configurations int      `json:"configurations"` // with at least two seeds that are not alike
	Fewest         int      `json:"fewest_seeds"`   // of a configuration
	Most           int      `json:"most_seeds"`
	Single         int      `json:"single"`   // configurations with one seed, which have no spread
	Alike          int      `json:"alike"`    // configurations whose seeds all have the same values
	LeftOut        []string `json:"left_out"` // configurations that could not be used, each with the reason

	// SD is the standard deviation of one seed's result, pooled over the configurations. Low to
	// High is its 95% interval, by Freedom degrees of freedom. Smallest and Largest are those of
	// single configurations.
	SD          float64 `json:"sd"`
	Low         float64 `json:"low"`
	High        float64 `json:"high"`
	Freedom     float64 `json:"freedom"`
	Correlation float64 `json:"correlation"` // of the results of two configurations over their common seeds
	Smallest    float64 `json:"smallest"`
	Largest     float64 `json:"largest"`

	// ClassSD is the standard deviation of the difference of two configurations that comes from the
	// choice of test classes, without the part of the seeds: the median over Pairs of a
	// configuration and its base, one of which has the method that was asked for. It is 0 where
	// there is no pair; then the seeds needed are underestimated.
	ClassSD float64 `json:"class_sd"`
	Pairs   int     `json:"pairs"`

	Splits []Split `json:"splits"` // by number of seeds on a side; none where no configuration has two
	Needed []Need  `json:"needed"` // none where Reason is set or there is one test class
	// Found is the difference that a comparison of Most seeds on each side finds with 80% power; 0
	// where it is not known.
	Found  float64 `json:"found"`
	Reason string  `json:"reason,omitempty"` // why nothing is known; the measured values are then zero
}

// Split is A/A: the seeds of configurations are split into two disjoint sets of equal size, and
// each configuration is compared with itself, over all splits or a sample of them.
type Split struct {
	Seeds          int     `json:"seeds"` // on each side
	Configurations int     `json:"configurations"`
	Splits         int     `json:"splits"`
	All            bool    `json:"all"`      // every split there is
	SD             float64 `json:"sd"`       // of the difference of means, around 0
	Within95       float64 `json:"within95"` // 95% of the differences are at most this far from 0
	Largest        float64 `json:"largest"`
	// Verdicts is the number of splits with p < 0.05, each as a table of its own. Splits of a
	// configuration share seeds, so they are not independent.
	Verdicts int `json:"verdicts"`
}

// Need says how many seeds on each side find a difference with 80% power.
type Need = paired.Need

// MostSeeds is the largest number of seeds on each side that is tried for a Need.
const MostSeeds = paired.MostSeeds

// MeasureNoise measures the noise of a run. There is a row for each data set, variant, backbone,
// mode, protocol, state of the model and metric.
func MeasureNoise(ctx context.Context, r *Run, o NoiseOptions) ([]SeedNoise, error) {
	fail := func(err error) ([]SeedNoise, error) { return nil, fmt.Errorf("noise of %s: %w", r.Record.ID, err) }
	if err := o.validate(); err != nil {
		return fail(err)
	}
	groups, err := r.groups()
	if err != nil {
		return fail(err)
	}
	var order []Group // without method and size
	members := map[Group][]GroupCells{}
	var methods, metrics []string
	for _, g := range groups {
		if g = g.Done(); len(g.Cells) == 0 {
			continue
		}
		methods = append(methods, g.Group.Method)
		for _, c := range g.Cells {
			for _, e := range c.Evaluations {
				for m := range e.Metrics {
					metrics = append(metrics, m)
				}
			}
		}
		where := g.Group
		where.Method, where.Size = "", 0
		if members[where] == nil {
			order = append(order, where)
		}
		members[where] = append(members[where], g)
	}
	for _, known := range []struct {
		what  string
		asked []string
		there []string
	}{{"method", slices.DeleteFunc([]string{o.Method}, func(m string) bool { return m == "" }), methods}, {"metric", o.Metrics, metrics}} {
		slices.Sort(known.there)
		known.there = slices.Compact(known.there)
		for _, a := range known.asked {
			if len(order) > 0 && !slices.Contains(known.there, a) {
				return fail(fmt.Errorf("no finished cell has %s %q, want one of %q", known.what, a, known.there))
			}
		}
	}
	rows := []SeedNoise{}
	for _, where := range order {
		for _, s := range measuredScopes(members[where]) {
			more, err := measureScope(ctx, r, where, s, members[where], o)
			if err != nil {
				return fail(err)
			}
			rows = append(rows, more...)
		}
	}
	return rows, nil
}

// measuredScopes returns the protocols and states of the groups' models. Models that were chosen by
// their test results have no queries and are left out.
func measuredScopes(groups []GroupCells) []scope {
	var all []scope
	for _, g := range groups {
		for _, c := range g.Cells {
			for _, e := range c.Evaluations {
				if s := (scope{e.Protocol, e.At, e.At}); e.At != AtPeek && !slices.Contains(all, s) {
					all = append(all, s)
				}
			}
		}
	}
	return all
}

// measureScope makes the rows of one scope.
func measureScope(ctx context.Context, r *Run, where Group, s scope, groups []GroupCells, o NoiseOptions) ([]SeedNoise, error) {
	usable, leftOut, err := readMeasured(ctx, r, s, groups, o.Metrics)
	if err != nil {
		return nil, err
	}
	where.Method = o.Method
	var rows []SeedNoise
	for _, metric := range o.Metrics {
		n := SeedNoise{
			Run: r.Record.ID, Group: where, Protocol: s.protocol, At: s.b, Metric: metric,
			LeftOut: slices.Clone(leftOut), Splits: []Split{}, Needed: []Need{},
		}
		switch {
		case len(usable) == 0:
			n.Reason = "no configuration could be read"
		case !slices.ContainsFunc(usable, func(m measured) bool { return slices.Contains(m.metrics, metric) }):
			continue // not a metric of this protocol
		default:
			_, counts := usable[0].first.classIndex()
			n.Classes, n.Queries = len(counts), len(usable[0].first.id)
			if err := n.fill(ctx, usable, counts, r.Record, o); err != nil {
				return nil, err
			}
		}
		rows = append(rows, n)
	}
	return rows, nil
}

// fill measures a row's metric on the configurations.
func (n *SeedNoise) fill(ctx context.Context, all []measured, counts []float64, record Record, o NoiseOptions) error {
	var varied, chosen []measured // whose seeds are not alike; and of the method asked for
	for _, m := range all {
		sums := m.sums[n.Metric]
		asked := o.Method == "" || m.group.Group.Method == o.Method
		alike := len(sums) > 0 && !slices.ContainsFunc(sums, func(row []float64) bool { return !slices.Equal(row, sums[0]) })
		if len(sums) > 1 && !alike {
			varied = append(varied, m)
		}
		switch {
		case !asked:
		case sums == nil:
			n.LeftOut = append(n.LeftOut, m.group.Group.Path()+": has no such metric at every seed, or ties decide it")
		case len(sums) == 1:
			n.Single++
		case alike:
			n.Alike++
		default:
			chosen = append(chosen, m)
		}
	}
	n.Configurations = len(chosen)
	switch {
	case len(chosen) > 0:
	case n.Alike > 0:
		n.Reason = "the seeds of every configuration have the same values: seeds make no noise here"
		return nil
	case n.Single > 0:
		n.Reason = "one seed only: nothing can be said of the spread over seeds, run at least two"
		return nil
	default:
		n.Reason = "no configuration has this metric at every seed, or ties decide it"
		return nil
	}
	n.deviate(chosen)
	estimates := n.pair(chosen, varied, counts, record, o.Base)
	n.split(chosen, counts, o)
	if n.Classes < 2 {
		return nil
	}
	var spreads []paired.Spread
	for _, m := range varied {
		spreads = append(spreads, paired.SpreadOf(m.means(n.Metric, n.Queries)))
	}
	d := paired.NewDesign(estimates, n.SD*n.SD, o.Rows, paired.NewPrior(spreads))
	for _, difference := range o.Differences {
		if err := ctx.Err(); err != nil {
			return err
		}
		n.Needed = append(n.Needed, d.Need(difference))
	}
	n.Found = d.Reach(n.Most)
	return nil
}

// pair measures ClassSD and returns the estimates of configurations with their bases, where at
// least one of the two is chosen. Where there is no such pair, it takes a chosen configuration with
// another. A single configuration is compared with itself only, and classes make no difference.
func (n *SeedNoise) pair(chosen, varied []measured, counts []float64, record Record, base string) []paired.Estimate {
	groups := make([]GroupCells, len(varied))
	for i, m := range varied {
		groups[i] = m.group
	}
	var estimates []paired.Estimate
	add := func(a, b measured) {
		s := paired.Sample{Count: counts, A: a.sums[n.Metric], B: b.sums[n.Metric]}
		estimates = append(estimates, s.Estimate())
	}
	isChosen := func(g Group) bool {
		return slices.ContainsFunc(chosen, func(m measured) bool { return m.group.Group == g })
	}
	for _, m := range varied {
		b, ok := baseOf(groups, m.group.Group, cmp.Or(record.Base(m.group.Group), base))
		if ok && b.Group != m.group.Group && (isChosen(m.group.Group) || isChosen(b.Group)) {
			add(varied[slices.IndexFunc(groups, func(g GroupCells) bool { return g.Group == b.Group })], m)
		}
	}
	for i := 0; i < len(varied) && len(estimates) == 0; i++ {
		if varied[i].group.Group != chosen[0].group.Group {
			add(varied[i], chosen[0])
		}
	}
	if n.Pairs = len(estimates); n.Pairs == 0 {
		add(chosen[0], chosen[0])
		return estimates
	}
	var parts []float64
	for _, e := range estimates {
		parts = append(parts, e.ClassVariance())
	}
	n.ClassSD = math.Sqrt(paired.Median(parts))
	return estimates
}
