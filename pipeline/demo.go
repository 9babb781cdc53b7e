package pipeline

import (
	"context"
	"os"
	"path/filepath"

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
	prefix := filepath.Join(os.TempDir(), "bierbench-demo-")
	if err = sweepFolders("", prefix); err != nil {
		w.Log.Debug("what a killed demo left stays", "error", err)
	}
	raw, free, err := temporaryFolder(filepath.Dir(prefix), filepath.Base(prefix))
	if err != nil {
		return nil, err
	}
	defer free()
	defer os.RemoveAll(raw)
	raw = filepath.Join(raw, "raw")
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
