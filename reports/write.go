package reports

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"bierbench/reports/internal/table"
	"bierbench/runs"
)

// Write writes report.html, report.md, report.csv, report.json, report.tex and the folder charts
// (each chart as SVG, PNG and CSV) into a folder, which it makes if needed, and returns their
// paths. Each file is replaced whole. The files of charts that no longer exist are removed.
// published.csv has the published results near to the report's, and worth.csv what vectors are worth;
// they are removed where there are none.
func (r *Report) Write(dir string) ([]string, error) {
	documents := []document{
		{"report.html", r.HTML}, {"report.md", r.Markdown}, {"report.csv", r.CSV}, {"report.json", r.JSON}, {"report.tex", r.LaTeX},
	}
	if len(r.Published.shown()) > 0 {
		documents = append(documents, document{publishedName, r.Published.CSV})
	} else if err := os.Remove(filepath.Join(dir, publishedName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if r.Worth != nil {
		documents = append(documents, document{worthName, r.Worth.CSV})
	} else if err := os.Remove(filepath.Join(dir, worthName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	paths, err := writeAll(dir, documents)
	if err != nil {
		return nil, err
	}
	charts := filepath.Join(dir, chartsDir)
	if err := writeCharts(charts, r.charts().all()); err != nil {
		return nil, err
	}
	return append(paths, charts), nil
}

// JSON writes the report's fields: report.json.
func (r *Report) JSON(w io.Writer) error { return writeJSON(w, r) }

// CSV writes a row for each group, protocol and metric, values as fractions.
func (r *Report) CSV(w io.Writer) error { return r.long().CSV(w) }

// Text writes the results tables for a terminal.
func (r *Report) Text(w io.Writer) error {
	if len(r.Results) == 0 {
		_, err := fmt.Fprintln(w, "No cell is done yet: there is nothing to show.")
		return err
	}
	for i, t := range withoutNil(slices.Concat(r.headlines(brief), []*table.Table{r.failures()}, r.Published.judged())) {
		if i > 0 {
			if _, err := io.WriteString(w, "\n"); err != nil {
				return err
			}
		}
		if err := t.Text(w); err != nil {
			return err
		}
	}
	return nil
}

// LaTeX writes the results, the learners and the plan as tables for the booktabs package.
func (r *Report) LaTeX(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "%% %s\n%% needs \\usepackage{booktabs} and \\usepackage[T1]{fontenc}\n", oneLine(r.Title)); err != nil {
		return err
	}
	if len(r.Results) == 0 {
		_, err := io.WriteString(w, "% no cell is done yet\n")
		return err
	}
	for _, t := range withoutNil(slices.Concat(r.headlines(paper), []*table.Table{r.anatomy(), r.planned()},
		r.Published.verdicts(), r.Published.shown())) {
		if _, err := io.WriteString(w, "\n"); err != nil {
			return err
		}
		if err := t.LaTeX(w); err != nil {
			return err
		}
	}
	return nil
}

// oneLine returns s on one line, for a comment.
func oneLine(s string) string { return table.EscapeControl(strings.Join(strings.Fields(s), " ")) }

// Markdown writes the whole report except its charts.
func (r *Report) Markdown(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n\nbierbench report, %s.\n\n", table.EscapeMarkdown(r.Title), timeText(r.Created))
	for _, run := range r.Runs {
		fmt.Fprintf(&b, "- Run %s: suite %s, begun %s; %d of %d cells done, %d failed, %d running or interrupted.\n",
			table.EscapeMarkdown(run.ID), table.EscapeMarkdown(run.Suite), timeText(run.Created), run.Done, run.Planned, run.Failed, run.Running)
	}
	b.WriteString("\n")
	if len(r.Failures) > 0 {
		fmt.Fprintf(&b, "> **Warning:** not every planned cell has a result: %s.\n\n", r.missing())
	}
	for _, warning := range r.Warnings {
		fmt.Fprintf(&b, "> **Warning:** %s\n\n", table.EscapeMarkdown(warning))
	}
	section := func(title string, tables ...*table.Table) error {
		tables = withoutNil(tables)
		if len(tables) == 0 {
			return nil
		}
		fmt.Fprintf(&b, "## %s\n\n", title)
		for _, t := range tables {
			if err := t.Markdown(&b); err != nil {
				return err
			}
		}
		return nil
	}
	if len(r.Results) == 0 {
		b.WriteString("No cell is done yet: there is nothing to show.\n\n")
	} else {
		b.WriteString("Means over seeds ± half of the 95% interval of the mean. Bold only where a number is better than the base's " +
			"after Holm's correction; \\~ means that no difference was shown.\n\n")
	}
	shared, differing := r.settingsTables()
	for _, s := range []struct {
		title  string
		tables []*table.Table
	}{
		{"Results", r.headlines(whole)},
		{"Without a result", []*table.Table{r.failures()}},
		{r.Published.heading(), r.Published.tables()},
		{"Noise", r.Noise.tables()},
		{"What a vector is worth", r.Worth.tables()},
		{"Learners", []*table.Table{r.anatomy()}},
		{"Time", []*table.Table{r.costs()}},
		{"Plan", []*table.Table{r.planned()}},
		{"Data", []*table.Table{r.receipts()}},
		{"Settings", []*table.Table{differing, shared}},
		{"Environment", []*table.Table{r.environments()}},
	} {
		if err := section(s.title, s.tables...); err != nil {
			return err
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// withoutNil returns the tables that are not nil.
func withoutNil(tables []*table.Table) []*table.Table {
	var list []*table.Table
	for _, t := range tables {
		if t != nil {
			list = append(list, t)
		}
	}
	return list
}

// writeJSON writes v in the form of the records.
func writeJSON(w io.Writer, v any) error {
	data, err := runs.Indented(v)
	if err == nil {
		_, err = w.Write(append(data, '\n'))
	}
	return err
}

// document is a file and the function that writes its content.
type document struct {
	name  string
	write func(io.Writer) error
}

// writeAll renders all documents before it touches the folder, then writes them.
func writeAll(dir string, documents []document) ([]string, error) {
	contents := make([][]byte, len(documents))
	for i, d := range documents {
		var b bytes.Buffer
		if err := d.write(&b); err != nil {
			return nil, fmt.Errorf("write %s: %w", d.name, err)
		}
		contents[i] = b.Bytes()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var paths []string
	for i, d := range documents {
		path := filepath.Join(dir, d.name)
		if err := runs.WriteFile(path, contents[i], 0o644); err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}
