// Package reports turns the records of runs into what people read and cite: tables, charts and pages.
//
// [Build] assembles a [Report] from runs; [DiffText], [DiffMarkdown], [DiffHTML] and [DiffJSON] write
// a comparison of package runs; [NewTrend], [NewNoiseReport] and [NewRescoring] make the other
// reports. Each is data first, from which every form is written. Numbers stay as they are in the
// records (fractions in [0, 1], seconds) until they are written; only text for people has per cent
// and percentage points.
//
// Text that comes from data (names of data sets, methods and classes, errors, settings) may be
// hostile and is escaped for the form it is written to. A page is one HTML file that needs nothing
// else: its style, script and pictures are inside, and its policy allows nothing from elsewhere.
//
// Package table has the tables, package chart the charts; both are internal.
package reports
