// Package workspace holds what every stage works with: the folder with data sets, models, runs and
// reports, the backend that computes, the cache of plugins and weights, the log and the progress.
//
// A workspace has these folders:
//
//	datasets/<set>/<variant>/       prepared data sets, see package datasets
//	models/features/<key>.arrow     pooled features of a data set by a backbone
//	models/measured/<machine>.jsonl what work took, see package cost
//	runs/<run>/                     the records of a run, see package runs
//	reports/                        pages, tables and contact sheets
//
// The package also says what a record keeps of its surroundings: the build of bierbench, the machine,
// the time in UTC to the millisecond, and the peak of resident memory in bytes (proc(5)).
package workspace
