// Package pipeline holds the stages of bierbench: ingest, features, train,
// evaluate, report and diff, and what joins them: suites, plans and set-up.
//
// A suite is a list of blocks; a plan is its cells and their state in a
// workspace; Run does what is not done. Stages hand data from package datasets
// to package models, and results to packages runs and reports; those four know
// nothing of each other. The package prints nothing: it returns values, logs
// to the slog.Logger it is given, and reports progress to a Progress.
package pipeline
