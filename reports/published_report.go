package reports

import (
	"fmt"
	"slices"
	"strings"

	"bierbench/runs"
)

// PublishedReport has the results that others have published on the data sets of a report, and says
// where our results can be set beside them.
type PublishedReport struct {
	Date        string                `json:"date"`                // of the table of published results
	Tolerance   *float64              `json:"tolerance,omitempty"` // fraction; nil: there are no verdicts
	Protocols   []PublishedProtocol   `json:"protocols"`           // in the order of the results
	Others      []PublishedOthers     `json:"others"`              // on the same data sets
	Comparisons []PublishedComparison `json:"comparisons"`
	Without     []NotCompared         `json:"not_compared"`
}

// PublishedProtocol has the published results on a protocol of ours, by one of the report's methods
// or with one of its backbones.
type PublishedProtocol struct {
	Protocol string          `json:"protocol"`         // ours
	As       string          `json:"as"`               // the published protocol, without +subset; empty: there can be none
	Reason   string          `json:"reason,omitempty"` // why no result on it can be compared
	Results  int             `json:"results"`          // of ours
	Lines    []PublishedLine `json:"lines"`
}

// PublishedLine has the numbers of one source for a method.
type PublishedLine struct {
	Dataset  string             `json:"dataset"`
	Protocol string             `json:"protocol,omitempty"`
	Split    string             `json:"split,omitempty"`
	Crop     string             `json:"crop"`
	Method   string             `json:"method"`
	Ours     string             `json:"ours,omitempty"`
	Backbone string             `json:"backbone"`
	Size     int                `json:"embedding_size,omitempty"`
	Values   map[string]float64 `json:"values"` // fractions by metric
	Read     bool               `json:"read"`
	Source   string             `json:"source"`
	Note     string             `json:"note,omitempty"`
	Differs  []string           `json:"differs"` // properties other than in our nearest result; empty: it is compared
}

// PublishedOthers counts the other published results on a data set.
type PublishedOthers struct {
	Dataset  string   `json:"dataset"`
	Protocol string   `json:"protocol,omitempty"`
	Split    string   `json:"split,omitempty"`
	Crop     string   `json:"crop"`
	Backbone string   `json:"backbone"`
	Size     int      `json:"embedding_size,omitempty"`
	Methods  int      `json:"methods"`
	Best     float64  `json:"best,omitempty"`   // R@1, a fraction; 0: none has it
	Method   string   `json:"method,omitempty"` // the method that has it
	Read     bool     `json:"read"`             // the number was read in its source
	Differs  []string `json:"differs"`          // properties other than in all our results
}

// The words for what can differ.
const (
	differsData     = "images"
	differsProtocol = "protocol"
	differsCrop     = "crop"
	differsMethod   = "method"
	differsBackbone = "backbone"
	differsSize     = "size"
	differsMode     = "frozen"
	differsChoice   = "chosen by test results"
)

// frozenMode is the mode of cells whose backbone was not trained. All published results that have a
// name of ours come from trained backbones.
const frozenMode = "frozen"

// publishedProtocol returns the protocol under which the published results for one of ours are
// found, and the reason if our results on it cannot be compared with them.
func publishedProtocol(protocol string) (as, reason string) {
	id, suffixes, _ := strings.Cut(protocol, "+")
	if strings.HasSuffix(id, "-validation") {
		return "", "classes held out of the training classes: published results are of the test classes"
	}
	as = id
	for suffix := range strings.SplitSeq(suffixes, "+") {
		switch suffix {
		case "":
		case "box":
			as += "+box"
		case "subset":
			reason = "only a part of the data set's images was there (+subset)"
		case "highres":
			reason = "the images are of high resolution (+highres)"
		default:
			return "", "custom lists (+" + suffix + "): published results are of other images"
		}
	}
	return as, reason
}

// addPublished adds the published results on the report's data sets.
func (r *Report) addPublished(p *Published, tolerance *float64) {
	if p == nil || len(r.Results) == 0 {
		return
	}
	b := &PublishedReport{Date: p.Date, Tolerance: tolerance}
	lines := p.lines()
	shown := make([]bool, len(lines))
	datasets := map[string][]string{} // data set -> protocols that published results can have
	var order []string
	for _, protocol := range r.protocols() {
		results := r.onProtocol(protocol)
		at := PublishedProtocol{Protocol: protocol, Results: len(results)}
		at.As, at.Reason = publishedProtocol(protocol)
		if at.As != "" {
			dataset := results[0].Group.Dataset
			order = appendNew(order, dataset)
			datasets[dataset] = appendNew(datasets[dataset], at.As)
		}
		for i, line := range lines {
			if at.As == "" || line.Protocol != at.As || !line.near(results) {
				continue
			}
			shown[i] = true
			line.Differs = line.differs(results)
			if at.Reason != "" {
				line.Differs = append([]string{differsData}, line.Differs...)
			}
			at.Lines = append(at.Lines, line)
		}
		slices.SortStableFunc(at.Lines, func(x, y PublishedLine) int { return len(x.Differs) - len(y.Differs) })
		b.Protocols = append(b.Protocols, at)
		b.compare(at, results)
	}
	for _, dataset := range order {
		var results []Result
		for _, x := range r.Results {
			if x.Group.Dataset == dataset {
				results = append(results, x)
			}
		}
		var rest []PublishedLine
		for i, line := range lines {
			if line.Dataset == dataset && !shown[i] {
				rest = append(rest, line)
			}
		}
		b.addOthers(rest, results, datasets[dataset])
	}
	r.Published = b
}

// lines groups the numbers by method and source.
func (p *Published) lines() []PublishedLine {
	var lines []PublishedLine
	at := map[PublishedResult]int{}
	for _, x := range p.Results {
		key := x
		key.Metric, key.Value = "", 0
		i, ok := at[key]
		if !ok {
			i = len(lines)
			at[key] = i
			lines = append(lines, PublishedLine{
				Dataset: x.Dataset, Protocol: x.Protocol, Split: x.Split, Crop: x.Crop, Method: x.Method, Ours: x.Ours, Backbone: x.Backbone,
				Size: x.Size, Values: map[string]float64{}, Read: x.Read, Source: x.Source, Note: x.Note,
			})
		}
		lines[i].Values[x.Metric] = x.Value
	}
	return lines
}

// hasMethod reports whether a result is of the line's method.
func (l PublishedLine) hasMethod(x Result) bool { return l.Ours != "" && l.Ours == x.Group.Method }

// hasBackbone reports whether a result is of the line's backbone.
func (l PublishedLine) hasBackbone(x Result) bool {
	return strings.EqualFold(l.Backbone, x.Group.Backbone)
}

// hasSize reports whether a result is of the line's size.
func (l PublishedLine) hasSize(x Result) bool { return l.Size > 0 && l.Size == x.Group.Size }

// hasVariant reports whether a result is of the line's method or, by its name, of a variant of it:
// bier and bier-activation, in either direction.
func (l PublishedLine) hasVariant(x Result) bool {
	ours, method := l.Ours+"-", x.Group.Method+"-"
	return l.Ours != "" && (strings.HasPrefix(ours, method) || strings.HasPrefix(method, ours))
}

// near reports whether a line shares a method, a variant or a backbone with one of the results.
func (l PublishedLine) near(results []Result) bool {
	return slices.ContainsFunc(results, l.hasVariant) || slices.ContainsFunc(results, l.hasBackbone)
}

// aspect is one property that a result must share with a published one.
type aspect struct {
	name string
	fits func(Result) bool
}

// aspects returns the properties that a result on the line's protocol must share to be compared.
func (l PublishedLine) aspects() []aspect {
	return []aspect{
		{differsMethod, l.hasMethod},
		{differsBackbone, l.hasBackbone},
		{differsSize, l.hasSize},
		{differsMode, func(x Result) bool { return x.Group.Mode != frozenMode }},
		{differsChoice, func(x Result) bool { return x.At != runs.AtPeek }},
	}
}

// differs says in which properties a line differs from the nearest of the results. The method
// counts more than the backbone, and the backbone more than the size.
func (l PublishedLine) differs(results []Result) []string {
	differs := []string{}
	for _, a := range l.aspects() {
		var left []Result
		for _, x := range results {
			if a.fits(x) {
				left = append(left, x)
			}
		}
		if len(left) == 0 {
			differs = append(differs, a.name)
			continue
		}
		results = left
	}
	return differs
}

// addOthers counts the other published results on a data set by protocol, backbone and size.
// protocols are those of the report's results.
func (p *PublishedReport) addOthers(lines []PublishedLine, results []Result, protocols []string) {
	type key struct {
		protocol, split, crop, backbone string
		size                            int
	}
	at := map[key]int{}
	methods := map[key][]string{}
	first := len(p.Others)
	for _, l := range lines {
		k := key{l.Protocol, l.Split, l.Crop, l.Backbone, l.Size}
		i, ok := at[k]
		if !ok {
			i = len(p.Others)
			at[k] = i
			p.Others = append(p.Others, PublishedOthers{
				Dataset: l.Dataset, Protocol: l.Protocol, Split: l.Split, Crop: l.Crop, Backbone: l.Backbone, Size: l.Size,
				Differs: l.differsFromAll(results, protocols),
			})
		}
		o := &p.Others[i]
		methods[k] = appendNew(methods[k], l.Method)
		o.Methods = len(methods[k])
		if v, ok := l.Values[recallAt1]; ok && v > o.Best {
			o.Best, o.Method, o.Read = v, l.Method, l.Read
		}
	}
	slices.SortStableFunc(p.Others[first:], func(x, y PublishedOthers) int { return strings.Compare(x.where(), y.where()) })
}

// where says which protocol others' results are on.
func (o PublishedOthers) where() string {
	if o.Protocol == "" {
		return o.Split
	}
	return o.Protocol
}

// differsFromAll says in which properties a line differs from all results on a data set.
func (l PublishedLine) differsFromAll(results []Result, protocols []string) []string {
	differs := []string{}
	switch cut, _ := strings.CutSuffix(l.Protocol, "+box"); {
	case slices.Contains(protocols, l.Protocol):
	case l.Protocol != "" && slices.ContainsFunc(protocols, func(p string) bool { return strings.TrimSuffix(p, "+box") == cut }):
		differs = append(differs, differsCrop)
	default:
		differs = append(differs, differsProtocol)
	}
	for _, a := range l.aspects()[:3] {
		if !slices.ContainsFunc(results, a.fits) && (a.name != differsMethod || len(differs) == 0) {
			differs = append(differs, a.name)
		}
	}
	if len(differs) == 0 {
		differs = append(differs, fmt.Sprintf("%s, %s and %s together", differsMethod, differsBackbone, differsSize))
	}
	return differs
}
