package reports

import (
	"math"
	"slices"

	"bierbench/runs"
)

// The verdicts of a comparison with a published number.
const (
	Reproduces    = "reproduces"
	NotReproduced = "does not reproduce"
)

// PublishedComparison is a result of ours beside a published number of the same protocol, method,
// backbone and size.
//
// The verdict is about our mean over seeds: it reproduces the number where it is at most the
// tolerance away from it, above or below, and otherwise does not. The 95% interval over seeds does
// not change the verdict, because a miss must not depend on the number of seeds. Where the interval
// reaches over the border of the tolerance, the verdict is unsure. One seed has no interval.
type PublishedComparison struct {
	Run        string       `json:"run"`
	Group      runs.Group   `json:"group"`
	Protocol   string       `json:"protocol"`
	At         string       `json:"at"`
	Metric     string       `json:"metric"`
	Summary    runs.Summary `json:"summary"` // of ours
	Method     string       `json:"method"`  // as published
	Published  float64      `json:"published"`
	Difference float64      `json:"difference"` // ours minus published
	Read       bool         `json:"read"`
	Source     string       `json:"source"`
	Note       string       `json:"note,omitempty"`
	Verdict    string       `json:"verdict,omitempty"` // empty without a tolerance
	Unsure     bool         `json:"unsure,omitempty"`  // the interval also allows the other verdict
	Reason     string       `json:"reason,omitempty"`  // why there is no verdict in spite of a tolerance
}

// NotCompared has results of ours on a protocol that are compared with no published number, all for
// one reason.
type NotCompared struct {
	Protocol string   `json:"protocol"`
	Reason   string   `json:"reason"`
	Results  int      `json:"results"`
	Methods  []string `json:"methods"`
}

// compare sets the results on a protocol beside the protocol's lines.
func (p *PublishedReport) compare(at PublishedProtocol, results []Result) {
	for _, x := range results {
		if at.Reason != "" {
			p.without(x, at.Reason)
			continue
		}
		left, reason := at.Lines, ""
		for _, step := range []struct {
			name string
			fits func(PublishedLine) bool
		}{
			{"nothing is published of the method on this protocol", func(l PublishedLine) bool { return l.hasMethod(x) }},
			{"the method is published with other backbones only", func(l PublishedLine) bool { return l.hasBackbone(x) }},
			{"the method is published at other embedding sizes only", func(l PublishedLine) bool { return l.hasSize(x) }},
			{"the backbone is frozen here and was trained in what is published", func(PublishedLine) bool { return x.Group.Mode != frozenMode }},
			{
				"the model was chosen by its test results (peek), which makes an optimistic number",
				func(PublishedLine) bool { return x.At != runs.AtPeek },
			},
			{"none of the metrics is published", func(l PublishedLine) bool {
				return slices.ContainsFunc(x.Metrics, func(m Metric) bool { _, ok := l.Values[m.Name]; return ok })
			}},
		} {
			left = slices.DeleteFunc(slices.Clone(left), func(l PublishedLine) bool { return !step.fits(l) })
			if len(left) == 0 {
				reason = step.name
				break
			}
		}
		if reason != "" {
			p.without(x, reason)
			continue
		}
		for _, l := range left {
			for _, m := range x.Metrics {
				if v, ok := l.Values[m.Name]; ok {
					p.Comparisons = append(p.Comparisons, p.comparison(x, m, l, v))
				}
			}
		}
	}
}

// without counts a result that is not compared.
func (p *PublishedReport) without(x Result, reason string) {
	i := slices.IndexFunc(p.Without, func(n NotCompared) bool { return n.Protocol == x.Protocol && n.Reason == reason })
	if i < 0 {
		i = len(p.Without)
		p.Without = append(p.Without, NotCompared{Protocol: x.Protocol, Reason: reason})
	}
	p.Without[i].Results++
	p.Without[i].Methods = appendNew(p.Without[i].Methods, x.Group.Method)
}

// comparison sets a metric of a result beside a published number.
func (p *PublishedReport) comparison(x Result, m Metric, l PublishedLine, published float64) PublishedComparison {
	c := PublishedComparison{
		Run: x.Run, Group: x.Group, Protocol: x.Protocol, At: x.At, Metric: m.Name, Summary: m.Summary, Method: l.Method,
		Published: published, Difference: m.Summary.Mean - published, Read: l.Read, Source: l.Source, Note: l.Note,
	}
	if p.Tolerance == nil {
		return c
	}
	if m.Collapsed {
		c.Reason = collapsedNote
		return c
	}
	within := func(v float64) bool { return math.Abs(v-published) <= *p.Tolerance+1e-9 } // 0.575-0.57 is a little over 0.005
	c.Verdict = NotReproduced
	if within(c.Summary.Mean) {
		c.Verdict = Reproduces
	}
	if len(c.Summary.Seeds) > 1 {
		inside := within(c.Summary.Low) && within(c.Summary.High)
		touches := within(max(c.Summary.Low, min(published, c.Summary.High))) // the interval's nearest point
		c.Unsure = inside != touches
	}
	return c
}
