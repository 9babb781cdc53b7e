// Package chart draws the charts of reports: [Lines], [Bars], [Strips] and [Matrix].
//
// A chart is laid out once, as a short list of paths and texts in pixels, x to the right and y down.
// That list is written three ways: as SVG that takes the style of its page, as an SVG file with a
// style of its own, and as a PNG of twice the size. A fourth form, CSV, has what is drawn unrounded
// and whole.
//
// The charts are drawn here and not by a library because a report is one file that opens from disk,
// in dark and light, on paper and in a screen reader, and whose charts people also put into papers.
// go-echarts needs a megabyte of script in each page and draws on a canvas that no reader can read.
// gonum/plot writes SVG and PNG, but with fixed colours and fonts, without titles, without parts that
// a filter could hide, and at 30 KB a chart where 250 ensembles share one page.
//
// Values that are not finite are gaps. Names come from data and may be hostile: every form escapes
// them.
package chart
