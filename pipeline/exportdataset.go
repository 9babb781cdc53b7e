package pipeline

import (
	"context"
	"fmt"

	"bierbench/datasets"
	"bierbench/pipeline/workspace"
)

// ExportDataset writes a prepared data set as Parquet files into a folder. The name stands for one variant,
// as in a suite.
func ExportDataset(ctx context.Context, w *workspace.Workspace, name, dir string) (*datasets.ParquetExport, error) {
	entry, err := w.Dataset(name)
	if err != nil {
		return nil, err
	}
	data, err := datasets.Open(entry.Dir)
	if err != nil {
		return nil, err
	}
	defer data.Close()
	w.Progress.Start("export "+entry.Set, data.Len())
	defer w.Progress.Finish()
	out, err := datasets.WriteParquet(ctx, data, dir, func(done, _ int) { w.Progress.Advance(done, "") })
	if err != nil {
		return nil, fmt.Errorf("export %s/%s: %w", entry.Set, entry.Variant, err)
	}
	return out, nil
}
