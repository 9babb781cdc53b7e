package datasets

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"slices"
)

// histogramBins is how many bins a histogram has at most.
const histogramBins = 24

// A Histogram counts values of a split: bin i holds those from Low + i*Step to below Low + (i+1)*Step.
type Histogram struct {
	Split  Split  `json:"split"`
	Of     string `json:"of"` // what is counted, with its unit
	Low    int    `json:"low"`
	Step   int    `json:"step"`
	Counts []int  `json:"counts"`
}

// newHistogram returns the histogram of values, of which there is at least one.
func newHistogram(split Split, of string, values []int) Histogram {
	low, high := slices.Min(values), slices.Max(values)
	h := Histogram{Split: split, Of: of, Low: low, Step: (high-low)/histogramBins + 1}
	h.Counts = make([]int, (high-low)/h.Step+1)
	for _, v := range values {
		h.Counts[(v-low)/h.Step]++
	}
	return h
}

// The sizes of drawn histograms, in pixels.
const (
	chartWidth  = 330
	chartHeight = 130
	chartMargin = 12
	chartText   = 18 // height of a line
)

// DrawHistograms writes the histograms as a PNG: a row for each split, a column for each quantity.
func (in Inspection) DrawHistograms(w io.Writer) error {
	const columns = 3
	rows := (len(in.Histograms) + columns - 1) / columns
	band := chartHeight + 2*chartText + chartMargin
	width := chartMargin + columns*(chartWidth+chartMargin)
	m := image.NewRGBA(image.Rect(0, 0, width, chartText+rows*band+chartMargin))
	draw.Draw(m, m.Bounds(), image.White, image.Point{}, draw.Src)
	drawLabel(m, chartMargin, 14, fmt.Sprintf("%s %s, digest %.12s", in.Set, in.Variant, in.Digest), width)
	for i, h := range in.Histograms {
		h.draw(m, chartMargin+i%columns*(chartWidth+chartMargin), chartText+i/columns*band)
	}
	return png.Encode(w, m)
}

// draw draws a histogram with its title above and its range below, its corner at x, y.
func (h Histogram) draw(m *image.RGBA, x, y int) {
	bar, line := image.NewUniform(color.RGBA{0x00, 0x68, 0xb0, 0xff}), image.NewUniform(color.RGBA{0x57, 0x60, 0x6a, 0xff})
	most := slices.Max(h.Counts)
	drawLabel(m, x, y+14, fmt.Sprintf("%s: %s, up to %d", h.Split, h.Of, most), 2*x+chartWidth)
	top, foot := y+chartText, y+chartText+chartHeight
	for i, n := range h.Counts {
		left, right := x+i*chartWidth/len(h.Counts), x+(i+1)*chartWidth/len(h.Counts)
		height := n * (foot - top) / most
		if n > 0 {
			height = max(height, 1)
		}
		draw.Draw(m, image.Rect(left, foot-height, max(right-1, left+1), foot), bar, image.Point{}, draw.Src)
	}
	draw.Draw(m, image.Rect(x, foot, x+chartWidth, foot+1), line, image.Point{}, draw.Src)
	drawLabel(m, x, foot+14, fmt.Sprintf("%d to %d, %d a bar", h.Low, h.Low+h.Step*len(h.Counts)-1, h.Step), 2*x+chartWidth)
}
