package paired

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// A Design says how the two configurations of a comparison vary, so that comparisons with other
// numbers of seeds can be foreseen. Variances are those of means over all queries. It is not safe
// for concurrent use.
type Design struct {
	ClassVariance float64 // of Delta, from drawing classes, without the interaction
	ClassFreedom  float64 // degrees of freedom of the classes, at least 1
	SeedVariance  float64 // of one seed's mean; it includes Interaction
	Interaction   float64 // of one seed's mean: the noise that neither class nor seed explains
	Rows          int     // of the table that the comparison is in: Holm's correction at its strictest
	Prior         Prior   // fitted to the groups at hand

	judged map[int][]float64 // by seeds on each side: the distances that a verdict needs
}

// NewDesign returns a design with the class part that is the median of the estimates, at least one,
// and their mean interaction.
func NewDesign(estimates []Estimate, seedVariance float64, rows int, prior Prior) *Design {
	d := &Design{SeedVariance: seedVariance, Rows: rows, Prior: prior}
	var classes, freedoms []float64
	for _, e := range estimates {
		classes, freedoms = append(classes, e.ClassVariance()), append(freedoms, e.classFreedom)
		seeds := 0.0 // interaction / seeds is what one seed adds
		for _, s := range e.sides {
			if s.Freedom > 0 {
				seeds += 1 / (s.Freedom + 1)
			}
		}
		if seeds > 0 {
			d.Interaction += e.interaction / seeds / float64(len(estimates))
		}
	}
	d.ClassVariance, d.ClassFreedom = Median(classes), max(1, Median(freedoms))
	d.Interaction = min(d.Interaction, seedVariance)
	return d
}

// distances returns, for comparisons with so many seeds on each side in a table whose groups, one
// more than its rows, have as many, how far Delta must be from 0 for a verdict. The variance of
// seeds comes out larger or smaller by chance: the distances are those of equally likely outcomes.
func (d *Design) distances(seeds int) []float64 {
	if known, ok := d.judged[seeds]; ok {
		return known
	}
	const outcomes = 15
	n := float64(seeds)
	p := Prior{parts: slices.Clone(d.Prior.parts)}
	freedom := 0.0
	for i := range p.parts {
		part := &p.parts[i]
		part.known = float64(d.Rows+1) * (n - 1)
		if !math.IsInf(part.freedom, 1) {
			part.known *= part.freedom / (n - 1 + part.freedom)
		}
		part.variance = d.SeedVariance
		side := Spread{Variance: d.SeedVariance, Freedom: n - 1}
		_, f, _ := part.moderated([2]Spread{side, side})
		freedom += part.weight * f
	}
	var all []float64
	for i := range outcomes {
		chance := 1.0
		if freedom > 0 {
			chance = math.Exp(logChiSquare((float64(i)+0.5)/outcomes, freedom))
		}
		side := Spread{Variance: d.SeedVariance * chance, Freedom: n - 1}
		for k := range p.parts {
			p.parts[k].variance = side.Variance
		}
		e := Estimate{
			classes: 2, classFreedom: d.ClassFreedom, classRate: d.ClassVariance + 2*d.Interaction/n,
			interaction: 2 * d.Interaction / n, sides: [2]Spread{side, side},
		}
		if t := e.mixture(p); t != nil {
			all = append(all, t.critical(Alpha/float64(d.Rows)))
		}
	}
	if d.judged == nil {
		d.judged = make(map[int][]float64)
	}
	d.judged[seeds] = all
	return all
}

// Power returns the share of comparisons with so many seeds on each side, at least 2, that find a
// difference above 0, in [0, 1].
func (d *Design) Power(difference float64, seeds int) float64 {
	error := math.Sqrt(d.ClassVariance + 2*d.SeedVariance/float64(seeds))
	if error < roundingError {
		return 1
	}
	found := 0.0
	distances := d.distances(seeds)
	for _, needed := range distances {
		found += distuv.UnitNormal.CDF((difference-needed)/error) / float64(len(distances))
	}
	return found
}

// Reach returns the difference, a fraction, that so many seeds on each side, at least 2, find with
// 80% power; 0 where nothing varies or none is found.
func (d *Design) Reach(seeds int) float64 {
	low, high := 0.0, 1.0
	if d.Power(low, seeds) >= wantedPower || d.Power(high, seeds) < wantedPower {
		return 0
	}
	for range 50 {
		if middle := (low + high) / 2; d.Power(middle, seeds) < wantedPower {
			low = middle
		} else {
			high = middle
		}
	}
	return high
}

// MostSeeds is the largest number of seeds on each side that is tried.
const MostSeeds = 100

// Need says how many seeds on each side find a difference with 80% power. The numbers tried are 2
// to 10, then 12, 15, 20, 25, 30, 40, 50, 60, 80 and 100.
type Need struct {
	Difference float64 `json:"difference"` // a fraction
	Seeds      int     `json:"seeds"`      // 0: more than MostSeeds
	Power      float64 `json:"power"`      // with Seeds, or with MostSeeds where Seeds is 0
}

// seedLadder returns the numbers of seeds that are tried. Between large ones the power hardly
// differs.
func seedLadder() []int {
	return []int{2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, MostSeeds}
}

// Need returns the smallest number of seeds on each side that finds a difference above 0, a
// fraction, with 80% power.
func (d *Design) Need(difference float64) Need {
	need := Need{Difference: difference}
	for _, seeds := range seedLadder() {
		if need.Power = d.Power(difference, seeds); need.Power >= wantedPower {
			need.Seeds = seeds
			break
		}
	}
	return need
}

// Median returns the median of values, which it sorts; 0 where there are none.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return stat.Mean([]float64{values[(len(values)-1)/2], values[len(values)/2]}, nil)
}
