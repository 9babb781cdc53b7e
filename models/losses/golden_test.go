package losses

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"bierbench/models/internal/modelstest"
)

// goldenLoss is the configuration of a loss's golden case.
type goldenLoss struct {
	Loss      string   `json:"loss"`
	Rule      string   `json:"rule"`
	Sizes     []int    `json:"sizes"`
	NposMode  string   `json:"npos_mode"`
	Alpha     *float64 `json:"alpha"`
	Beta      *float64 `json:"beta"`
	C         *float64 `json:"C"`
	Margin    *float64 `json:"margin"`
	PosTarget *float64 `json:"pos_target"`
	Power     *float64 `json:"power"`
	Shrinkage *float64 `json:"shrinkage"`
	A0        *float64 `json:"a0"`
	NegFactor *float64 `json:"neg_factor"`
}

// config translates the golden vectors' words into ours.
func (g goldenLoss) config(t *testing.T) Config {
	t.Helper()
	c := DefaultConfig()
	c.Loss = translate(t, "loss", g.Loss, map[string]string{"binomial": "binomial_deviance", "contrastive": "contrastive", "triplet": "triplet"})
	c.Boosting = translate(t, "rule", g.Rule, map[string]string{"none": BoostingNone, "a": BoostingEta, "b": BoostingAdditive})
	if g.NposMode != "" { // triplets are not counted by it
		c.PosCount = translate(t, "npos_mode", g.NposMode, map[string]string{"code": WithDiagonal, "offdiag": WithoutDiagonal})
	}
	c.Constants = map[string]float64{}
	for name, value := range map[string]*float64{
		"alpha": g.Alpha, "beta": g.Beta, "C": g.C,
		"margin": g.Margin, "pos_target": g.PosTarget, "power": g.Power,
	} {
		if value != nil {
			c.Constants[name] = *value
		}
	}
	for value, dst := range map[*float64]*float64{g.Shrinkage: &c.Shrinkage, g.A0: &c.BoostingStart, g.NegFactor: &c.NegativeFactor} {
		if value != nil {
			*dst = *value
		}
	}
	if err := c.Validate(); err != nil {
		t.Fatalf("config: %v", err)
	}
	return c
}

func translate(t *testing.T, key, word string, words map[string]string) string {
	t.Helper()
	ours, ok := words[word]
	if !ok {
		t.Fatalf("config: %s: %q is not known", key, word)
	}
	return ours
}

// goldenBoosting computes what a boosted loss's case states but its test vectors,
// from embeddings or from pooled features, matrices and biases. What a case states
// of triplets is in the order of its list of the valid ones.
func goldenBoosting(t *testing.T, c modelstest.GoldenCase) map[string][]float64 {
	t.Helper()
	var settings goldenLoss
	if err := modelstest.StrictJSON(c.Config, &settings); err != nil {
		t.Fatalf("config: %v", err)
	}
	config := settings.config(t)
	m := len(settings.Sizes)
	labels := modelstest.GoldenInput[[]int32](t, c, "labels")
	inputs := []*tensors.Tensor{tensors.FromFlatDataAndDimensions(labels, len(labels))}
	_, pooled := c.Inputs["x"]
	if pooled {
		inputs = append(inputs, modelstest.Matrix(modelstest.GoldenInput[[][]float64](t, c, "x")))
		for _, w := range modelstest.GoldenInput[[][][]float64](t, c, "W") {
			inputs = append(inputs, modelstest.Matrix(w))
		}
		for _, b := range modelstest.GoldenInput[[][]float64](t, c, "b") {
			inputs = append(inputs, modelstest.Vector(b))
		}
	} else {
		for _, e := range modelstest.GoldenInput[[][][]float64](t, c, "embeddings") {
			inputs = append(inputs, modelstest.Matrix(e))
		}
	}

	loss, err := For(config)
	if err != nil {
		t.Fatal(err)
	}
	var names []string // of the outputs; equal names are joined
	results := modelstest.Evaluate(t, modelstest.Backend(t), inputs, func(in []*Node) []*Node {
		var out []*Node
		put := func(name string, nodes ...*Node) {
			for _, n := range nodes {
				names, out = append(names, name), append(out, n)
			}
		}
		embeddings := in[1:]
		if pooled {
			embeddings = nil
			for i, d := range settings.Sizes {
				embeddings = append(embeddings, Add(DotProduct(in[1], in[2+i]), Reshape(in[2+m+i], 1, d)))
			}
		}
		for _, f := range embeddings {
			put("cosine", cosineMatrix(f))
		}
		put("static_weights", loss.terms.weights(newPairs(config, in[0], embeddings[0].DType())))
		b := Boost(config, embeddings, nil, in[0])
		put("boost_weights", b.weights...)
		put("ensemble_act", b.ensemble...)
		put("learner_loss", b.Learner...)
		put("total", b.Total)
		gradients := Gradient(b.Total, in[1:]...)
		if pooled {
			put("grad.x", gradients[0])
			put("grad.W", gradients[1:1+m]...)
			put("grad.b", gradients[1+m:]...)
		} else {
			put("grad.embeddings", gradients...)
		}
		return out
	})
	if _, ok := c.Inputs["triplets"]; ok {
		n := len(labels)
		for i, name := range names {
			if len(results[i]) == n*n*n {
				results[i] = listed(t, name, results[i], modelstest.GoldenInput[[][]int](t, c, "triplets"), n)
			}
		}
	}
	got := modelstest.JoinByName(names, results)
	if config.Loss == "contrastive" && (settings.PosTarget == nil || *settings.PosTarget == 1) {
		// An image with itself is no pair, and its activation is 1 - 1: whether
		// a hinge is on there is rounding error.
		n, stated := len(labels), modelstest.Flat(t, modelstest.Decode(t, c.Outputs["boost_weights"]))
		for i := range m * n {
			diagonal := i*n + i%n
			got["boost_weights"][diagonal] = stated[diagonal]
		}
	}
	return got
}

// listed picks the numbers of the listed triplets from those of all n*n*n.
// Static weights of all others must be 0.
func listed(t *testing.T, name string, values []float64, triplets [][]int, n int) []float64 {
	t.Helper()
	var out []float64
	for _, at := range triplets {
		i := (at[0]*n+at[1])*n + at[2]
		out, values[i] = append(out, values[i]), 0
	}
	if name == "static_weights" && slices.ContainsFunc(values, func(v float64) bool { return v != 0 }) {
		t.Errorf("%s: a triplet that is not listed has one", name)
	}
	return out
}

// goldenScalarTable runs single pairs through the whole loss: two images whose
// cosines under the three learners are given.
func goldenScalarTable(t *testing.T, c modelstest.GoldenCase) map[string][]float64 {
	t.Helper()
	got := map[string][]float64{}
	for i, row := range modelstest.Decode(t, c.Outputs["rows"]).([]any) {
		row := row.(map[string]any)
		settings := goldenLoss{Loss: "binomial", Rule: row["rule"].(string), NposMode: "code"} // with the default constants
		cosines := modelstest.Flat(t, row["cosines"])
		w, l := scalarPair(t, settings.config(t), row["kind"].(string) == "pos", cosines)
		prefix := fmt.Sprintf("rows.%d.", i)
		got[prefix+"cosines"], got[prefix+"w"], got[prefix+"l"] = cosines, w, l
	}
	return got
}

// goldenEta checks the steps of rule eta.
func goldenEta(t *testing.T, _ modelstest.GoldenCase) map[string][]float64 {
	t.Helper()
	var eta []float64
	for m := 1; m <= 7; m++ {
		eta = append(eta, learnerEta(m))
	}
	return map[string][]float64{"eta": eta}
}

func TestGoldenLosses(t *testing.T) {
	boosted := func(name string) bool { return !strings.HasPrefix(name, "test_vector.") }
	modelstest.CheckGolden(t, "losses",
		modelstest.GoldenReader{Prefix: "binomial_scalar_table", Read: goldenScalarTable},
		modelstest.GoldenReader{Prefix: "binomial_", Outputs: boosted, Read: goldenBoosting},
		modelstest.GoldenReader{Prefix: "contrastive_", Outputs: boosted, Read: goldenBoosting},
		modelstest.GoldenReader{Prefix: "triplet_", Outputs: boosted, Read: goldenBoosting},
		modelstest.GoldenReader{Prefix: "sizes_scales", Outputs: func(name string) bool { return name == "eta" }, Read: goldenEta},
	)
}
