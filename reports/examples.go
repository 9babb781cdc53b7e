package reports

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"

	"bierbench/reports/internal/table"
	"bierbench/runs"
)

const (
	// mostExampleMethods is how many methods of a data set and backbone have examples.
	mostExampleMethods = 4
	// firstExamples is how many rows of each of them come before anybody's others.
	firstExamples = 4
)

// gatherExamples reads queries of a report with their nearest images. opened are the runs of the
// report. Missing data becomes a note, not an error.
func (r *Report) gatherExamples(ctx context.Context, opened []*runs.Run, pictures Pictures) (*album, error) {
	a := &album{}
	reader := &pictureReader{pictures: pictures}
	var cards []exampleCard
	places := r.examplePlaces()
	for rank := range mostExampleMethods {
		for i, p := range places {
			if rank < len(p) {
				cards = append(cards, exampleCard{result: p[rank], card: &pictureCard{
					Title: r.exampleTitle(p[rank]), Dataset: p[rank].Group.Dataset, Method: p[rank].Group.Method,
					place: i*mostExampleMethods + rank,
				}})
			}
		}
	}
	for i := range cards {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		c := &cards[i]
		at := slices.IndexFunc(opened, func(run *runs.Run) bool { return run.Record.ID == c.result.Run })
		if why := c.read(opened[at], reader, firstExamples); why != "" {
			a.note("%s", why)
			continue
		}
		if !a.add(pictureUnit{c.card, c.rows}) && len(c.rows) > 0 {
			return a, nil
		}
	}
	for i := range cards {
		c := &cards[i]
		if why := c.more(reader); why != "" {
			a.note("%s", why)
			continue
		}
		if !a.add(pictureUnit{c.card, c.rows}) && len(c.rows) > 0 {
			break
		}
	}
	return a, nil
}

// examplePlaces returns, for each data set and backbone of each run, the results that have
// examples, on its first protocol. The base of the best result comes first, then the best by R@1,
// then the others, one of each method.
func (r *Report) examplePlaces() [][]Result {
	var order []chartPlace
	all := map[chartPlace][]Result{}
	protocols := map[chartPlace]string{}
	for _, x := range r.Results {
		p := placeOf(x.Run, x.Group, "")
		if protocols[p] == "" {
			protocols[p] = x.Protocol
			order = append(order, p)
		}
		if _, ok := x.metric(recallAt1); ok && x.Protocol == protocols[p] {
			all[p] = append(all[p], x)
		}
	}
	var places [][]Result
	for _, p := range order {
		if len(all[p]) > 0 {
			places = append(places, bestFirst(all[p]))
		}
	}
	return places
}

// bestFirst puts the results of a place into the order of examplePlaces.
func bestFirst(results []Result) []Result {
	value := func(x Result) float64 {
		m, _ := x.metric(recallAt1)
		return m.Summary.Mean
	}
	sorted := slices.Clone(results)
	slices.SortStableFunc(sorted, func(x, y Result) int { return cmp.Compare(value(y), value(x)) })
	order := sorted
	for _, x := range sorted { // the best that is compared with another
		m, _ := x.metric(recallAt1)
		if m.Versus == nil || m.Versus.Reason != "" {
			continue
		}
		if i := slices.IndexFunc(sorted, func(y Result) bool { return y.Group == m.Versus.A && y.At == x.At }); i >= 0 {
			order = append([]Result{sorted[i], x}, sorted...)
			break
		}
	}
	var chosen []Result
	for _, x := range order {
		if !slices.ContainsFunc(chosen, func(y Result) bool { return x.Group.Method == y.Group.Method }) {
			chosen = append(chosen, x)
		}
	}
	return chosen
}

// exampleTitle names a result and the seed of its examples.
func (r *Report) exampleTitle(x Result) string {
	return fmt.Sprintf("%s: %s, seed %d", r.placeTitle(placeOf(x.Run, x.Group, x.Protocol)), r.lineStyles().name(x.Group), slices.Min(x.Seeds))
}

// exampleCard is a card while its rows are read.
type exampleCard struct {
	result Result
	card   *pictureCard
	set    PictureSet
	picks  []pickedQuery // that are not read yet
	rows   []pictureRow
}

// pickedQuery is a query that was picked, and why.
type pickedQuery struct {
	runs.Query
	why string
}

// read picks the queries of a card and reads the first rows. If there are none, it returns the
// reason.
func (c *exampleCard) read(run *runs.Run, reader *pictureReader, rows int) string {
	if c.result.At == runs.AtPeek {
		return c.card.Title + ": chosen by its test results, so its queries are not kept and there are no examples."
	}
	k := runs.Key{Group: c.result.Group, Seed: slices.Min(c.result.Seeds)}
	cell, queries, why := readNearest(run, k, c.result.Protocol)
	if why != "" {
		return c.card.Title + ": " + why
	}
	c.set = PictureSet{k.Dataset, k.Variant, cell.DataHash}
	c.picks = pickExamples(queries, k.Seed)
	return c.take(reader, rows)
}

// readNearest reads the queries of a cell by (draw, id), with the images that were found for them.
// If there are none, it returns the reason.
func readNearest(run *runs.Run, k runs.Key, protocol string) (runs.Cell, []runs.Query, string) {
	cell, ok, err := run.Cell(k)
	if err != nil || !ok {
		return cell, nil, fmt.Sprintf("the record of the cell is not there: %v.", err)
	}
	queries, err := run.Queries(cell, protocol)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return cell, nil, "its queries are not stored; \"bierbench evaluate " + run.Record.ID + "\" writes them."
	case err != nil:
		return cell, nil, err.Error()
	case slices.ContainsFunc(queries, func(q runs.Query) bool { return len(q.Nearest) == 0 }):
		return cell, nil, "its queries are stored without the images that were found for them."
	}
	slices.SortFunc(queries, func(a, b runs.Query) int { return cmp.Or(cmp.Compare(a.Draw, b.Draw), cmp.Compare(a.ID, b.ID)) })
	return cell, queries, ""
}

// more reads the rest of a card's rows.
func (c *exampleCard) more(reader *pictureReader) string { return c.take(reader, len(c.picks)) }

// take reads the next n picks into rows. It returns the reason if it cannot.
func (c *exampleCard) take(reader *pictureReader, n int) string {
	c.rows = nil
	n = min(n, len(c.picks))
	for _, p := range c.picks[:n] {
		row, err := p.row(c.set, reader)
		if err != nil {
			c.picks = nil
			return err.Error() + "." // of the data set, whatever the method
		}
		c.rows = append(c.rows, row)
	}
	c.picks = c.picks[n:]
	return ""
}

// row reads the pictures of a query.
func (p pickedQuery) row(set PictureSet, reader *pictureReader) (pictureRow, error) {
	own, err := reader.thumbnail(set, p.ID)
	if err != nil {
		return pictureRow{}, err
	}
	row := pictureRow{About: p.why, Pictures: []picture{queriedImage(own)}}
	for i, id := range p.Nearest {
		t, err := reader.thumbnail(set, id)
		if err != nil {
			return pictureRow{}, err
		}
		row.Pictures = append(row.Pictures, foundImage(t, own, fmt.Sprintf("nearest %d", i+1), "", p.Scores[i]))
	}
	return row, nil
}

// drawStream separates the draws of pictures from other uses of a cell's seed.
const drawStream = 0x7069637475726573

// pickExamples picks queries: one of each of four kinds, then a second failure and a second draw.
// Every cell of the seed has the same draws on these queries.
func pickExamples(queries []runs.Query, seed int) []pickedQuery {
	first := func(fits func(runs.Query) bool, before func(a, b runs.Query) bool) (best *runs.Query) {
		for i, q := range queries {
			if fits(q) && (best == nil || before(q, *best)) {
				best = &queries[i]
			}
		}
		return best
	}
	var picks []pickedQuery
	isNew := func(q runs.Query) bool {
		return !slices.ContainsFunc(picks, func(p pickedQuery) bool { return p.ID == q.ID })
	}
	add := func(q *runs.Query, format string, values ...any) {
		if q != nil && isNew(*q) {
			picks = append(picks, pickedQuery{*q, fmt.Sprintf(format, values...)})
		}
	}
	lowest := func(which string) {
		q := first(func(q runs.Query) bool { return q.Rank > 1 && isNew(q) }, func(a, b runs.Query) bool { return a.Rank > b.Rank })
		if q != nil {
			add(q, "Failure, ranked %s: the first correct image has rank %s", which, table.Thousands(int(q.Rank)))
		}
	}
	random := rand.New(rand.NewPCG(uint64(seed), drawStream)).Perm(len(queries))
	drawn := func(i int) {
		if i < len(random) {
			add(&queries[random[i]], "Drawn: %s", rankWords(queries[random[i]].Rank))
		}
	}
	lowest("lowest")
	wrong := first(func(q runs.Query) bool { return q.Rank > 1 && isNew(q) }, func(a, b runs.Query) bool { return a.Scores[0] > b.Scores[0] })
	if wrong != nil {
		add(wrong, "Failure, most similar: the first correct image has rank %s", table.Thousands(int(wrong.Rank)))
	}
	right := first(func(q runs.Query) bool { return q.Rank == 1 }, func(a, b runs.Query) bool {
		return cmp.Or(cmp.Compare(a.AP, b.AP), cmp.Compare(a.Scores[0], b.Scores[0])) > 0
	})
	if right != nil {
		add(right, "Success: average precision %.2f, the highest", right.AP)
	}
	drawn(0)
	drawn(1)
	lowest("second lowest")
	return picks
}

// rankWords says in words at which rank a query's first correct image is.
func rankWords(rank int32) string {
	if rank == 1 {
		return "the nearest image is correct"
	}
	return "the first correct image has rank " + table.Thousands(int(rank))
}
