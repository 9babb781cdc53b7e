package table_test

import (
	"os"

	"bierbench/reports/internal/table"
	"bierbench/runs"
)

// One table, written for a terminal and for a spreadsheet.
func Example() {
	t := &table.Table{
		Title:   "cub-loo",
		Columns: []table.Column{table.TextColumn("method", "Method"), table.NumberColumn("R@1", "R@1", "%")},
	}
	bier := table.MeanPercent(runs.Summary{Seeds: []int{1, 2}, Mean: 0.5512, Low: 0.5401, High: 0.5623})
	bier.Marks = []int{t.Footnote("two seeds: a rough interval")}
	t.Add(runs.Group{Method: "baseline"}, table.Words("baseline"), table.Percent(0.5203))
	t.Add(runs.Group{Method: "bier"}, table.Words("bier"), bier)
	for _, write := range []func() error{
		func() error { return t.Text(os.Stdout) },
		func() error { return t.CSV(os.Stdout) },
	} {
		if err := write(); err != nil {
			panic(err)
		}
	}
	// Output:
	// cub-loo
	// Method             R@1 %
	// ────────────────────────
	// baseline  52.03
	// bier      55.12 ± 1.11 ¹
	// ¹ two seeds: a rough interval
	// method,R@1
	// baseline,0.5203
	// bier,0.5512
}
