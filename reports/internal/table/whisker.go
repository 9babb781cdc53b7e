package table

import (
	"fmt"
	"html/template"
	"strings"

	"bierbench/runs"
)

// Whisker is a difference with its interval, drawn on a line from -Span to Span with zero in the
// middle. Its colour is that of the verdict alone: an interval that leaves zero out is not a
// verdict before the correction for many rows.
type Whisker struct {
	Low, Middle, High, Span float64
	Verdict                 string
}

// SVG draws the whisker. It repeats numbers of its table and is hidden from screen readers.
func (w Whisker) SVG() template.HTML {
	const width, height, middle = 88.0, 16.0, 8.0
	if w.Span <= 0 {
		w.Span = 1
	}
	at := func(v float64) float64 { return width/2 + max(-1, min(1, v/w.Span))*(width/2-5) }
	class := "within"
	switch w.Verdict {
	case runs.Better:
		class = "above"
	case runs.Worse:
		class = "below"
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="whiskers %s" viewBox="0 0 %g %g" aria-hidden="true">`, class, width, height)
	fmt.Fprintf(&b, `<line class="zero" x1="%g" x2="%g" y1="0" y2="%g"/>`, width/2, width/2, height)
	fmt.Fprintf(&b, `<line class="reach" x1="%.1f" x2="%.1f" y1="%g" y2="%g"/>`, at(w.Low), at(w.High), middle, middle)
	fmt.Fprintf(&b, `<circle class="mean" cx="%.1f" cy="%g" r="3.5"/></svg>`, at(w.Middle), middle)
	return template.HTML(b.String()) //nolint:gosec // numbers only
}
