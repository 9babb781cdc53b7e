package reports

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"bierbench/reports/internal/table"
	"bierbench/runs"
)

const (
	mostFlips  = 12 // rows of a diff whose flipped queries are shown
	flipRounds = 2  // in each, a row of pictures of each kind
)

// DiffFlips has the flipped queries of a diff's page in pictures.
type DiffFlips struct{ album album }

// NewDiffFlips reads some of the queries that only one side of a row hits. opened are the runs of
// the diff, A's first. Missing data becomes a note in the page, not an error.
func NewDiffFlips(ctx context.Context, d *runs.Diff, opened []*runs.Run, pictures Pictures) (*DiffFlips, error) {
	flips := &DiffFlips{}
	reader := &pictureReader{pictures: pictures}
	var pairs []*flippedPair
	for i, c := range flippedRows(d) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if i == mostFlips {
			break
		}
		p := newFlippedPair(d, c, opened)
		p.card.place = i
		if why := p.read(); why != "" {
			flips.album.note("%s: %s", p.card.Title, why)
			continue
		}
		pairs = append(pairs, p)
	}
	for round := range flipRounds {
		for _, p := range pairs {
			rows, why := p.round(round, reader)
			if why != "" {
				flips.album.note("%s", why)
				continue
			}
			if !flips.album.add(pictureUnit{p.card, rows}) && len(rows) > 0 {
				return flips, nil
			}
		}
	}
	return flips, nil
}

// flippedRows returns the rows that have flipped queries. Those with a verdict of better or worse
// come first; otherwise the order is that of the diff.
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

// flippedPair is a row of a diff at one seed.
type flippedPair struct {
	row          runs.Comparison
	runA, runB   *runs.Run
	a, b         string // the sides' names
	seed         int
	setA, setB   PictureSet
	gained, lost []flip // those to show, in the order in which they get room
	card         *pictureCard
}

// flip is a query on both sides.
type flip struct {
	a, b  runs.Query
	drawn bool
}

// newFlippedPair names the sides of a row.
func newFlippedPair(d *runs.Diff, row runs.Comparison, opened []*runs.Run) *flippedPair {
	p := &flippedPair{row: row, runA: opened[0], runB: opened[0]}
	nameB := cmp.Or(row.RunB, d.B)
	if i := slices.IndexFunc(opened, func(r *runs.Run) bool { return r.Record.ID == nameB }); i >= 0 {
		p.runB = opened[i]
	}
	for _, s := range row.Pairs { // the first seed at which a query flipped
		if s.Gained+s.Lost > 0 {
			p.seed = s.Seed
			break
		}
	}
	p.a, p.b = "A: "+sideName(row.A, row.B, d.A, d), "B: "+sideName(row.B, row.A, nameB, d)
	title := fmt.Sprintf("%s, %s %s: %s-%d", row.Protocol, row.B.Backbone, row.B.Mode, row.B.Method, row.B.Size)
	if d.Base == "" {
		title += " in " + nameB + " against " + d.A
	} else {
		title += fmt.Sprintf(" against %s-%d", row.A.Method, row.A.Size)
	}
	p.card = &pictureCard{Title: fmt.Sprintf("%s, seed %d", title, p.seed), Dataset: row.B.Dataset, Method: row.B.Method}
	return p
}

// read finds the flipped queries, counts them in the title and chooses the ones to show. If there
// are none, it returns the reason.
func (p *flippedPair) read() string {
	cellA, queriesA, why := readNearest(p.runA, runs.Key{Group: p.row.A, Seed: p.seed}, p.row.Protocol)
	if why != "" {
		return "A: " + why
	}
	cellB, queriesB, why := readNearest(p.runB, runs.Key{Group: p.row.B, Seed: p.seed}, p.row.Protocol)
	if why != "" {
		return "B: " + why
	}
	same := func(a, b runs.Query) bool { return a.ID == b.ID && a.Draw == b.Draw }
	if !slices.EqualFunc(queriesA, queriesB, same) {
		return "the queries are not the same."
	}
	var gained, lost []flip
	for i, a := range queriesA {
		switch b := queriesB[i]; {
		case a.Rank > 1 && b.Rank == 1:
			gained = append(gained, flip{a: a, b: b})
		case a.Rank == 1 && b.Rank > 1:
			lost = append(lost, flip{a: a, b: b})
		}
	}
	p.setA = PictureSet{p.row.A.Dataset, p.row.A.Variant, cellA.DataHash}
	p.setB = PictureSet{p.row.B.Dataset, p.row.B.Variant, cellB.DataHash}
	p.gained, p.lost = p.choose(gained), p.choose(lost)
	p.card.Title += fmt.Sprintf(": %s gained, %s lost", table.Thousands(len(gained)), table.Thousands(len(lost)))
	return ""
}

// choose returns the flips whose rank changed most and as many drawn from the rest, in turn.
func (p *flippedPair) choose(flips []flip) []flip {
	sorted := slices.Clone(flips)
	slices.SortStableFunc(sorted, func(x, y flip) int {
		return cmp.Compare(max(y.a.Rank, y.b.Rank), max(x.a.Rank, x.b.Rank))
	})
	most := sorted[:min(flipRounds, len(sorted))]
	rest := sorted[len(most):]
	random := rand.New(rand.NewPCG(uint64(p.seed), drawStream)).Perm(len(rest))
	var chosen []flip
	for i, f := range most {
		chosen = append(chosen, f)
		if i < len(rest) {
			f = rest[random[i]]
			f.drawn = true
			chosen = append(chosen, f)
		}
	}
	return chosen
}

// round returns the rows of a round, the next two flips in each direction. If there are none, it
// returns the reason.
func (p *flippedPair) round(n int, reader *pictureReader) ([]pictureRow, string) {
	var rows []pictureRow
	for place, flips := range [][]flip{p.gained, p.lost} {
		for _, f := range flips[min(2*n, len(flips)):min(2*n+2, len(flips))] {
			row, err := p.pictures(f, reader)
			if err != nil {
				return nil, err.Error() + "." // of the data set, whatever the methods
			}
			kind, how := "Gained", "largest change"
			if place == 1 {
				kind = "Lost"
			}
			row.place = 2 * place
			if f.drawn {
				how = "drawn"
				row.place++
			}
			row.About = fmt.Sprintf("%s, %s: rank %s in A, %s in B", kind, how, table.Thousands(int(f.a.Rank)), table.Thousands(int(f.b.Rank)))
			rows = append(rows, row)
		}
	}
	return rows, ""
}

// pictures returns the pictures of a query and of the image that each side found first.
func (p *flippedPair) pictures(f flip, reader *pictureReader) (pictureRow, error) {
	own, err := reader.thumbnail(p.setA, f.a.ID)
	if err != nil {
		return pictureRow{}, err
	}
	first, err := reader.thumbnail(p.setA, f.a.Nearest[0])
	if err != nil {
		return pictureRow{}, err
	}
	other, err := reader.thumbnail(p.setB, f.b.Nearest[0])
	if err != nil {
		return pictureRow{}, err
	}
	return pictureRow{Pictures: []picture{
		queriedImage(own),
		foundImage(first, own, p.a+" found first", "A ", f.a.Scores[0]),
		foundImage(other, own, p.b+" found first", "B ", f.b.Scores[0]),
	}}, nil
}
