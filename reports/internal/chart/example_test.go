package chart_test

import (
	"os"

	"bierbench/reports/internal/chart"
)

// The data of a chart is a table for programs; SVG and PNG draw the same values.
func Example() {
	bier := chart.Series{Name: "bier", Methods: []string{"bier"}}
	bier.Add(1, 0.55, 0.54, 0.56)
	bier.Add(2, 0.67, 0.66, 0.68)
	c := chart.Chart{Name: "recall", Title: "R@K", Plot: chart.Lines{
		X: "K", Y: "R@K, %", KeyX: "K", KeyY: "R@K", Percent: true, Markers: true, Series: []chart.Series{bier},
	}}
	if err := c.CSV(os.Stdout); err != nil {
		panic(err)
	}
	// Output:
	// series,K,R@K,low,high
	// bier,1,0.55,0.54,0.56
	// bier,2,0.67,0.66,0.68
}
