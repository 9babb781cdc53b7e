package losses

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// contrastive is a hinge on the cosine of a pair: with a = s - pos_target for
// a positive and margin - s for a negative pair, l = max(0, -a)^power. BIER's
// papers boost it with margin 0.5; their exact form is not known, so this is
// the linear hinge, and its target and power are constants.
func contrastive() Loss {
	var k struct{ margin, posTarget, power float64 }
	return Loss{
		Name:   "contrastive",
		Title:  "contrastive",
		Source: "Hadsell et al. 2006, eq. 4, on cosines as in BIER, arXiv 1801.04815",
		Reweighted: "each pair's term: with power 1 a pair is on while the ensemble violates its margin and off after; with " +
			"power 2 it counts by how far it is violated",
		Constants: []Constant{
			{Name: "margin", value: &k.margin, Default: 0.5, Min: -1, Max: 1, Does: "the cosine that negatives are pushed below"},
			{Name: "pos_target", value: &k.posTarget, Default: 1, Min: -1, Max: 1, Does: "the cosine that positives are pulled up to"},
			hingePower(&k.power),
		},
		terms: &terms{
			activation: func(similarity *Node, p pairs) *Node {
				return Where(p.same, AddScalar(similarity, -k.posTarget), AddScalar(Neg(similarity), k.margin))
			},
			weights: func(p pairs) *Node { return p.weights },
			term:    func(activation *Node) *Node { return hingeTerm(activation, k.power) },
			hinge:   true,
		},
		// A cosine lies in [-1, 1], so a positive pair misses its target by at
		// most 1 + pos_target and a negative one its margin by 1 - margin.
		bound: func(p pairs) *Node {
			g, dtype := p.weights.Graph(), p.weights.DType()
			positive := hingeSlope(1+k.posTarget, k.power)
			negative := hingeSlope(1-k.margin, k.power)
			return Mul(p.weights, Where(p.same, Scalar(g, dtype, positive), Scalar(g, dtype, negative)))
		},
	}
}

// hingePower is the constant "power" of a loss that is made of hingeTerm.
func hingePower(power *float64) Constant {
	return Constant{Name: "power", value: power, Default: 1, Min: 1, Max: 2, Integer: true, Does: "of the hinge: 1 linear, 2 squared"}
}

// hingeTerm is l = max(0, -a)^power, entry by entry. At a = 0 its slope is 0.
func hingeTerm(activation *Node, power float64) *Node {
	missing := Neg(activation)
	missing = Where(GreaterThan(missing, ZerosLike(missing)), missing, ZerosLike(missing)) // Max has a slope of 1 at 0
	if power == 2 {
		return Square(missing)
	}
	return missing
}

// hingeSlope is the largest |dl/da| of hingeTerm where a is at least -missing.
func hingeSlope(missing, power float64) float64 {
	if power == 2 {
		return 2 * max(missing, 0)
	}
	return 1
}
