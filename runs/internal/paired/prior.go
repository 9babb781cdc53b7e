package paired

import "math"

// A Prior is what the groups of a table tell of the variance of any one group's seeds: variances
// scatter around a common one, s0^2, like s0^2 d0 / chi-square(d0). Smyth 2004, Linear models and
// empirical Bayes methods, Statist. Appl. Genet. Mol. Biol. 3(1) 3, fits d0 and s0^2 and takes them
// for known. From the few groups of a table d0 is hardly known, so a Prior has several with their
// probabilities. The zero Prior says that no seed varies.
type Prior struct{ parts []priorPart }

// priorPart is a prior with one d0.
type priorPart struct {
	freedom  float64 // d0, +Inf where all groups have one variance
	variance float64 // s0^2, the likeliest with this d0
	known    float64 // degrees of freedom with which the groups determine s0^2
	weight   float64 // probability of this d0; they sum to 1
}

// priorFreedoms returns the values of d0 that are weighed against each other. Between neighbours
// the tails of Student's t hardly differ.
func priorFreedoms() []float64 { return []float64{0.5, 1, 2, 4, 8, 16, 32, 64, math.Inf(1)} }

// Before the groups are looked at, log d0 is normal around log usualFreedom with the standard
// deviation usualSpread, and "one variance" counts as d0 = oneVariance. With d0 = 4 the standard
// deviations of seeds differ by factors of about 1.6. The package comment has what the choice does.
const (
	usualFreedom = 4.0
	usualSpread  = 1.2
	oneVariance  = 256.0
)

// NewPrior fits the prior to the spreads of the groups of a table; those without degrees of freedom
// tell nothing. The likelihood of a variance v with d degrees of freedom is that of
//
//	v / s0^2 ~ F(d, d0),
//
// maximal in s0^2, integrated over log s0^2 by Laplace's method.
func NewPrior(spreads []Spread) Prior {
	var usable []Spread
	largest := 0.0
	for _, s := range spreads {
		if s.Freedom > 0 {
			usable = append(usable, s)
			largest = max(largest, s.Variance)
		}
	}
	var p Prior
	if math.Sqrt(largest) < roundingError {
		return p
	}
	best := math.Inf(-1)
	for _, d0 := range priorFreedoms() {
		part, likelihood := fitVariance(usable, d0, largest)
		z := (math.Log(min(d0, oneVariance)) - math.Log(usualFreedom)) / usualSpread
		part.weight = likelihood - math.Log(part.known)/2 - z*z/2
		best = max(best, part.weight)
		p.parts = append(p.parts, part)
	}
	total := 0.0
	for i := range p.parts {
		p.parts[i].weight = math.Exp(p.parts[i].weight - best)
		total += p.parts[i].weight
	}
	for i := range p.parts {
		p.parts[i].weight /= total
	}
	return p
}

// fitVariance returns the likeliest s0^2 with a given d0, and the logarithm of its likelihood
// without the terms that no d0 changes. largest is the largest variance of the spreads, above 0.
func fitVariance(spreads []Spread, d0, largest float64) (priorPart, float64) {
	p := priorPart{freedom: d0}
	if math.IsInf(d0, 1) {
		sum := 0.0
		for _, s := range spreads {
			sum += s.Freedom * s.Variance
			p.known += s.Freedom
		}
		p.variance = sum / p.known
		likelihood := 0.0
		for _, s := range spreads {
			h := s.Freedom / 2
			gamma, _ := math.Lgamma(h)
			likelihood += h*math.Log(h/p.variance) - h*s.Variance/p.variance - gamma
		}
		return p, likelihood
	}
	// The derivative of the likelihood falls as s0^2 rises; its zero is between these bounds.
	low, high := math.Log(largest)-60, math.Log(largest)+3
	for range 60 {
		middle := (low + high) / 2
		slope := 0.0
		for _, s := range spreads {
			dv := s.Freedom * s.Variance
			slope += (s.Freedom+d0)*dv/(d0*math.Exp(middle)+dv) - s.Freedom
		}
		if slope > 0 {
			low = middle
		} else {
			high = middle
		}
	}
	p.variance = math.Exp((low + high) / 2)
	prior, _ := math.Lgamma(d0 / 2)
	likelihood := 0.0
	for _, s := range spreads {
		h := s.Freedom / 2
		own, _ := math.Lgamma(h)
		both, _ := math.Lgamma(h + d0/2)
		likelihood += both - own - prior + h*math.Log(s.Freedom/(d0*p.variance)) -
			(h+d0/2)*math.Log1p(s.Freedom*s.Variance/(d0*p.variance))
		p.known += s.Freedom * d0 / (s.Freedom + d0)
	}
	return p, likelihood
}

// moderated returns the variance that seeds add to Delta, its degrees of freedom, and the fewer ones
// that hold far out in the tails. A group's variance becomes (d0 s0^2 + d s^2) / (d0 + d). Its error
// has a part of its own and the error of s0^2, which the two sides share. Far out, one side's own
// error is what a small p comes from, so there the own errors of the sides do not average out.
func (p priorPart) moderated(sides [2]Spread) (variance, freedom, far float64) {
	squares, root, shared := 0.0, 0.0, 0.0
	for _, s := range sides {
		if s.Freedom <= 0 {
			continue
		}
		trust, own := 1.0, 0.0 // in s0^2; and the square of the own relative error
		if !math.IsInf(p.freedom, 1) {
			trust, own = p.freedom/(p.freedom+s.Freedom), 1/(p.freedom+s.Freedom)
		}
		v := (trust*p.variance + (1-trust)*s.Variance) / (s.Freedom + 1)
		variance += v
		squares += v * v * own
		root += v * math.Sqrt(own)
		shared += trust * v
	}
	if variance == 0 {
		return 0, 0, 0
	}
	common := shared * shared / p.known
	return variance, variance * variance / (squares + common), variance * variance / (root*root + common)
}
