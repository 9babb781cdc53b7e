package pipeline

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"bierbench/reports"
	"bierbench/runs"
)

// Report writes the report of one run or several and returns it with the paths
// of its files. dir is reports/<run>[-<run>...] when empty.
func (w *Workspace) Report(ctx context.Context, ids []string, dir string) (*reports.Report, []string, error) {
	var opened []*runs.Run
	for _, id := range ids {
		r, err := w.Runs().Open(id)
		if err != nil {
			return nil, nil, err
		}
		opened = append(opened, r)
	}
	if dir == "" {
		dir = filepath.Join(w.reportsDir(), strings.Join(ids, "-"))
	}
	o := reports.DefaultOptions()
	o.Base, o.Now = DefaultBase, time.Now().UTC()
	report, err := reports.Build(ctx, opened, o)
	if err != nil {
		return nil, nil, err
	}
	files, err := report.Write(dir)
	return report, files, err
}

// DiffOptions choose a comparison.
type DiffOptions struct {
	A, B    string // run IDs; B is empty to compare the methods inside A
	Base    string // the method to compare with, when B is empty; also empty: the bases of the suite
	Compare runs.CompareOptions
	Write   bool // also write reports/diff-<a>-<b>/
}

// Diff compares two runs, or the methods of one. files is empty unless written.
func (w *Workspace) Diff(ctx context.Context, o DiffOptions) (d *runs.Diff, files []string, err error) {
	a, err := w.Runs().Open(o.A)
	if err != nil {
		return nil, nil, err
	}
	name := "diff-" + o.A + "-"
	switch {
	case o.B == "" && o.Base == "":
		name += "bases"
		d, err = runs.CompareBases(ctx, a, DefaultBase, o.Compare)
	case o.B == "":
		name += o.Base
		d, err = runs.CompareMethods(ctx, a, o.Base, o.Compare)
	default:
		name += o.B
		var b *runs.Run
		if b, err = w.Runs().Open(o.B); err != nil {
			return nil, nil, err
		}
		d, err = runs.CompareRuns(ctx, a, b, o.Compare)
	}
	if err != nil || !o.Write {
		return d, nil, err
	}
	files, err = reports.WriteDiff(d, filepath.Join(w.reportsDir(), name))
	return d, files, err
}
