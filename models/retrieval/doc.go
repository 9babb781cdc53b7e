// Package retrieval searches a gallery exactly and measures the ranking: R@K, MAP@R and
// R-precision, each also with ties counted against and for, and the correlation of an embedding's
// learners.
//
// Vectors are float32, row-major [n, width]; the score of two is their dot
// product, higher is nearer. At equal scores the lower row of the gallery comes
// first. Metrics are fractions in [0, 1]. No matrix of all scores is held: queries
// are taken in blocks, on all devices of the backend, and the bits of a score do
// not depend on how many there are.
//
// A Dialect scores the same vectors by the rules of another program, to match the numbers that it
// prints.
package retrieval
