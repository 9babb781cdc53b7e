package reports

import (
	"fmt"
	"slices"
)

// mostLines is how many lines share a chart: with more, lines hide each other
// and a reader looks for colours in a legend that is longer than the chart.
const mostLines = 12

// linesOfPart is how many lines a part of a crowded chart has beside the base's:
// as many as there are colours left.
const linesOfPart = styles - 1

// parts returns a chart, in parts of few lines where it has too many. Parts
// have the axes of the whole, and each begins with the line of the base, so
// that a reader can compare from part to part.
func (c lineChart) parts(base string) []lineChart {
	if len(c.Series) <= mostLines {
		return []lineChart{c}
	}
	others, first := slices.Clone(c.Series), []series{}
	if at := slices.IndexFunc(others, func(s series) bool { return slices.Equal(s.Methods, []string{base}) }); at >= 0 {
		first = []series{others[at]}
		others = slices.Delete(others, at, at+1)
	}
	number := (len(others) + linesOfPart - 1) / linesOfPart
	list := make([]lineChart, number)
	for i := range list {
		part := c
		part.whole = &c
		part.Series = slices.Concat(first, others[i*len(others)/number:(i+1)*len(others)/number])
		list[i] = part
	}
	return list
}

// charts returns the charts that have a line, crowded ones in parts; kind
// begins their names, what their titles.
func (c *collection) charts(r *Report, kind, what string) []chart {
	var list []chart
	for _, p := range c.order {
		if len(c.plots[p].Series) == 0 {
			continue
		}
		parts := c.plots[p].parts(r.Base)
		for i, plot := range parts {
			x := chart{Name: r.placeName(kind, p), Title: what + ": " + r.placeTitle(p), Dataset: p.dataset, plot: plot}
			if len(parts) > 1 {
				x.Name = r.placeName(kind, p, fmt.Sprintf("part-%d", i+1))
				x.Title += fmt.Sprintf(" (%d of %d)", i+1, len(parts))
			}
			list = append(list, x)
		}
	}
	return list
}
