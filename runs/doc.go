// Package runs keeps the records of runs and compares them.
//
// A run is a folder that holds run.json and, for each cell of its suite,
//
//	<dataset>.<variant>/<backbone>-<mode>/<method>-<size>/seed-<n>/
//		cell.json                 the record: configuration, metrics, times, environment
//		train.jsonl               one line per optimizer step that was logged
//		selection.jsonl           one line per model that was compared, where one was chosen
//		initialisation.jsonl      one line per step, where the embedding matrices were optimised first
//		queries-<protocol>.arrow  one row per query: the rank of its best positive, AP, nearest images
//		embeddings.arrow          the test images' embeddings
//
// Files are written whole: to a temporary name, synced, renamed, and their folder synced. A file that
// exists is therefore complete. Only train.jsonl and selection.jsonl grow in place; a last line that
// was cut is ignored. Metrics are fractions in [0, 1]. Ranks are 1-based.
//
// Records end in a seal, the SHA-256 of the bytes before it, lines in a CRC-32, and a record has the
// SHA-256 of the files beside it. Readers compare them, and name the file that was changed. Older
// records have none of these and are read as they are.
//
// # Comparing
//
// A group is the cells that differ in the seed alone. [CompareRuns] compares equal groups of two runs,
// [CompareMethods] the methods inside one run with a base, [CompareBases] with the bases that its
// suite names. Both sides need the same protocol, the same test images and the same queries; a row
// that lacks one of them is listed with the reason.
//
// With y_A[s](q) the value of query q in seed s of group A (1 for a hit at K, or the average
// precision), h_A(q) is its mean over A's seeds and
//
//	delta = mean over q of h_B(q) - h_A(q).
//
// The interval and the p-value of delta, and how well they cover, are described in package
// runs/internal/paired, which has the arithmetic. P-values of a table are corrected by Holm's method
// over its rows.
//
// # Noise
//
// [MeasureNoise] estimates the noise from the groups of a run: the standard deviation over seeds, the
// differences of a group from itself when its seeds are split (A/A), and the number of seeds that a
// comparison needs to find a difference. That number is simulated with the rule of the comparison
// itself.
package runs
