package pipeline

import (
	"context"
	"os"

	"bierbench/datasets"
	"bierbench/reports"
)

// DemoResult is what Demo did.
type DemoResult struct {
	Setup  *SetupResult    `json:"setup"`
	Ingest []IngestResult  `json:"ingest"`
	Run    *RunResult      `json:"run"`
	Report *reports.Report `json:"-"`
	Files  []string        `json:"files"` // of the report
}

// Demo does the whole job on the miniature data sets: set-up, raw data, ingest,
// training and evaluation of the suite demo, and the report.
func (w *Workspace) Demo(ctx context.Context) (*DemoResult, error) {
	var result DemoResult
	var err error
	if result.Setup, err = w.Setup(ctx, SetupOptions{}); err != nil {
		return nil, err
	}
	raw, err := os.MkdirTemp("", "bierbench-demo-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(raw)
	mini := datasets.DefaultMini()
	if err = datasets.WriteMini(ctx, raw, mini); err != nil {
		return nil, err
	}
	o := datasets.DefaultIngestOptions()
	o.Raw, o.Custom, o.Workers = raw, datasets.MiniRelease, w.Workers
	if result.Ingest, err = w.Ingest(ctx, []string{"all"}, o); err != nil {
		return nil, err
	}
	suite, err := LoadSuite("demo")
	if err != nil {
		return nil, err
	}
	if result.Run, err = w.Run(ctx, suite, RunOptions{}); err != nil {
		return &result, err
	}
	result.Report, result.Files, err = w.Report(ctx, []string{result.Run.Run}, ReportOptions{})
	return &result, err
}
