// Command bierbench prepares image-retrieval benchmarks, trains boosted embedding ensembles and their
// baselines, and says whether the difference between two runs is real.
//
//	bierbench demo                      everything once, on generated data sets
//	bierbench ingest cub --raw DIR      read a published data set
//	bierbench run quick                 train and evaluate the cells of a suite
//	bierbench report quick              write the report of a run
//	bierbench diff quick --base bier    compare the methods of a run
//
// Each command has a file of its name. A command reads its flags, calls package pipeline or a package
// below it, and prints the result: as text, as one JSON value with --json, or as one
// JSON object a line while it works (events.go). Results go to stdout, logs and bars to stderr.
//
// Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 regression (diff --fail), 130 interrupted.
package main
