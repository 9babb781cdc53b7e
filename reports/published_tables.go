package reports

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"bierbench/reports/internal/table"
	"bierbench/runs"
)

// verdicts returns the table of our results beside published numbers and the table of results that
// have none, with the reasons. Without a tolerance there are no verdicts.
func (p *PublishedReport) verdicts() []*table.Table {
	if p == nil {
		return nil
	}
	var tables []*table.Table
	if len(p.Comparisons) > 0 {
		tables = append(tables, p.comparisons())
	}
	if len(p.Without) > 0 && p.Tolerance != nil {
		tables = append(tables, p.withoutVerdict())
	}
	return tables
}

// judged returns the tables of verdicts; none without a tolerance.
func (p *PublishedReport) judged() []*table.Table {
	if p == nil || p.Tolerance == nil {
		return nil
	}
	return p.verdicts()
}

// comparisons shows our results beside published numbers.
func (p *PublishedReport) comparisons() *table.Table {
	t := &table.Table{Title: "Ours beside published results of the same protocol, method, backbone and size"}
	t.Columns = []table.Column{
		table.TextColumn("method", "Method"), table.TextColumn("backbone", "Backbone"),
		table.NumberColumn("embedding_size", "Size", ""), table.TextColumn("protocol", "Protocol"),
		table.NumberColumn("seeds", "Seeds", ""), table.TextColumn("metric", "Metric"), table.NumberColumn("ours", "Ours", "%"),
		table.NumberColumn("published", "Published", "%"), table.NumberColumn("difference", "Δ", "pt"),
	}
	if p.Tolerance != nil {
		t.Notes = []string{fmt.Sprintf("Tolerance %s points: our mean over seeds reproduces a number that it is at most so "+
			"far from, above or below. "+
			"Its 95%% interval over seeds is shown and does not change the verdict; where it reaches over the border of the "+
			"tolerance, a footnote says so.", runs.Percent(*p.Tolerance))}
		t.Columns = append(t.Columns, table.TextColumn("verdict", "Verdict"))
	}
	differ := func(of func(PublishedComparison) string) bool {
		return slices.ContainsFunc(p.Comparisons, func(c PublishedComparison) bool {
			return slices.ContainsFunc(p.Comparisons, func(d PublishedComparison) bool { return c.Protocol == d.Protocol && of(c) != of(d) })
		})
	}
	var more []func(PublishedComparison) string
	for _, x := range []struct {
		column table.Column
		of     func(PublishedComparison) string
	}{
		{table.TextColumn("variant", "Variant"), func(c PublishedComparison) string { return c.Group.Variant }},
		{table.TextColumn("run", "Run"), func(c PublishedComparison) string { return c.Run }},
	} {
		if differ(x.of) {
			t.Columns = append(t.Columns, x.column)
			more = append(more, x.of)
		}
	}
	for _, c := range p.Comparisons {
		method := table.Words(c.Group.Method)
		if c.At != runs.AtLast {
			method = table.Words(c.Group.Method + " (" + c.At + ")")
		}
		published, seeds := table.Percent(c.Published), table.Count(len(c.Summary.Seeds))
		if len(c.Summary.Seeds) == 1 {
			seeds.Marks = []int{t.Footnote("one seed: there is no interval")}
		}
		published.Marks = []int{t.Footnote(c.Method + ", " + c.source())}
		row := []table.Entry{
			method, table.Words(c.Group.Backbone + " " + c.Group.Mode), table.Count(c.Group.Size), table.Words(c.Protocol), seeds,
			table.Words(c.Metric), table.MeanPercent(c.Summary), published, table.Points(c.Difference),
		}
		if p.Tolerance != nil {
			verdict := table.Words(c.Verdict)
			switch {
			case c.Reason != "":
				verdict = table.Words("no verdict")
				verdict.Marks = []int{t.Footnote(c.Reason)}
			case c.Unsure && c.Verdict == Reproduces:
				verdict.Marks = []int{t.Footnote("the interval of the mean reaches beyond the tolerance")}
			case c.Unsure:
				verdict.Marks = []int{t.Footnote("the interval of the mean reaches within the tolerance")}
			}
			row = append(row, verdict)
		}
		for _, of := range more {
			row = append(row, table.Words(of(c)))
		}
		t.Add(c.Group, row...)
	}
	return t
}

// source names the source of a number, and says whether it was read there.
func (c PublishedComparison) source() string {
	s := c.Source
	if c.Note != "" {
		s += " (" + c.Note + ")"
	}
	if !c.Read {
		s += "; written down from memory, not read there"
	}
	return s
}

// mostNamedMethods is the number of methods without a verdict that are named.
const mostNamedMethods = 4

// withoutVerdict shows the results without a verdict and the reasons.
func (p *PublishedReport) withoutVerdict() *table.Table {
	t := &table.Table{Title: "Results without a verdict on published numbers"}
	t.Columns = []table.Column{
		table.TextColumn("protocol", "Protocol"), table.NumberColumn("results", "Results", ""),
		table.TextColumn("methods", "Methods"), table.TextColumn("reason", "No verdict because"),
	}
	for _, n := range p.Without {
		names := strings.Join(n.Methods[:min(len(n.Methods), mostNamedMethods)], ", ")
		if more := len(n.Methods) - mostNamedMethods; more > 0 {
			names += fmt.Sprintf(" and %d more", more)
		}
		t.Add(runs.Group{}, table.Words(n.Protocol), table.Count(n.Results), table.Words(names), table.Words(n.Reason))
	}
	return t
}

// heading names the section, with the date of the table.
func (p *PublishedReport) heading() string {
	if p == nil {
		return ""
	}
	return "Published results, as of " + p.Date
}

// shown returns, for each protocol, a table of the published results by the report's methods and
// with its backbones.
func (p *PublishedReport) shown() []*table.Table {
	if p == nil {
		return nil
	}
	var tables []*table.Table
	for _, at := range p.Protocols {
		if len(at.Lines) > 0 {
			tables = append(tables, p.protocol(at))
		}
	}
	return tables
}

// protocol shows the published results on a protocol.
func (p *PublishedReport) protocol(at PublishedProtocol) *table.Table {
	t := &table.Table{Title: "Published on " + at.As + ", as of " + p.Date}
	if at.Reason != "" {
		t.Notes = append(t.Notes, "Nothing here compares with our numbers on "+at.Protocol+": "+at.Reason+".")
	}
	t.Columns = []table.Column{
		table.TextColumn("method", "Published method"), table.TextColumn("ours", "Our name"),
		table.TextColumn("backbone", "Backbone"), table.NumberColumn("embedding_size", "Size", ""),
	}
	var names []string
	for _, l := range at.Lines {
		for name := range l.Values {
			names = appendNew(names, name)
		}
	}
	slices.SortFunc(names, compareMetrics)
	for _, n := range names {
		t.Columns = append(t.Columns, table.NumberColumn(n, n, "%"))
	}
	t.Columns = append(t.Columns, table.TextColumn("differs", "Not comparable: differs in"),
		table.TextColumn("read", "Read at source"), table.TextColumn("source", "Source"))
	for _, l := range at.Lines {
		method := table.Words(l.Method)
		if l.Note != "" {
			method.Marks = []int{t.Footnote(l.Note)}
		}
		row := []table.Entry{method, table.Words(l.Ours), table.Words(l.Backbone), sizeEntry(l.Size)}
		for _, n := range names {
			e := table.Absent()
			if v, ok := l.Values[n]; ok {
				e = table.Percent(v)
			}
			row = append(row, e)
		}
		t.Add(runs.Group{Dataset: l.Dataset}, append(row, differingEntry(l.Differs), yesNoEntry(l.Read), table.Words(l.Source))...)
	}
	return t
}

// sizeEntry is an entry of a size, which may be unknown.
func sizeEntry(n int) table.Entry {
	if n == 0 {
		return table.Absent()
	}
	return table.Count(n)
}

// differingEntry is an entry of the properties that differ.
func differingEntry(names []string) table.Entry {
	if len(names) == 0 {
		return table.Words("nothing: compared")
	}
	return table.Words(strings.Join(names, ", "))
}

// yesNoEntry is an entry of yes or no.
func yesNoEntry(b bool) table.Entry {
	if b {
		return table.Words("yes")
	}
	return table.Words("no")
}

// others returns, for each data set, the other results published on it.
func (p *PublishedReport) others() []*table.Table {
	if p == nil {
		return nil
	}
	var tables []*table.Table
	for i, o := range p.Others {
		if i == 0 || o.Dataset != p.Others[i-1].Dataset {
			t := &table.Table{Title: "Also published on " + o.Dataset + ", as of " + p.Date + ": not comparable"}
			t.Columns = []table.Column{
				table.TextColumn("protocol", "Protocol"), table.TextColumn("crop", "Crop"), table.TextColumn("backbone", "Backbone"),
				table.NumberColumn("embedding_size", "Size", ""),
				table.NumberColumn("methods", "Methods", ""), table.NumberColumn("best R@1", "Best R@1", "%"),
				table.TextColumn("method", "of"), table.TextColumn("read", "Read at source"), table.TextColumn("differs", "Differs in"),
			}
			tables = append(tables, t)
		}
		best, read := table.Absent(), table.Absent()
		if o.Method != "" {
			best, read = table.Percent(o.Best), yesNoEntry(o.Read)
		}
		tables[len(tables)-1].Add(runs.Group{Dataset: o.Dataset}, table.Words(o.where()), table.Words(o.Crop),
			table.Words(o.Backbone), sizeEntry(o.Size),
			table.Count(o.Methods), best, table.Words(o.Method), read, differingEntry(o.Differs))
	}
	return tables
}

// nothing shows the protocols on which the report's methods and backbones have no published result.
func (p *PublishedReport) nothing() *table.Table {
	if p == nil {
		return nil
	}
	t := &table.Table{Title: "Nothing published on these protocols by these methods or with these backbones"}
	t.Columns = []table.Column{table.TextColumn("protocol", "Protocol"), table.TextColumn("reason", "Reason")}
	for _, at := range p.Protocols {
		if len(at.Lines) == 0 {
			reason := at.Reason
			if at.As != "" {
				reason = "there is no such row in the table"
			}
			t.Add(runs.Group{}, table.Words(at.Protocol), table.Words(reason))
		}
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return t
}

// tables returns all tables of the section, the nearest to our results first.
func (p *PublishedReport) tables() []*table.Table {
	tables := append(p.verdicts(), p.shown()...)
	return append(append(tables, p.nothing()), p.others()...)
}

// publishedView is the data of published.gohtml.
type publishedView struct {
	Date                             string
	Verdicts, Shown, Nothing, Others []tableView
}

// view returns the block as a part of a page.
func (p *PublishedReport) view() publishedView {
	if p == nil {
		return publishedView{}
	}
	return publishedView{
		Date: p.Date, Verdicts: tableViews("published-verdicts", p.verdicts()...), Shown: tableViews("published", p.shown()...),
		Nothing: tableViews("published-nothing", p.nothing()), Others: tableViews("published-others", p.others()...),
	}
}

// CSV writes a row for each published number that is shown, and for each result of ours that is
// compared with it. Values are fractions.
func (p *PublishedReport) CSV(w io.Writer) error {
	t := &table.Table{}
	for _, name := range []string{
		"as_of", "dataset", "protocol", "crop", "method", "backbone", "embedding_size", "metric", "value", "read", "source", "note",
		"our_protocol", "our_method", "differs", "run", "variant", "mode", "at", "seeds", "ours", "low", "high", "difference",
		"verdict", "unsure", "reason",
	} {
		t.Columns = append(t.Columns, table.TextColumn(name, ""))
	}
	for _, at := range p.Protocols {
		for _, l := range at.Lines {
			var names []string
			for name := range l.Values {
				names = append(names, name)
			}
			slices.SortFunc(names, compareMetrics)
			for _, name := range names {
				var sized any
				if l.Size > 0 {
					sized = l.Size
				}
				published := []any{
					p.Date, l.Dataset, l.Protocol, l.Crop, l.Method, l.Backbone, sized, name, l.Values[name], l.Read, l.Source, l.Note,
					at.Protocol, l.Ours, strings.Join(l.Differs, ", "),
				}
				found := false
				for _, c := range p.Comparisons {
					if c.Protocol != at.Protocol || !l.hasMethod(Result{Group: c.Group}) || c.Method != l.Method || c.Metric != name ||
						c.Source != l.Source ||
						c.Read != l.Read || c.Note != l.Note || !l.hasBackbone(Result{Group: c.Group}) || !l.hasSize(Result{Group: c.Group}) {
						continue
					}
					found = true
					t.AddValues(append(slices.Clone(published), c.Run, c.Group.Variant, c.Group.Mode, c.At, len(c.Summary.Seeds),
						c.Summary.Mean, c.Summary.Low, c.Summary.High, c.Difference, c.Verdict, c.Unsure, c.Reason)...)
				}
				if !found {
					t.AddValues(published...)
				}
			}
		}
	}
	return t.CSV(w)
}
