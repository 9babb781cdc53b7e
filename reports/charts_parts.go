package reports

import (
	"fmt"

	"bierbench/reports/internal/chart"
)

// charts returns the charts that have a line, crowded ones in parts. kind begins their names, what
// begins their titles.
func (c *chartsByPlace) charts(r *Report, kind, what string) []chart.Chart {
	var list []chart.Chart
	for _, p := range c.order {
		if len(c.plots[p].Series) == 0 {
			continue
		}
		parts := c.plots[p].Split(r.Base)
		for i, plot := range parts {
			x := chart.Chart{Name: r.placeName(kind, p), Title: what + ": " + r.placeTitle(p), Dataset: p.dataset, Plot: plot}
			if len(parts) > 1 {
				x.Name = r.placeName(kind, p, fmt.Sprintf("part-%d", i+1))
				x.Title += fmt.Sprintf(" (%d of %d)", i+1, len(parts))
			}
			list = append(list, x)
		}
	}
	return list
}
