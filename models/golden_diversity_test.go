package models

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"bierbench/models/internal/modelstest"
)

// goldenAxes are our words for the golden vectors' numbers of an axis.
var goldenAxes = []string{AxisOut, AxisIn}

// goldenActivation computes all that an activation case states.
func goldenActivation(t *testing.T, c modelstest.GoldenCase) map[string][]float64 {
	t.Helper()
	var settings struct {
		Sizes     []int   `json:"sizes"`
		Axis      int     `json:"axis"`
		LambdaW   float64 `json:"lambda_w"`
		LambdaDiv float64 `json:"lambda_div"`
	}
	if err := modelstest.StrictJSON(c.Config, &settings); err != nil {
		t.Fatalf("config: %v", err)
	}
	config := DefaultConfig(Frozen)
	config.LambdaW, config.LambdaDiv, config.NormAxis = settings.LambdaW, settings.LambdaDiv, goldenAxes[settings.Axis]
	inputs := []*tensors.Tensor{modelstest.Matrix(modelstest.GoldenInput[[][]float64](t, c, "x"))}
	for _, w := range modelstest.GoldenInput[[][][]float64](t, c, "W") {
		inputs = append(inputs, modelstest.Matrix(w))
	}
	if len(inputs) != 1+len(settings.Sizes) {
		t.Fatalf("%d matrices of %d learners", len(inputs)-1, len(settings.Sizes))
	}
	var names []string
	results := modelstest.Evaluate(t, modelstest.LogicBackend(t), inputs, func(in []*Node) []*Node {
		var out []*Node
		put := func(name string, nodes ...*Node) {
			for _, n := range nodes {
				names, out = append(names, name), append(out, n)
			}
		}
		d := activationLoss(config, in[0], in[1:])
		put("regulariser_act", d.outputs...)
		put("pair_terms", d.terms...)
		put("unit_norm_terms", d.embeddingNorms...)
		put("total", d.total)
		gradients := Gradient(d.total, in...)
		put("x", gradients[0])
		put("grad.W", gradients[1:]...)
		put("grad_pair_terms.W", Gradient(sumNodes(d.terms), in[1:]...)...)
		put("grad_unit_norm.W", Gradient(sumNodes(d.embeddingNorms), in[1:]...)...)
		return out
	})
	got := modelstest.JoinByName(names, results)
	if slices.ContainsFunc(got["x"], func(v float64) bool { return v != 0 }) {
		t.Error("the pooled feature gets a gradient")
	}
	return got
}

// goldenAdversarial computes all that an adversarial case states.
func goldenAdversarial(t *testing.T, c modelstest.GoldenCase) map[string][]float64 {
	t.Helper()
	var settings struct {
		Sizes     []int   `json:"sizes"`
		Hidden    int     `json:"hidden"`
		Axis      int     `json:"axis"`
		LambdaW   float64 `json:"lambda_w"`
		LambdaDiv float64 `json:"lambda_div"`
		Reversal  float64 `json:"reversal"`
	}
	if err := modelstest.StrictJSON(c.Config, &settings); err != nil {
		t.Fatalf("config: %v", err)
	}
	if settings.Reversal != 1 {
		t.Fatalf("config: reversal %g; the gradient is only ever reversed with factor 1", settings.Reversal)
	}
	config := DefaultConfig(Frozen)
	config.LambdaW, config.LambdaDiv, config.NormAxis = settings.LambdaW, settings.LambdaDiv, goldenAxes[settings.Axis]
	m := len(settings.Sizes)
	inputs := []*tensors.Tensor{modelstest.Matrix(modelstest.GoldenInput[[][]float64](t, c, "x"))}
	for _, w := range modelstest.GoldenInput[[][][]float64](t, c, "W") {
		inputs = append(inputs, modelstest.Matrix(w))
	}
	var order []string
	regressors := modelstest.GoldenInput[map[string]struct {
		W1, W2 [][]float64
		B1, B2 []float64
	}](t, c, "regressors")
	got := map[string][]float64{}
	for i := range m {
		for j := i + 1; j < m; j++ {
			key := fmt.Sprintf("%d,%d", i, j)
			r, ok := regressors[key]
			if !ok {
				t.Fatalf("no regressor %q", key)
			}
			order = append(order, key)
			got["pair_order"] = append(got["pair_order"], float64(i), float64(j))
			inputs = append(inputs, modelstest.Matrix(r.W1), modelstest.Vector(r.B1), modelstest.Matrix(r.W2), modelstest.Vector(r.B2))
		}
	}

	var names []string
	results := modelstest.Evaluate(t, modelstest.LogicBackend(t), inputs, func(in []*Node) []*Node {
		var out []*Node
		put := func(name string, nodes ...*Node) {
			for _, n := range nodes {
				names, out = append(names, name), append(out, n)
			}
		}
		var rs []regressor
		for i := 1 + m; i < len(in); i += 4 {
			rs = append(rs, regressor{W1: in[i], B1: in[i+1], W2: in[i+2], B2: in[i+3]})
		}
		d := adversarialLoss(config, in[0], in[1:1+m], rs)
		put("regressor_out", d.outputs...)
		put("adv_terms", d.terms...)
		put("regressor_norm_terms", d.regressorNorms...)
		put("regressor_bias_terms", d.regressorBiases...)
		put("embedding_norm_terms", d.embeddingNorms...)
		put("total", d.total)
		gradients := Gradient(d.total, in...)
		put("x", gradients[0])
		constraints := Gradient(MulScalar(sumNodes(d.embeddingNorms), config.LambdaDiv*config.LambdaW), in[1:1+m]...)
		for i, reversed := range gradients[1 : 1+m] {
			put("grad.W_reversed", reversed)
			put("grad.W_constraints_only", constraints[i])
			put("grad.W_adv_without_reversal", Sub(constraints[i], reversed))
		}
		for i, key := range order {
			for k, part := range []string{"W1", "b1", "W2", "b2"} {
				put("grad.regressors."+key+"."+part, gradients[1+m+4*i+k])
			}
		}
		return out
	})
	maps.Copy(got, modelstest.JoinByName(names, results))
	if slices.ContainsFunc(got["x"], func(v float64) bool { return v != 0 }) {
		t.Error("the pooled feature gets a gradient")
	}
	return got
}
