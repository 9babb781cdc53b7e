package pipeline

import (
	"context"
	"os"

	"bierbench/datasets"
	"bierbench/pipeline/suite"
	"bierbench/pipeline/workspace"
	"bierbench/reports"
)

// DemoResult is what Demo did.
type DemoResult struct {
	Setup  *SetupResult    `json:"setup"`
	Ingest []IngestResult  `json:"ingest"`
	Run    *RunResult      `json:"run"`
	Report *reports.Report `json:"-"`
	Files  []string        `json:"files"` // files of the report
}

// Demo does the whole job on the miniature data sets: set-up, raw data, ingest,
// training and evaluation of the suite demo, and the report.
func Demo(ctx context.Context, w *workspace.Workspace) (*DemoResult, error) {
	var result DemoResult
	var err error
	if result.Setup, err = Setup(ctx, w, SetupOptions{}); err != nil {
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
	if result.Ingest, err = Ingest(ctx, w, []string{"all"}, o); err != nil {
		return nil, err
	}
	s, err := suite.Load("demo")
	if err != nil {
		return nil, err
	}
	if result.Run, err = Run(ctx, w, s, RunOptions{}); err != nil {
		return &result, err
	}
	result.Report, result.Files, err = Report(ctx, w, []string{result.Run.Run}, ReportOptions{})
	return &result, err
}
