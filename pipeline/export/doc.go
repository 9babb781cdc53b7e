// Package export writes runs for the viewers of others: TensorBoard's event files, also while a
// cell trains, the points of its embedding projector, and MLflow's file store.
//
// It reads the records of package runs and nothing else; names and pictures of a projection are
// handed in. A cell becomes curves, a scalar for each
// value of a step: train/... from train.jsonl, then the metrics, times and memory of the record at
// the last step. Metrics are fractions in [0, 1]; times are in seconds. Numbers of a model that was
// not taken after the last step have its state in their tag, so that no curve mixes them with
// others.
//
// The same run gives the same bytes, and a later export replaces an earlier one. Names from records
// may be hostile: none leads out of the folder that the caller names.
package export
