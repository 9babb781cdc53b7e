package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"bierbench/pipeline"
	"bierbench/pipeline/submit"
	"bierbench/pipeline/suite"
	"bierbench/pipeline/workspace"
)

func newSubmitCommand(a *app) *cobra.Command {
	var f suiteFlags
	var o submit.Options
	var names, engines []string
	for _, kind := range submit.Engines() {
		names = append(names, kind.Name)
		engines = append(engines, fmt.Sprintf("  %s: %s", kind.Name, kind.Does))
	}
	cmd := &cobra.Command{
		Use:   "submit [SUITE] --engine ENGINE",
		Short: "Hand the cells of a suite to a scheduler, a task each",
		Long: `submit hands the cells that run would do to an engine, a task each, in job arrays:
` + strings.Join(engines, "\n") + `
A cell that is with an engine already is left out, so submitting again sends what
failed to arrive, was killed or was interrupted, and nothing else. Features that
several cells read and that are not cached are built first, by a task of their own.

The limits of a task are twice the time that plan expects plus two minutes, and one
and a half times the memory plus 256 MiB, both rounded up; where plan knows no time or
no memory, there is no limit. --sbatch options come after those of submit and win.
Slurm tells a task a minute before its time is over: it saves its cell, which the next
submission continues. --sbatch --cpus-per-task=N sets the CPUs of a task.

With --engine local on a machine with several GPUs, each of the --processes sees one
of its own, or as many as --devices says. They are taken in turn from the list
CUDA_VISIBLE_DEVICES, or from all GPUs where it is not set. Where there are fewer GPUs
than processes, --gpu-memory keeps one from taking what the other needs.

The engines list and kubernetes start nothing: they write files for you to hand over.
A list has a line for each task, for GNU parallel, PBS, LSF and the like, and
tasks.json with the limits and the needs of each. For Kubernetes (1.29 or newer) there
is an Indexed Job for each array. Files of features come before those of cells.
Submitting again writes what is neither done nor running then.

The folder runs/RUN/submissions/NUMBER has the suite, the scripts, the logs and a
copy of this program, which the tasks run: workspace and cache must be on a file
system that all machines share. Follow the tasks with "bierbench status".
` + suiteHelp(),
		Example: `  bierbench submit quick --engine slurm --sbatch --partition=gpu --sbatch --gres=gpu:1
  bierbench submit my.yaml --engine local --processes 2
  bierbench submit my.yaml --engine list --parallel 8
  bierbench submit my.yaml --engine kubernetes --image IMAGE --claim data --queue team-a
  bierbench submit my.yaml --engine slurm --sbatch --time=600 --retry-failed`,
		Args:      wantArgs(0, 1, "a suite"),
		ValidArgs: suite.Builtin(),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case o.Engine == "":
				return usageError{fmt.Errorf("--engine is missing: want %s", anyOf(names))}
			case !slices.Contains(names, o.Engine):
				return usageError{fmt.Errorf("--engine %q: want %s", o.Engine, anyOf(names))}
			case o.Processes < 1:
				return usageError{fmt.Errorf("--processes %d: want at least 1", o.Processes)}
			case cmd.Flags().Changed("parallel") && o.Parallel < 1:
				return usageError{fmt.Errorf("--parallel %d: want at least 1", o.Parallel)}
			}
			engines := engineFlags()
			for _, flag := range slices.Sorted(maps.Keys(engines)) {
				if cmd.Flags().Changed(flag) && !slices.Contains(engines[flag], o.Engine) {
					return usageError{fmt.Errorf("--%s is for --engine %s", flag, anyOf(engines[flag]))}
				}
			}
			if err := submit.CheckEngine(o); err != nil {
				return usageError{err}
			}
			w, s, err := f.load(a, args)
			if err != nil {
				return err
			}
			o.Plan = f.plan()
			switch {
			case a.events != nil:
				o.OnTask = a.events.task
			case !a.quiet:
				o.OnTask = func(t submit.TaskEnd) { printTask(a.stderr, t) }
			}
			r, err := submit.Submit(cmd.Context(), w, s, o)
			if err != nil {
				return err
			}
			if err := a.print(r, func(out io.Writer) error { return printSubmission(out, w, r) }); err != nil {
				return err
			}
			for _, t := range r.Ended {
				if t.Error != "" {
					return reportedError{errors.New("some tasks failed")}
				}
			}
			return nil
		},
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.Engine, "engine", "", "`ENGINE` that does the tasks: "+anyOf(names))
	flags.IntVar(&o.Parallel, "parallel", 0, "`K` tasks of an array, or of a list, at a time (default: no limit)")
	flags.StringArrayVar(&o.Options, "sbatch", nil, "`OPTION` of sbatch, such as --partition=gpu; may be repeated")
	flags.IntVar(&o.Processes, "processes", 1, "`N` tasks at a time, with --engine local")
	flags.StringVar(&o.Kubernetes.Image, "image", "", "`IMAGE` of the container, with sh and sed, for --engine kubernetes")
	flags.StringVar(&o.Kubernetes.Claim, "claim", "", "`NAME` of the PersistentVolumeClaim that holds workspace and cache")
	flags.StringVar(&o.Kubernetes.Mount, "mount", "", "`DIR` that the claim is here; pods see it at the same path (default: the workspace)")
	flags.StringVar(&o.Kubernetes.Queue, "queue", "", "`NAME` of the queue of Kueue that starts the Jobs")
	flags.StringArrayVar(&o.Kubernetes.Resources, "resource", nil,
		"`NAME=QUANTITY` that a pod requests, such as nvidia.com/gpu=1 or cpu=8; may be repeated")
	flags.BoolVar(&o.RetryFailed, "retry-failed", false, "also submit the cells that failed before")
	flags.DurationVar(&o.Checkpoint, "checkpoint", pipeline.DefaultCheckpoint, "`TIME` between checkpoints of a training")
	return cmd
}

// engineFlags returns the flags that belong to some engines alone, with these.
func engineFlags() map[string][]string {
	kubernetes := []string{"kubernetes"}
	return map[string][]string{
		"sbatch": {"slurm"}, "processes": {"local"}, "parallel": {"slurm", "list", "kubernetes"},
		"image": kubernetes, "claim": kubernetes, "mount": kubernetes, "queue": kubernetes, "resource": kubernetes,
	}
}

// anyOf returns words as a choice: "a, b or c".
func anyOf(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// printTask prints how a task ended.
func printTask(out io.Writer, t submit.TaskEnd) {
	what, how := t.Cell, fmt.Sprintf("done, %.1f s", t.Seconds)
	if t.Features {
		what = "features of " + t.Cell
	}
	if t.Error != "" {
		how = t.Error
		if t.Log != "" {
			how += ", log: " + t.Log
		}
	}
	fmt.Fprintf(out, "[%d/%d] %s: %s\n", t.Number, t.Total, what, how)
}

// printSubmission prints what was submitted, and what was left out.
func printSubmission(out io.Writer, w *workspace.Workspace, r *submit.Result) error {
	left := fmt.Sprintf("%d done, %d failed before, %d with an engine already, %d running", r.Done, r.Failed, r.Active, r.Running)
	if r.Submission == "" {
		fmt.Fprintf(out, "run %s: nothing to submit; %s: %s\n", r.Run, counted(r.Cells, "cell"), left)
	} else {
		fmt.Fprintf(out, "run %s: submission %s, %d of %s (%s)\n", r.Run, r.Submission, r.Sent, counted(r.Cells, "cell"), left)
		if err := alignColumns(out, func(out io.Writer) { printArrays(out, r) }); err != nil {
			return err
		}
		fmt.Fprintf(out, "folder: %s\n", r.Dir)
	}
	if len(r.Files) > 0 {
		fmt.Fprintln(out, "nothing was started: hand these over, in this order")
		for _, file := range r.Files {
			fmt.Fprintf(out, "  %s\n", file)
		}
	}
	if r.Parallel > 0 && r.Submission != "" {
		fmt.Fprintf(out, "at most %s at a time\n", counted(r.Parallel, "task"))
	}
	if r.Failed > 0 {
		fmt.Fprintln(out, "cells that failed before were left alone; --retry-failed submits them again")
	}
	failed := 0
	for _, t := range r.Ended {
		if t.Error != "" {
			failed++
			fmt.Fprintf(out, "  failed %s: %s\n", t.Cell, t.Error)
		}
	}
	if len(r.Ended) > 0 {
		fmt.Fprintf(out, "%s ended, %d failed\n", counted(len(r.Ended), "task"), failed)
	}
	_, err := fmt.Fprintf(out, "next: %s\n", w.CommandLine("status", r.Run))
	return err
}

// printArrays prints a line for each array.
func printArrays(out io.Writer, r *submit.Result) {
	for _, a := range r.Arrays {
		limits := "no limit known"
		if a.Seconds > 0 {
			limits = fmt.Sprintf("%d min", a.Seconds/60)
		}
		if a.Memory > 0 {
			limits += fmt.Sprintf(", %d MiB", a.Memory>>20)
		}
		after := ""
		if a.Needs != nil {
			after = fmt.Sprintf("after %s_%d", a.Needs.Array, a.Needs.Number)
			if a.Needs.Submission != r.Submission {
				after += " of submission " + a.Needs.Submission
			}
		}
		fmt.Fprintf(out, "  %s\tjob %s\t%s\t%s\t%s\n", a.Name, a.Job, counted(len(a.Cells), "task"), limits, after)
	}
}
