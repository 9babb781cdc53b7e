package pipeline

import (
	"context"
	"path/filepath"

	"bierbench/pipeline/workspace"
	"bierbench/reports"
	"bierbench/runs"
)

// Noise measures how much the results of runs vary with the seed, and how many seeds a difference
// needs. It writes reports/noise-<run>.../ and returns the paths of the files.
func Noise(ctx context.Context, w *workspace.Workspace, ids []string, o runs.NoiseOptions) (*reports.NoiseReport, []string, error) {
	rows := []runs.SeedNoise{}
	for _, id := range ids {
		r, err := w.Runs().Open(id)
		if err != nil {
			return nil, nil, err
		}
		more, err := runs.MeasureNoise(ctx, r, o)
		if err != nil {
			return nil, nil, err
		}
		rows = append(rows, more...)
	}
	n := reports.NewNoiseReport(rows, o)
	files, err := n.Write(filepath.Join(w.ReportsDir(), folderName("noise", ids)))
	return n, files, w.Unwritten(err)
}
