package models

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"

	"bierbench/models/xla"
)

// activationLoss is the diversity loss of BIER: two learners should not both respond to one image.
// Its term for a pair is the mean over images and pairs of output units of (r_i r_j)^2, which is
// mean_n |r_i|^2 |r_j|^2 / (d_i d_j), with r = x W and no bias. The terms alone are least where the
// matrices are zero, so the norms of the matrices are kept near 1 (Opitz et al. 2018,
// https://arxiv.org/abs/1801.04815, section 4.2, and the authors' code).
//
// The terms grow with the fourth power of the features' length, and the constraints do not depend
// on it, so the effect of lambda_w differs between backbones.
//
// x is the pooled feature [N, width], which gets no gradient; matrices are
// M x [width, d_m], at least 2. Pairs are in the order 01, 02, ..., 12, ...
func activationLoss(c Config, x *Node, matrices []*Node) diversity {
	if len(matrices) < 2 {
		panic(fmt.Errorf("activation loss: %d learners; want at least 2", len(matrices)))
	}
	x.AssertRank(2)
	features := StopGradient(x)
	var d diversity
	var lengths []*Node // |r_m|^2 / d_m [N]
	for _, w := range matrices {
		w.AssertDims(x.Shape().Dim(1), -1)
		r := xla.Product(features, w)
		d.outputs = append(d.outputs, r)
		lengths = append(lengths, ReduceMean(Square(r), 1))
		d.embeddingNorms = append(d.embeddingNorms, unitNorm(w, normAxis(c.NormAxis, DiversityActivation)))
	}
	for i := range matrices {
		for j := i + 1; j < len(matrices); j++ {
			d.terms = append(d.terms, ReduceAllMean(Mul(lengths[i], lengths[j])))
		}
	}
	d.weigh(c, sumNodes(d.embeddingNorms))
	return d
}
