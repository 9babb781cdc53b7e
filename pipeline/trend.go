package pipeline

import (
	"context"
	"path/filepath"

	"bierbench/pipeline/workspace"
	"bierbench/reports"
	"bierbench/runs"
)

// Trend reads a metric of several runs, writes reports/trend-<run>-<run>.../ and returns the paths
// of the files.
func Trend(ctx context.Context, w *workspace.Workspace, ids []string, metric string) (*reports.Trend, []string, error) {
	var opened []*runs.Run
	for _, id := range ids {
		r, err := w.Runs().Open(id)
		if err != nil {
			return nil, nil, err
		}
		opened = append(opened, r)
	}
	t, err := reports.NewTrend(ctx, opened, metric)
	if err != nil {
		return nil, nil, err
	}
	files, err := t.Write(filepath.Join(w.ReportsDir(), folderName("trend", ids)))
	return t, files, w.Unwritten(err)
}
