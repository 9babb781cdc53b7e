package paired

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"
)

// McNemar returns the two-sided p-value of McNemar's exact test, in [0, 1]. b queries are hit by
// one side only and c by the other side only; both are at least 0. Under the null hypothesis each
// of the n = b+c queries falls to either side with equal chance, so
//
//	p = min(1, 2 sum over k <= min(b,c) of C(n,k) / 2^n), 1 if n = 0.
//
// McNemar 1947, https://doi.org/10.1007/BF02295996, in its exact form.
func McNemar(b, c int) float64 {
	if b < 0 || c < 0 {
		panic("paired: McNemar of a negative count")
	}
	if b == c {
		return 1 // the two tails overlap, or nothing differs
	}
	k, n := min(b, c), b+c
	// The binomial tail P(X <= k) at 1/2 is the regularised incomplete beta function I_(1/2)(n-k,
	// k+1).
	return min(1, 2*mathext.RegIncBeta(float64(n-k), float64(k+1), 0.5))
}

// Holm returns p-values corrected for their number by Holm's step-down method: the i-th smallest of
// m is multiplied by m-i+1, raised to the one before it where it is smaller, and cut at 1. p is [m]
// and is not changed; the result has its order. Holm 1979, https://www.jstor.org/stable/4615733.
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

// Flips counts the queries that only B hits, gained, and those that only A hits, lost. a and b are
// [queries], 1 for a hit and 0 for a miss.
func Flips(a, b []float64) (gained, lost int) {
	for i := range a {
		switch {
		case b[i] > a[i]:
			gained++
		case b[i] < a[i]:
			lost++
		}
	}
	return gained, lost
}
