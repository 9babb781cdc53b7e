package paired

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// Alpha is the level of a verdict: p must be below it. The intervals have the level 1 - Alpha.
const Alpha = 0.05

// wantedPower is the power for which differences and seeds are computed.
const wantedPower = 0.8

// roundingError bounds what is left of 0 by sums in another order.
const roundingError = 1e-12

// An Interval is the 95% interval of Delta, within [-1, 1], and the two-sided p-value of Delta = 0,
// in [0, 1]: p < 0.05 exactly where the interval leaves 0 out.
type Interval struct{ Low, High, P float64 }

// Test returns the interval of Delta and its p-value. Delta's variance is that of drawing classes
// plus that of drawing seeds. The latter is moderated by the prior, and its true value is unknown:
//
//	p = sum over d0 of P(d0) [ l P_BF + (1-l) P_S ],  l = min(1, carefulFreedom / f),
//
// where P_S is Student's t with Satterthwaite's degrees of freedom, P_BF is Student's t of the
// classes averaged over what the variance of seeds may be, scaled inverse chi-square with its f
// degrees of freedom (the Behrens-Fisher distribution). P_S gives too many verdicts where f is
// small, because a variance of seeds that came out small by chance then counts as well known. P_BF
// gives too few where f is large. Satterthwaite 1946, Biometrics Bulletin 2, 110-114; Kim and Cohen
// 1998, On the Behrens-Fisher problem, J. Educ. Behav. Statist. 23, 356-377. The package comment
// has the figures by which this was chosen.
//
// Without variance there is no t. Equal values everywhere give [0, 0] and p = 1. If every class
// differs by the same amount and seeds do not vary, the sign test over classes gives p =
// 2^(1-classes). A single class says nothing: [-1, 1] and p = 1.
func (e Estimate) Test(p Prior) Interval {
	t := e.mixture(p)
	switch {
	case math.Abs(e.Delta) < roundingError && t == nil:
		return Interval{0, 0, 1}
	case e.classes < 2:
		return Interval{-1, 1, 1}
	case t == nil:
		sign := math.Exp2(float64(1 - e.classes))
		if sign < Alpha {
			return Interval{e.Delta, e.Delta, sign}
		}
		return Interval{min(0, e.Delta), max(0, e.Delta), sign}
	}
	value, half := t.tail(math.Abs(e.Delta)), t.critical(Alpha)
	if value < Alpha { // rounding must not part the two
		half = min(half, math.Nextafter(math.Abs(e.Delta), 0))
	} else {
		half = max(half, math.Abs(e.Delta))
	}
	return Interval{max(-1, e.Delta-half), min(1, e.Delta+half), value}
}

// Detectable returns the true difference that this comparison, repeated with new classes and seeds,
// finds with 80% power as one of so many rows of a table, by Holm's correction at its strictest; 0
// where no difference can be found, or any.
func (e Estimate) Detectable(p Prior, rows int) float64 {
	t := e.mixture(p)
	if t == nil || e.classes < 2 {
		return 0
	}
	return t.detectable(Alpha / float64(rows))
}

// A mixture is a distribution of Delta around its true value: Student's t with different standard
// errors and degrees of freedom.
type mixture []student

// student is a part of a mixture.
type student struct{ weight, error, freedom float64 }

// carefulFreedom is the number of degrees of freedom of the variance of seeds up to which it counts
// as unknown.
const carefulFreedom = 2.0

// leastWeight is the weight below which a part of a mixture is left out. Levels of p down to
// 1e-5 matter, in tables of thousands of rows.
const leastWeight = 1e-8

// mixture returns the distribution of Delta; nil where nothing varies.
func (e Estimate) mixture(p Prior) mixture { return e.mixtureWith(p, carefulFreedom) }

// mixtureWith returns the distribution of Delta for a choice of carefulFreedom.
func (e Estimate) mixtureWith(p Prior, carefulFreedom float64) mixture {
	classes := func(weight, variance float64) student {
		freedom := math.Inf(1)
		if e.classRate > 0 {
			freedom = e.classFreedom * (variance / e.classRate) * (variance / e.classRate)
		}
		return student{weight, math.Sqrt(variance), freedom}
	}
	if len(p.parts) == 0 || e.sides == [2]Spread{} {
		if math.Sqrt(e.classRate) < roundingError {
			return nil
		}
		return mixture{classes(1, e.classRate)}
	}
	var m mixture
	for _, part := range p.parts {
		seeds, freedom, far := part.moderated(e.sides)
		careful := min(1, carefulFreedom/far)
		variance := e.variance(seeds)
		m = append(m, student{
			weight: part.weight * (1 - careful), error: math.Sqrt(variance),
			freedom: variance * variance / (e.classRate*e.classRate/max(1, e.classFreedom) + seeds*seeds/freedom),
		})
		values, weights := inverseChiSquares(far)
		for i, v := range values {
			m = append(m, classes(part.weight*careful*weights[i], e.variance(seeds*v)))
		}
	}
	return slices.DeleteFunc(m, func(s student) bool { return s.weight < leastWeight })
}

// inverseChiSquares returns values f / chi-square(f) and their probabilities, which sum to 1. They
// are evenly apart in the logarithm, where the density is smooth, and leave out a hundred-millionth
// at either end.
func inverseChiSquares(f float64) (values, weights []float64) {
	const points = 16 // p changes by 1e-4 of itself with more
	low, high := logChiSquare(1e-8, f), logChiSquare(1-1e-8, f)
	gamma, _ := math.Lgamma(f / 2)
	total := 0.0
	for i := range points {
		z := low + (float64(i)+0.5)*(high-low)/points // log(chi-square / f)
		half := f / 2 * math.Exp(z)
		w := math.Exp(f/2*math.Log(half) - half - gamma)
		values, weights = append(values, math.Exp(-z)), append(weights, w)
		total += w
	}
	for i := range weights {
		weights[i] /= total
	}
	return values, weights
}

// logChiSquare returns the logarithm of a quantile of chi-square(f) / f. Far below 1 it is that of
// the first term of the series, which does not underflow.
func logChiSquare(p, f float64) float64 {
	gamma, _ := math.Lgamma(f/2 + 1)
	if z := math.Log(2/f) + (math.Log(p)+gamma)*2/f; z < -4 {
		return z
	}
	return math.Log(2 * mathext.GammaIncRegInv(f/2, p) / f)
}

// tail returns the probability that Delta is at least so far from its true value, on either side.
func (m mixture) tail(distance float64) float64 {
	total := 0.0
	for _, s := range m {
		t := distance / s.error
		if s.freedom > 1e4 { // within 1e-4 of the normal's, relatively, down to p = 1e-5
			total += s.weight * math.Erfc(t/math.Sqrt2)
			continue
		}
		total += s.weight * 2 * distuv.StudentsT{Sigma: 1, Nu: s.freedom}.Survival(t)
	}
	return total
}

// critical returns the distance whose tail is level, in (0, 1).
func (m mixture) critical(level float64) float64 {
	low, high := 0.0, m[0].error
	for m.tail(high) > level {
		low, high = high, 2*high
		if high > 1e6 { // Delta is at most 1
			return high
		}
	}
	// Regula falsi on the logarithm of the tail, by the Illinois rule: an end that stays twice
	// counts by half.
	excess := func(x float64) float64 { return math.Log(m.tail(x) / level) }
	above, below := excess(low), excess(high)
	for last := 0.0; ; {
		x := (low*below - high*above) / (below - above)
		y := excess(x)
		if math.Abs(y) < 1e-9 || !(x > low && x < high) {
			return x
		}
		if y > 0 {
			low, above = x, y
			if last > 0 {
				below /= 2
			}
		} else {
			high, below = x, y
			if last < 0 {
				above /= 2
			}
		}
		last = y
	}
}

// detectable returns the difference that is found with 80% power at a level.
func (m mixture) detectable(level float64) float64 {
	return m.critical(level) + m.critical(2*(1-wantedPower))
}
