package runs

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"
)

// McNemar returns the two-sided p-value of McNemar's exact test: b queries are
// hit by the one side only and c by the other only. Under the null each of the
// n = b+c falls to either side with equal chance, so
//
//	p = min(1, 2 sum over k <= min(b,c) of C(n,k) / 2^n), 1 if n = 0.
//
// McNemar 1947, https://doi.org/10.1007/BF02295996, in its exact form.
func McNemar(b, c int) float64 {
	if b < 0 || c < 0 {
		panic("runs: McNemar of a negative count")
	}
	if b == c {
		return 1 // the two tails overlap, or nothing differs
	}
	k, n := min(b, c), b+c
	// The binomial tail P(X <= k) at 1/2 is the regularised incomplete beta
	// function I_(1/2)(n-k, k+1).
	return min(1, 2*mathext.RegIncBeta(float64(n-k), float64(k+1), 0.5))
}

// Holm returns p-values corrected for their number by Holm's step-down method:
// the i-th smallest of m is multiplied by m-i+1, made monotone and cut at 1.
// p is [m] and stays as it is.
// Holm 1979, https://www.jstor.org/stable/4615733.
func Holm(p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(p[i], p[j]) })
	corrected := make([]float64, len(p))
	largest := 0.0
	for rank, i := range order {
		largest = math.Max(largest, math.Min(1, p[i]*float64(len(p)-rank)))
		corrected[i] = largest
	}
	return corrected
}
