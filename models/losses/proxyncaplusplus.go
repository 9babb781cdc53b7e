package losses

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// proxyNCAPlusPlus is the cross-entropy of an image's squared distances from
// one proxy a class, l = -log(exp(-d_y/T) / sum_c exp(-d_c/T)), mean over the
// batch; unlike in ProxyNCA the sum has the image's own class in it. Image and
// proxy have unit length, so d = 2 - 2s and this is a normalised softmax of
// temperature T/2, with the derivative's bound 2/(N T). What else the paper
// proposes (max pooling, layer norm, few images a class, a faster rate for
// proxies) belongs to a network or its training, not to the loss.
func proxyNCAPlusPlus() Loss {
	var k struct{ temperature float64 }
	return Loss{
		Name:       "proxy_nca_plus_plus",
		Title:      "ProxyNCA++",
		Source:     "Teh et al. 2020, arXiv 2004.01113", //nolint:misspell // a name
		Reweighted: "each image's similarity with each proxy: with its own by 1 - p, with another by p, p the ensemble's softmax there",
		Constants: []Constant{
			{
				Name: "temperature", value: &k.temperature, Default: 1.0 / 9, Min: 1e-6, Max: math.Inf(1),
				Does: "the squared distances are divided by it",
			},
		},
		proxies: func() int { return 1 },
		value: func(similarity *Node, p pairs) *Node {
			squares := AddScalar(MulScalar(similarity, -2), 2)
			return crossEntropy(MulScalar(squares, -1/k.temperature), p.same)
		},
		bound: func(p pairs) *Node {
			return constantBound(p, 2/k.temperature/float64(p.same.Shape().Dim(0)))
		},
	}
}
