// Package runs keeps the records of runs and compares them.
//
// A run is a folder that holds run.json and, for each cell of its suite,
//
//	<dataset>.<variant>/<backbone>-<mode>/<method>-<size>/seed-<n>/
//		cell.json                 the record: configuration, metrics, times, environment
//		train.jsonl               one line per optimizer step that was logged
//		queries-<protocol>.arrow  one row per query: the rank of its best positive, AP, nearest images
//		embeddings.arrow          the test images' embeddings
//
// Every file is written to a temporary name, synced and renamed, so a name
// that exists is whole; only train.jsonl grows in place, and a last line that
// was cut is ignored. Metrics are fractions in [0,1]. Ranks are 1-based.
//
// # Comparing
//
// A group is the cells that differ in nothing but the seed. [CompareRuns] sets
// equal groups of two runs against each other, [CompareMethods] the methods
// inside one run against a base, [CompareBases] against the bases that its suite
// names. All need the same protocol, the same test
// images and the same queries on either side; a row that lacks this is listed
// with the reason.
//
// With y_A[s](q) the value of query q in seed s of group A (1 for a hit at K,
// or the average precision), h_A(q) is its mean over A's seeds and
//
//	delta = mean over q of h_B(q) - h_A(q).
//
// Package runs/internal/paired has the interval and the p-value of delta, and measures how well they
// cover.
//
// # Noise
//
// [MeasureNoise] takes the groups of a run for what they say about noise: the
// standard deviation over seeds, how far a group is from itself when its seeds
// are split (A/A), and how many seeds a comparison needs to find a difference.
// The last is simulated with the rule of the comparison itself.
package runs
