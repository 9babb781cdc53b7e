package reports

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"bierbench/runs"
)

const (
	mostFlips    = 12 // rows of a diff whose flipped queries are shown
	extremeFlips = 2  // with the largest change of rank, of each direction
	drawnFlips   = 2  // drawn from the others
)

// DiffFlips are the flipped queries of a diff's page in pictures.
type DiffFlips struct{ album album }

// NewDiffFlips reads some of the queries that only one side of a row has a hit
// for. opened are the runs of the diff, A's first. What is not there is a note in
// the page, not an error.
func NewDiffFlips(ctx context.Context, d *runs.Diff, opened []*runs.Run, pictures Pictures) (*DiffFlips, error) {
	flips := &DiffFlips{}
	reader := &pictureReader{pictures: pictures}
	for i, c := range flippedRows(d) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if i == mostFlips {
			break
		}
		p := flippedPair{c: c, runA: opened[0], runB: opened[0], seed: flippedSeed(c)}
		nameB := cmp.Or(c.RunB, d.B)
		if j := slices.IndexFunc(opened, func(r *runs.Run) bool { return r.Record.ID == nameB }); j >= 0 {
			p.runB = opened[j]
		}
		p.a, p.b = "A: "+sideName(c.A, c.B, d.A, d), "B: "+sideName(c.B, c.A, nameB, d)
		card := &pictureCard{Dataset: c.B.Dataset, Method: c.B.Method, place: i}
		group := fmt.Sprintf("%s, %s %s: %s-%d", c.Protocol, c.B.Backbone, c.B.Mode, c.B.Method, c.B.Size)
		if d.Base == "" {
			group += " in " + nameB + " against " + d.A
		} else {
			group += " against " + fmt.Sprintf("%s-%d", c.A.Method, c.A.Size)
		}
		rows, pair, why := p.rows(reader)
		card.Title = fmt.Sprintf("%s, seed %d: %s gained, %s lost", group, p.seed, thousands(pair.Gained), thousands(pair.Lost))
		if why != "" {
			flips.album.note("%s, seed %d: %s", group, p.seed, why)
			continue
		}
		if !flips.album.add(pictureUnit{card, rows}) {
			break
		}
	}
	return flips, nil
}

// flippedRows returns the rows that have flipped queries; those with a verdict of
// better or worse first, else in the order of the diff.
func flippedRows(d *runs.Diff) []runs.Comparison {
	var rows []runs.Comparison
	for _, c := range d.Rows {
		if c.Metric == recallAt1 && c.Reason == "" && c.Gained+c.Lost > 0 {
			rows = append(rows, c)
		}
	}
	verdict := func(c runs.Comparison) int {
		if c.Verdict == runs.Better || c.Verdict == runs.Worse {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(rows, func(x, y runs.Comparison) int { return verdict(x) - verdict(y) })
	return rows
}

// flippedSeed is the first seed at which a query flipped.
func flippedSeed(c runs.Comparison) int {
	for _, p := range c.Pairs {
		if p.Gained+p.Lost > 0 {
			return p.Seed
		}
	}
	return 0
}

// flippedPair is a row of a diff at one seed.
type flippedPair struct {
	c          runs.Comparison
	runA, runB *runs.Run
	a, b       string // the sides' names
	seed       int
}

// flip is a query on both sides.
type flip struct{ a, b runs.Query }

// rows reads some flipped queries and counts all; else it says why there are none.
func (p flippedPair) rows(reader *pictureReader) ([]pictureRow, runs.SeedPair, string) {
	count := runs.SeedPair{Seed: p.seed}
	cellA, queriesA, why := readNearest(p.runA, runs.Key{Group: p.c.A, Seed: p.seed}, p.c.Protocol)
	if why != "" {
		return nil, count, "A: " + why
	}
	cellB, queriesB, why := readNearest(p.runB, runs.Key{Group: p.c.B, Seed: p.seed}, p.c.Protocol)
	if why != "" {
		return nil, count, "B: " + why
	}
	if len(queriesA) != len(queriesB) {
		return nil, count, "the queries are not the same."
	}
	var gained, lost []flip
	for i, a := range queriesA {
		b := queriesB[i]
		switch {
		case a.ID != b.ID || a.Draw != b.Draw:
			return nil, count, "the queries are not the same."
		case a.Rank > 1 && b.Rank == 1:
			gained = append(gained, flip{a, b})
		case a.Rank == 1 && b.Rank > 1:
			lost = append(lost, flip{a, b})
		}
	}
	count.Gained, count.Lost = len(gained), len(lost)
	setA := PictureSet{p.c.A.Dataset, p.c.A.Variant, cellA.DataHash}
	setB := PictureSet{p.c.B.Dataset, p.c.B.Variant, cellB.DataHash}
	var rows []pictureRow
	for _, kind := range []struct {
		name  string
		flips []flip
	}{{"Gained", gained}, {"Lost", lost}} {
		for i, f := range p.choose(kind.flips) {
			how := "largest change of rank"
			if i >= extremeFlips {
				how = "drawn"
			}
			row := pictureRow{About: fmt.Sprintf("%s, %s: the first correct image has rank %s with A, %s with B",
				kind.name, how, thousands(int(f.a.Rank)), thousands(int(f.b.Rank)))}
			own, err := reader.thumbnail(setA, f.a.ID)
			if err != nil {
				return nil, count, err.Error() + "."
			}
			row.Pictures = append(row.Pictures, query(own))
			for _, side := range []struct {
				name, mark string
				set        PictureSet
				query      runs.Query
			}{{p.a, "A ", setA, f.a}, {p.b, "B ", setB, f.b}} {
				t, err := reader.thumbnail(side.set, side.query.Nearest[0])
				if err != nil {
					return nil, count, err.Error() + "."
				}
				row.Pictures = append(row.Pictures, found(t, own, side.name+" found first", side.mark, side.query.Scores[0]))
			}
			rows = append(rows, row)
		}
	}
	return rows, count, ""
}

// choose returns the flips whose rank changed most, then some drawn from the rest.
func (p flippedPair) choose(flips []flip) []flip {
	sorted := slices.Clone(flips)
	slices.SortStableFunc(sorted, func(x, y flip) int {
		return cmp.Compare(max(y.a.Rank, y.b.Rank), max(x.a.Rank, x.b.Rank))
	})
	if len(sorted) <= extremeFlips {
		return sorted
	}
	chosen, rest := sorted[:extremeFlips:extremeFlips], sorted[extremeFlips:]
	random := rand.New(rand.NewPCG(uint64(p.seed), drawStream)).Perm(len(rest))
	for _, i := range random[:min(drawnFlips, len(rest))] {
		chosen = append(chosen, rest[i])
	}
	return chosen
}
