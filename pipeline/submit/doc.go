// Package submit hands the cells of a suite to an engine: Slurm, processes of this machine, or files
// from which any other scheduler can do them.
//
// A submission is what an engine gets at one time: arrays of tasks with the same needs. A task does
// one cell, or builds cached features that several cells read; those cells wait for it. The folder of
// a submission holds all that its tasks need:
//
//	runs/<run>/submissions/
//	  program-<digest>/bierbench   a copy of this program, shared by submissions
//	  <number>/
//	    submission.json            the record, see [Submission]
//	    <suite>.yaml               the suite as it was resolved
//	    <array>.sh, <array>.txt    the script of an array and its cells, one a line
//	    logs/<job>_<task>.log      the output of a task
//	    commands-features.txt, commands-cells.txt, tasks.json    engine list: see [TaskList]
//	    kubernetes-features.yaml, kubernetes-cells.yaml          engine kubernetes
//
// A task is limited to twice the expected seconds and 120, and to 1.5 times the expected memory and
// 256 MiB, rounded up to a class; where nothing is expected, it has no limit. Claims keep a cell that
// is submitted and run at once from being done twice.
//
// The options and formats of Slurm's programs are those of its manual pages since version 20.11,
// https://slurm.schedmd.com/man_index.html.
package submit
