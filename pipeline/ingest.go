package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"bierbench/datasets"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// IngestResult is one data set that Ingest prepared or found up to date.
type IngestResult struct {
	Dir      string             `json:"dir"`
	Manifest *datasets.Manifest `json:"manifest"`
	Fresh    bool               `json:"fresh"` // it was written now; else it was up to date
	Seconds  float64            `json:"seconds"`
}

// Ingest prepares data sets from their raw folders. names are those of sets; "all" alone stands for
// every published set that is found in o.Raw.
func Ingest(ctx context.Context, w *workspace.Workspace, names []string, o datasets.IngestOptions) ([]IngestResult, error) {
	if len(names) == 1 && names[0] == "all" {
		found, err := datasets.LocateAll(o.Raw)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("no data set in %s or two levels below it", o.Raw)
		}
		var results []IngestResult
		for _, f := range found {
			each := o
			each.Raw = f.Root
			r, err := ingestOne(ctx, w, f.Set, each)
			if err != nil {
				return results, err
			}
			results = append(results, r)
		}
		return results, nil
	}
	var sets []datasets.Set
	for _, name := range names {
		set, err := datasets.Lookup(name)
		if err != nil {
			return nil, err
		}
		sets = append(sets, set)
	}
	var results []IngestResult
	for _, set := range sets {
		r, err := ingestOne(ctx, w, set, o)
		if err != nil {
			return results, err
		}
		results = append(results, r)
	}
	return results, nil
}

// ingestOne prepares one data set.
func ingestOne(ctx context.Context, w *workspace.Workspace, set datasets.Set, o datasets.IngestOptions) (IngestResult, error) {
	began := time.Now()
	o.Out = w.DatasetsDir()
	o.ToolVersion = workspace.Version(ctx)
	started := false
	o.Progress = func(done, total int) {
		if !started {
			w.Progress.Start("ingest "+set.Name, total)
			started = true
		}
		w.Progress.Advance(done, "")
	}
	m, dir, err := datasets.Ingest(ctx, set, o)
	if started {
		w.Progress.Finish()
	}
	if err != nil {
		return IngestResult{}, err
	}
	return IngestResult{Dir: dir, Manifest: m, Fresh: m.Fresh, Seconds: time.Since(began).Seconds()}, nil
}

// Verify checks prepared data sets. A name stands for all variants of a set, or for one, as in
// cub/official-s256-jpeg.
func Verify(ctx context.Context, w *workspace.Workspace, names []string) ([]*datasets.Report, error) {
	var entries []datasets.Entry
	for _, name := range names {
		found, err := preparedVariants(w, name)
		if err != nil {
			return nil, err
		}
		entries = append(entries, found...)
	}
	var found []*datasets.Report
	var errs []error
	for _, e := range entries {
		started := false
		r, err := datasets.Verify(ctx, e.Dir, func(done, total int) {
			if !started {
				w.Progress.Start("verify "+e.Set+"/"+e.Variant, total)
				started = true
			}
			w.Progress.Advance(done, "")
		})
		if started {
			w.Progress.Finish()
		}
		if r != nil {
			found = append(found, r)
		}
		if err != nil {
			errs = append(errs, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return found, errors.Join(errs...)
}

// preparedVariants returns the prepared data sets that a name stands for, at least one.
func preparedVariants(w *workspace.Workspace, name string) ([]datasets.Entry, error) {
	set, wanted, err := datasets.LookupVariant(name)
	if err != nil {
		return nil, err
	}
	if wanted != "" {
		e, missing := w.Dataset(name)
		return []datasets.Entry{e}, missing
	}
	entries, err := datasets.Prepared(w.DatasetsDir())
	if err != nil {
		return nil, err
	}
	var out []datasets.Entry
	for _, e := range entries {
		if e.Set == set.Name {
			out = append(out, e)
		}
	}
	if len(out) == 0 {
		ingest := []string{"ingest", set.Name, "--raw", "DIR"}
		if set.Own() {
			ingest = append(ingest, "--custom", "NAME")
		}
		return nil, fmt.Errorf("%w: %s is not in %s: run \"%s\"", workspace.ErrNotIngested, name, w.DatasetsDir(), w.CommandLine(ingest...))
	}
	return out, nil
}

// Inspected is what Inspect found out about one prepared data set.
type Inspected struct {
	datasets.Inspection
	Sheet  string `json:"contact_sheet"`   // path of the PNG file; empty where the workspace can only be read
	Charts string `json:"histogram_chart"` // likewise
}

// Inspect sums up prepared data sets, and draws a contact sheet of each into the workspace's
// reports folder, of so many classes, and its histograms.
func Inspect(ctx context.Context, w *workspace.Workspace, name string, classes int) ([]Inspected, error) {
	entries, err := preparedVariants(w, name)
	if err != nil {
		return nil, err
	}
	var out []Inspected
	for _, e := range entries {
		if ctx.Err() != nil {
			return out, ctx.Err()
		}
		one, err := inspectOne(w, e, classes)
		if err != nil {
			return out, fmt.Errorf("inspect %s/%s: %w", e.Set, e.Variant, err)
		}
		out = append(out, one)
	}
	return out, nil
}

// inspectOne sums up one prepared data set.
func inspectOne(w *workspace.Workspace, e datasets.Entry, classes int) (Inspected, error) {
	data, err := datasets.Open(e.Dir)
	if err != nil {
		return Inspected{}, err
	}
	defer data.Close()
	in, err := datasets.Inspect(data)
	if err != nil {
		return Inspected{}, err
	}
	dir := filepath.Join(w.ReportsDir(), "inspect")
	sheet, charts := filepath.Join(dir, e.Set+"."+e.Variant+".png"), filepath.Join(dir, e.Set+"."+e.Variant+".histograms.png")
	if err = os.MkdirAll(dir, 0o777); err == nil {
		err = runs.WriteFileFunc(sheet, 0o644, func(w io.Writer) error { return datasets.ContactSheet(data, classes, w) })
	}
	if err == nil {
		err = runs.WriteFileFunc(charts, 0o644, in.DrawHistograms)
	}
	if err != nil {
		return Inspected{Inspection: in}, w.Unwritten(err)
	}
	return Inspected{Inspection: in, Sheet: sheet, Charts: charts}, nil
}
