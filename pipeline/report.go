package pipeline

import (
	"context"
	"errors"
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
	p := w.pictures()
	o.Pictures = p
	report, err := reports.Build(ctx, opened, o)
	err = errors.Join(err, p.Close())
	if err != nil {
		return nil, nil, err
	}
	files, err := report.Write(dir)
	return report, files, err
}
