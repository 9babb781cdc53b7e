// Package table builds the tables of reports and writes them as text, Markdown, CSV, JSON and LaTeX.
//
// A [Table] is built once and every form is written from the same value. An [Entry] has its value
// twice: as it is in the records, for programs (fractions, seconds), and as text in the unit of its
// column, for people (per cent, points). An entry without a value shows a dash, and is empty in CSV
// and null in JSON.
//
// Text comes from data and may be hostile: each form escapes it, so that it cannot steer a terminal,
// become markup or be evaluated by a spreadsheet.
package table
