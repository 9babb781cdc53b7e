package reports

import (
	"fmt"
	"io"
	"strings"

	"bierbench/reports/internal/table"
	"bierbench/runs"
)

// title names the noise of runs.
func (n *NoiseReport) title() string {
	var ids []string
	for _, r := range n.Noise {
		ids = appendNew(ids, r.Run)
	}
	return strings.TrimSpace("Noise of " + strings.Join(ids, ", "))
}

// Markdown writes the tables.
func (n *NoiseReport) Markdown(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "# %s\n\n", table.EscapeMarkdown(n.title())); err != nil {
		return err
	}
	if len(n.Noise) == 0 {
		_, err := io.WriteString(w, "No cell is done yet: there is nothing to show.\n")
		return err
	}
	for _, t := range n.tables() {
		if err := t.Markdown(w); err != nil {
			return err
		}
	}
	return nil
}

// JSON writes the report's fields: noise.json.
func (n *NoiseReport) JSON(w io.Writer) error { return writeJSON(w, n) }

// CSV writes a row for each measured quantity, fractions and counts.
func (n *NoiseReport) CSV(w io.Writer) error {
	t := &table.Table{Columns: []table.Column{
		table.TextColumn("run", ""), table.TextColumn("dataset", ""), table.TextColumn("variant", ""),
		table.TextColumn("backbone", ""), table.TextColumn("mode", ""), table.TextColumn("method", ""),
		table.TextColumn("protocol", ""), table.TextColumn("at", ""), table.TextColumn("metric", ""),
		table.TextColumn("quantity", ""), table.TextColumn("seeds", ""), table.TextColumn("difference", ""), table.TextColumn("value", ""),
	}}
	for _, r := range n.Noise {
		g := r.Group
		line := func(quantity string, seeds, difference, value any) {
			row := make([]table.Entry, 0, len(t.Columns))
			for _, v := range []any{
				r.Run, g.Dataset, g.Variant, g.Backbone, g.Mode, g.Method, r.Protocol, r.At, r.Metric, quantity,
				seeds, difference, value,
			} {
				row = append(row, table.Entry{Value: v})
			}
			t.Add(g, row...)
		}
		line("configurations", nil, nil, r.Configurations)
		if r.Reason != "" {
			line("reason", nil, nil, r.Reason)
			continue
		}
		for _, x := range []struct {
			name  string
			value any
		}{
			{"sd", r.SD},
			{"sd low", r.Low},
			{"sd high", r.High},
			{"sd degrees of freedom", r.Freedom},
			{"correlation over seeds", r.Correlation},
			{"sd smallest", r.Smallest},
			{"sd largest", r.Largest},
		} {
			line(x.name, nil, nil, x.value)
		}
		if r.Pairs > 0 {
			line("sd of classes", nil, nil, r.ClassSD)
		}
		for _, s := range r.Splits {
			line("same splits", s.Seeds, nil, s.Splits)
			line("same sd", s.Seeds, nil, s.SD)
			line("same within 95%", s.Seeds, nil, s.Within95)
			line("same largest", s.Seeds, nil, s.Largest)
			line("same called different", s.Seeds, nil, s.Verdicts)
		}
		for _, d := range r.Needed {
			var seeds any = d.Seeds
			if d.Seeds == 0 {
				seeds = fmt.Sprintf(">%d", runs.MostSeeds)
			}
			line("power", seeds, d.Difference, d.Power)
		}
		if r.Found > 0 {
			line("found", r.Most, nil, r.Found)
		}
	}
	return t.CSV(w)
}

// noisePage is the data of noise.gohtml.
type noisePage struct {
	pageShell
	Heading  string
	Tables   []tableView
	Datasets []string
	Methods  []string
}

// HTML writes the noise as one page that needs nothing else.
func (n *NoiseReport) HTML(w io.Writer) error {
	s, err := newPageShell(n.title() + " · bierbench noise")
	if err != nil {
		return err
	}
	pages, err := templates()
	if err != nil {
		return err
	}
	p := noisePage{pageShell: s, Heading: n.title(), Tables: tableViews("noise", n.tables()...)}
	for _, r := range n.Noise {
		p.Datasets = appendNew(p.Datasets, r.Group.Dataset)
	}
	return pages.ExecuteTemplate(w, "noise.gohtml", p)
}

// Write writes noise.html, noise.md, noise.txt, noise.csv and noise.json into a folder, as
// Report.Write does.
func (n *NoiseReport) Write(dir string) ([]string, error) {
	return writeAll(dir, []document{
		{"noise.html", n.HTML}, {"noise.md", n.Markdown}, {"noise.txt", n.Text}, {"noise.csv", n.CSV}, {"noise.json", n.JSON},
	})
}
