package mini

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
)

// random is a stream of random numbers with the draws that the drawing needs.
type random struct{ *rand.Rand }

// namedStream returns the stream of a name: adding a stage does not shift the others.
func namedStream(seed uint64, name string) *random {
	hash := fnv.New64a()
	hash.Write([]byte(name))
	return &random{rand.New(rand.NewPCG(seed, hash.Sum64()))}
}

// between draws uniformly from [low, high).
func (r *random) between(low, high float64) float64 {
	return low + mul(high-low, r.Float64())
}

// direction draws a unit vector.
func (r *random) direction() (x, y float64) {
	for {
		x, y = r.between(-1, 1), r.between(-1, 1)
		if square := mul(x, x) + mul(y, y); square > 0.01 && square <= 1 {
			norm := math.Sqrt(square)
			return x / norm, y / norm
		}
	}
}

// chance is true with the given probability.
func (r *random) chance(probability float64) bool { return r.Float64() < probability }

// deck returns n values below kinds, each about equally often, shuffled.
func (r *random) deck(n, kinds int) []int {
	cards := make([]int, n)
	for i := range cards {
		cards[i] = i % kinds
	}
	r.Shuffle(n, func(i, j int) { cards[i], cards[j] = cards[j], cards[i] })
	return cards
}

// deal returns 2n values in random order, half of them true.
func (r *random) deal(n int) []bool {
	half := make([]bool, 2*n)
	for i, card := range r.deck(2*n, 2) {
		half[i] = card == 1
	}
	return half
}

// mul is the product of a and b, rounded. The conversion keeps the compiler from fusing it with the
// next addition, which some processors round differently.
func mul(a, b float64) float64 { return float64(a * b) }

// clamp limits v to [0, 1].
func clamp(v float64) float64 {
	switch {
	case v <= 0:
		return 0
	case v >= 1:
		return 1
	}
	return v
}
