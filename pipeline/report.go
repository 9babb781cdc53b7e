package pipeline

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"bierbench/pipeline/suite"
	"bierbench/pipeline/workspace"
	"bierbench/reports"
	"bierbench/runs"
)

// ReportOptions choose what a report shows, and where it is written.
type ReportOptions struct {
	Dir        string // folder that it is written to; empty stands for reports/<run>[-<run>...]
	NoPictures bool   // leaves out the thumbnails of the data sets' images
	// Tolerance is the largest difference between a mean and the published number that it
	// reproduces, a fraction of at least 0. With nil the report has no verdicts.
	Tolerance *float64
}

// Report writes the report of one or several runs, and returns it with the paths of its files.
func Report(ctx context.Context, w *workspace.Workspace, ids []string, ro ReportOptions) (*reports.Report, []string, error) {
	var opened []*runs.Run
	for _, id := range ids {
		r, err := w.Runs().Open(id)
		if err != nil {
			return nil, nil, err
		}
		opened = append(opened, r)
	}
	dir := ro.Dir
	if dir == "" {
		dir = filepath.Join(w.ReportsDir(), strings.Join(ids, "-"))
	}
	o := reports.DefaultOptions()
	o.Base, o.Now, o.Tolerance = suite.DefaultBase, time.Now().UTC(), ro.Tolerance
	var err error
	if o.Published, err = reports.LoadPublished(); err != nil {
		return nil, nil, err
	}
	p := newPictures(w)
	if !ro.NoPictures {
		o.Pictures = p
	}
	report, err := reports.Build(ctx, opened, o)
	err = errors.Join(err, p.Close())
	if err != nil {
		return nil, nil, err
	}
	files, err := report.Write(dir)
	return report, files, err
}
