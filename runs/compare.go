package runs

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"bierbench/runs/internal/paired"
)

// CompareOptions are the settings of a comparison.
type CompareOptions struct {
	// Metrics to compare, in this order; nil is R@1 and MAP@R, "all" alone is every metric that an
	// evaluation has and queries keep.
	Metrics []string
	// Models compares the trained models as they are, not their methods: test classes alone vary.
	Models bool
}

// DefaultCompareOptions returns R@1 and MAP@R of methods.
func DefaultCompareOptions() CompareOptions {
	return CompareOptions{Metrics: []string{"R@1", mapAtR}}
}

// CompareRuns compares the equal groups of two runs. A is the base: a row's Delta is B - A. A group
// that only one run has is a row with a reason.
func CompareRuns(ctx context.Context, a, b *Run, o CompareOptions) (*Diff, error) {
	return CompareSeveral(ctx, a, []*Run{b}, o)
}

// CompareSeveral compares each of bs with the run a in one table: Holm's correction is over all of
// its rows. The rows of a group follow one another.
func CompareSeveral(ctx context.Context, a *Run, bs []*Run, o CompareOptions) (*Diff, error) {
	if len(bs) == 0 {
		return nil, fmt.Errorf("compare %s: no run to compare it with", a.Record.ID)
	}
	names := make([]string, len(bs))
	for i, b := range bs {
		names[i] = b.Record.ID
	}
	if several := append([]string{a.Record.ID}, names...); len(bs) > 1 {
		for i, name := range several {
			if slices.Contains(several[:i], name) {
				return nil, fmt.Errorf("compare %s: run %s is named twice", a.Record.ID, name)
			}
		}
	}
	c := newComparer(a.Record.ID, strings.Join(names, ", "), o)
	as, err := a.groups()
	if err != nil {
		return nil, fmt.Errorf("compare %s with %s: %w", a.Record.ID, c.diff.B, err)
	}
	all, others := [][]GroupCells{as}, make([][]GroupCells, len(bs))
	for i, b := range bs {
		if others[i], err = b.groups(); err != nil {
			return nil, fmt.Errorf("compare %s with %s: %w", a.Record.ID, c.diff.B, err)
		}
		all = append(all, others[i])
	}
	if err := c.chooseMetrics(all...); err != nil {
		return nil, err
	}
	if len(bs) > 1 {
		c.diff.Others = names
	}
	for _, g := range as {
		for k, b := range bs {
			c.name(b)
			i := slices.IndexFunc(others[k], func(h GroupCells) bool { return h.Group == g.Group })
			if i < 0 {
				c.refuse(Comparison{A: g.Group, B: g.Group, SeedsA: g.Done().Seeds()}, "only run "+a.Record.ID+" has this group")
				continue
			}
			if err := c.compare(ctx, side{a, g}, side{b, others[k][i]}); err != nil {
				return nil, err
			}
		}
	}
	for k, b := range bs {
		c.name(b)
		for _, h := range others[k] {
			if !slices.ContainsFunc(as, func(g GroupCells) bool { return g.Group == h.Group }) {
				c.refuse(Comparison{A: h.Group, B: h.Group, SeedsB: h.Done().Seeds()}, "only run "+b.Record.ID+" has this group")
			}
		}
	}
	return c.finish(ctx)
}

// name sets the run of B for the next rows, where there are several.
func (c *comparer) name(b *Run) {
	if len(c.diff.Others) > 0 {
		c.run = b.Record.ID
	}
}

// CompareMethods compares each method in a run with the method base at the same data set, variant,
// backbone, mode and size. Where the base does not exist at that size, the nearest size is taken
// and a footnote says so.
func CompareMethods(ctx context.Context, r *Run, base string, o CompareOptions) (*Diff, error) {
	return compareMethods(ctx, r, base, func(Group) string { return "" }, o)
}

// CompareBases compares as CompareMethods does, but with the base that the run's record names for
// each group, and with the method base where it names none.
func CompareBases(ctx context.Context, r *Run, base string, o CompareOptions) (*Diff, error) {
	return compareMethods(ctx, r, base, r.Record.Base, o)
}

// compareMethods compares each group with the method that own returns for it, or with base where
// own returns none.
func compareMethods(ctx context.Context, r *Run, base string, own func(Group) string, o CompareOptions) (*Diff, error) {
	c := newComparer(r.Record.ID, r.Record.ID, o)
	c.diff.Base = base
	groups, err := r.groups()
	if err != nil {
		return nil, fmt.Errorf("compare methods of %s: %w", r.Record.ID, err)
	}
	var methods []string
	named := false // a group has a base of its own
	for _, g := range groups {
		if !slices.Contains(methods, g.Group.Method) {
			methods = append(methods, g.Group.Method)
		}
		named = named || own(g.Group) != ""
	}
	if !slices.Contains(methods, base) && !named {
		return nil, fmt.Errorf("compare methods of %s: no method %q; --base names another one of %q", r.Record.ID, base, methods)
	}
	if err := c.chooseMetrics(groups); err != nil {
		return nil, err
	}
	for _, g := range groups {
		against := cmp.Or(own(g.Group), base)
		if g.Group.Method == against {
			continue
		}
		a, ok := baseOf(groups, g.Group, against)
		if !ok {
			want := g.Group
			want.Method = against
			c.refuse(Comparison{A: want, B: g.Group, SeedsB: g.Done().Seeds()},
				against+" has no finished cell with this data set, backbone and mode")
			continue
		}
		if err := c.compare(ctx, side{r, a}, side{r, g}); err != nil {
			return nil, err
		}
	}
	return c.finish(ctx)
}

// groups returns the groups of a run, in the order of its plan and then those that are not in it.
func (r *Run) groups() ([]GroupCells, error) {
	cells, err := r.Cells()
	if err != nil {
		return nil, err
	}
	order := make(map[Group]int)
	for _, k := range r.Record.Cells {
		if _, ok := order[k.Group]; !ok {
			order[k.Group] = len(order)
		}
	}
	place := func(g GroupCells) int {
		if i, ok := order[g.Group]; ok {
			return i
		}
		return len(order)
	}
	groups := Groups(cells)
	slices.SortStableFunc(groups, func(a, b GroupCells) int { return place(a) - place(b) })
	return groups, nil
}

// baseOf finds the finished group of the method base with which g is compared.
func baseOf(groups []GroupCells, g Group, base string) (GroupCells, bool) {
	var best GroupCells
	found := false
	distance := func(size int) int { return max(size-g.Size, g.Size-size) }
	for _, h := range groups {
		want := g
		want.Method, want.Size = base, h.Group.Size
		if h.Group != want || len(h.Done().Cells) == 0 {
			continue
		}
		if !found || distance(h.Group.Size) < distance(best.Group.Size) {
			best, found = h, true
		}
	}
	return best, found
}

// side is a group on one side of a row.
type side struct {
	run   *Run
	group GroupCells
}

// comparer collects the rows of a diff. The rows to test wait with their estimates for finish.
type comparer struct {
	options CompareOptions
	metrics []string
	diff    *Diff
	run     string                    // of B in the next rows; empty where there is one
	groups  []GroupCells              // of all runs at hand
	priors  map[spreadOf]paired.Prior // of the variance of seeds, as far as they were asked for
	waiting map[int]waitingRow        // by row
	cache   map[string][]*outcomes    // of the last base: protocol -> seeds
	cached  string                    // which base the cache is of
}

// waitingRow is a row that is to be tested.
type waitingRow struct {
	estimate paired.Estimate
	prior    paired.Prior
	shown    bool // its interval is shown and it gets no verdict
}

// newComparer returns a comparer of the runs a and b.
func newComparer(a, b string, o CompareOptions) *comparer {
	diff := &Diff{Schema: Schema, A: a, B: b, Models: o.Models, Rows: []Comparison{}, Footnotes: []string{}}
	return &comparer{
		options: o, diff: diff, priors: make(map[spreadOf]paired.Prior), waiting: make(map[int]waitingRow),
	}
}

// chooseMetrics takes the groups at hand and fixes the metrics. A metric that no evaluation has is
// an error.
func (c *comparer) chooseMetrics(sides ...[]GroupCells) error {
	var known []string
	for _, groups := range sides {
		c.groups = append(c.groups, groups...)
		for _, g := range groups {
			for _, cell := range g.Cells {
				for _, e := range cell.Evaluations {
					for m := range e.Metrics {
						known = append(known, m)
					}
				}
			}
		}
	}
	slices.SortFunc(known, compareMetrics)
	known = slices.Compact(known)
	asked := c.options.Metrics
	switch {
	case len(asked) == 0:
		c.metrics = DefaultCompareOptions().Metrics
		return nil
	case slices.Equal(asked, []string{"all"}):
		for _, m := range known {
			if _, recall := recallAt(m); recall || m == mapAtR || m == rPrecision {
				c.metrics = append(c.metrics, m)
			}
		}
		return nil
	}
	for i, m := range asked {
		if len(known) > 0 && !slices.Contains(known, m) {
			return fmt.Errorf("compare: no evaluation has metric %q, want some of %q or \"all\"", m, known)
		}
		if slices.Contains(asked[:i], m) {
			return fmt.Errorf("compare: metric %q is asked for twice", m)
		}
	}
	c.metrics = asked
	return nil
}

// refuse adds a row that cannot be compared.
func (c *comparer) refuse(row Comparison, reason string) {
	row.Reason, row.RunB = reason, c.run
	row.SeedsA, row.SeedsB = append([]int{}, row.SeedsA...), append([]int{}, row.SeedsB...)
	c.diff.Rows = append(c.diff.Rows, row)
}

// note adds a footnote to a row. Equal footnotes are written once.
func (c *comparer) note(row *Comparison, text string) {
	i := slices.Index(c.diff.Footnotes, text)
	if i < 0 {
		i = len(c.diff.Footnotes)
		c.diff.Footnotes = append(c.diff.Footnotes, text)
	}
	if !slices.Contains(row.Notes, i) {
		row.Notes = append(row.Notes, i)
	}
}

// finish tests the waiting rows, corrects their p-values and gives verdicts.
func (c *comparer) finish(ctx context.Context) (*Diff, error) {
	rows := c.diff.Rows
	var tested []int
	for i := range rows {
		slices.Sort(rows[i].Notes)
		if w, ok := c.waiting[i]; ok && !w.shown {
			tested = append(tested, i)
		}
	}
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(runtime.GOMAXPROCS(0))
	for i, w := range c.waiting {
		work.Go(func() error {
			r := &rows[i]
			result := w.estimate.Test(w.prior)
			r.Low, r.High, r.P = result.Low, result.High, result.P
			if w.shown {
				r.PHolm, r.Verdict = 1, Noise
			} else {
				r.Detectable = w.estimate.Detectable(w.prior, len(tested))
			}
			return ctx.Err()
		})
	}
	if err := work.Wait(); err != nil {
		return nil, fmt.Errorf("compare %s with %s: %w", c.diff.A, c.diff.B, err)
	}
	p := make([]float64, len(tested))
	for k, i := range tested {
		p[k] = rows[i].P
	}
	for k, corrected := range paired.Holm(p) {
		r := &rows[tested[k]]
		r.PHolm = corrected
		switch {
		case corrected >= paired.Alpha || r.Delta == 0:
			r.Verdict = Noise
		case r.Delta > 0:
			r.Verdict = Better
		default:
			r.Verdict = Worse
		}
	}
	return c.diff, nil
}

// meanAgrees reports whether a mean over queries is the metric of the record. The record may come
// from a sum in another order or in float32.
func meanAgrees(mean, recorded float64) bool { return math.Abs(mean-recorded) <= 1e-4 }

// commaList joins a few words for a reason or a footnote.
func commaList(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}
