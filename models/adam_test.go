package models

import (
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"bierbench/models/internal/modelstest"
)

// Adam against algorithm 1 of the paper in float64, on f(x, y) = (x-1)^2 + 10 y^2
// with a rate for each variable. float32 state leaves about 1e-6.
func TestAdam(t *testing.T) {
	const tolerance = 1e-5
	rates := []float64{0.1, 0.01}
	start := []float64{3, -2}
	derivative := []func(v float64) float64{
		func(v float64) float64 { return 2 * (v - 1) },
		func(v float64) float64 { return 20 * v },
	}

	store := model.NewStore()
	store.Scope("a").VariableWithValue("x", []float32{float32(start[0])})
	store.Scope("b").VariableWithValue("y", []float32{float32(start[1])})
	trainable := addMoments(store)
	if len(trainable) != 2 || store.NumVariables() != 6 {
		t.Fatalf("%d trainable of %d variables; want 2 of 6, the rest moments", len(trainable), store.NumVariables())
	}
	exec, err := model.NewExec(modelstest.GoBackend(t).Backend, store, func(_ *model.Scope, r, correct *Node) *Node {
		g := r.Graph()
		x, y := trainable[0].NodeValue(g), trainable[1].NodeValue(g)
		loss := ReduceAllSum(Add(Square(AddScalar(x, -1)), MulScalar(Square(y), 10)))
		at := func(n *Node, i int) *Node { return Reshape(Slice(n, AxisElem(i))) }
		for i, gradient := range Gradient(loss, x, y) {
			adam(store, trainable[i], gradient, at(r, i), at(correct, 0), at(correct, 1))
		}
		return loss
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()

	want, m, v := append([]float64(nil), start...), []float64{0, 0}, []float64{0, 0}
	for step := 1; step <= 25; step++ {
		first, second := momentCorrections(step)
		exec.MustCall([]float32{float32(rates[0]), float32(rates[1])}, []float32{first, second})[0].MustFinalizeAll()
		for i := range want {
			g := derivative[i](want[i])
			m[i] = 0.9*m[i] + 0.1*g
			v[i] = 0.999*v[i] + 0.001*g*g
			unbiased, square := m[i]/(1-math.Pow(0.9, float64(step))), v[i]/(1-math.Pow(0.999, float64(step)))
			want[i] -= rates[i] * unbiased / (math.Sqrt(square) + 1e-8)
			got := float64(tensors.MustCopyFlatData[float32](trainable[i].MustValue())[0])
			if math.Abs(got-want[i]) > tolerance {
				t.Fatalf("step %d, variable %d: %g, want %g", step, i, got, want[i])
			}
		}
	}
}

func TestRate(t *testing.T) {
	for _, c := range []struct {
		name   string
		every  int
		factor float64
		step   int
		want   float64
	}{
		{"no schedule", 0, 0.5, 1000, 1},
		{"the last step before the first drop", 25, 0.5, 25, 1},
		{"the first step after it", 25, 0.5, 26, 0.5},
		{"two drops", 25, 0.1, 51, 0.01},
	} {
		got := Config{DecayEvery: c.every, DecayFactor: c.factor}.rate(c.step)
		if math.Abs(got-c.want) > 1e-15 {
			t.Errorf("%s: %g, want %g", c.name, got, c.want)
		}
	}
}

// Weight decay is on backbone kernels and embedding matrices alone: a training
// step's total differs from its metric loss by exactly that sum.
func TestWeightDecay(t *testing.T) {
	c := smallConfig()
	c.Backbone, c.Mode, c.Input = "convnet", Finetune, 16
	c.Diversity, c.WeightDecay, c.Steps = DiversityNone, 0.01, 1
	m, err := New(modelstest.LogicBackend(t), c, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for v := range m.store.IterVariables() {
		if v.Shape().Rank() < 2 {
			continue // biases
		}
		for _, w := range tensors.MustCopyFlatData[float32](v.MustValue()) {
			sum += float64(w) * float64(w)
		}
	}
	_, labels := separable(10, 8, 1)
	var got Step
	err = m.Train(t.Context(), TrainData{
		Classes: labels, Workers: 2,
		Pixels: func(i int, random PixelRandom, dst []uint8) error {
			for j := range dst {
				dst[j] = uint8(i*31 + random.IntN(50))
			}
			return nil
		},
	}, TrainOptions{OnStep: func(s Step) error {
		got = s
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if want := c.WeightDecay * sum; math.Abs(got.Total-got.Loss-want) > 1e-4*want {
		t.Errorf("total - loss is %g, want %g", got.Total-got.Loss, want)
	}
}
