// Package pipeline holds the stages of bierbench, one exported function each: Setup, Ingest, Run,
// Evaluate, Report, Diff and others. They are what joins the packages that do the work.
//
// Run plans the cells of a suite and does those that are not done. A cell is trained and evaluated in
// this order: pooled features (frozen mode), initialisation, training with checkpoints and the
// selection of a model, embeddings of the test images, evaluation by every protocol of the data set.
// Its files are written as it goes, its record cell.json when it begins and when it ends.
//
// Stages hand images from package datasets to package models, and results to packages runs and
// reports; datasets, models and runs know nothing of each other, and reports knows runs alone. The
// package prints nothing: it returns values, logs to the workspace's log and reports to its Progress.
package pipeline
