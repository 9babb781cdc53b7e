package reports

import (
	"fmt"

	"bierbench/reports/internal/table"
	"bierbench/runs"
)

// Forecast compares the predictions made before cells began with what they took. Seconds and Actual
// are sums over the timed cells. Memory and Peak are the largest over the cells that have both.
type Forecast struct {
	Cells   int     `json:"cells"`   // done, with a prediction
	Timed   int     `json:"timed"`   // of them, with a predicted time
	Seconds float64 `json:"seconds"` // predicted
	Actual  float64 `json:"actual_seconds"`
	Memory  int64   `json:"memory"` // predicted, bytes
	Peak    int64   `json:"peak_memory"`
}

// forecastOf compares the cells of a group; nil where no cell has a prediction of its time or
// memory.
func forecastOf(done []runs.Cell) *Forecast {
	var f Forecast
	for _, c := range done {
		if c.Predicted == nil {
			continue
		}
		f.Cells++
		if total, ok := c.Timing["total"]; ok && c.Predicted.Basis != "" {
			f.Timed++
			f.Seconds += c.Predicted.Seconds
			f.Actual += total
		}
		if c.Predicted.Memory > 0 && c.Memory > 0 {
			f.Memory = max(f.Memory, c.Predicted.Memory)
			f.Peak = max(f.Peak, c.Memory)
		}
	}
	if f.Timed == 0 && f.Memory == 0 {
		return nil
	}
	return &f
}

// add adds the cells of another group.
func (f *Forecast) add(other Forecast) {
	f.Cells += other.Cells
	f.Timed += other.Timed
	f.Seconds += other.Seconds
	f.Actual += other.Actual
	f.Memory = max(f.Memory, other.Memory)
	f.Peak = max(f.Peak, other.Peak)
}

// entries returns the values of a row of the table, after those that name its group.
func (f Forecast) entries() []table.Entry {
	out := []table.Entry{
		table.Count(f.Cells), table.Count(f.Timed), table.Absent(), table.Absent(), table.Absent(),
		table.Absent(), table.Absent(),
	}
	if f.Timed > 0 {
		out[2], out[3] = table.Seconds(f.Seconds), table.Seconds(f.Actual)
		if f.Seconds > 0 {
			ratio := f.Actual / f.Seconds
			out[4] = table.Entry{Value: ratio, Text: table.Significant(ratio)}
		}
	}
	if f.Memory > 0 {
		out[5], out[6] = megabytesEntry(f.Memory), megabytesEntry(f.Peak)
	}
	return out
}

// perCell returns the predicted seconds of a cell (mean over the timed ones), the predicted memory
// and the peak. Unknown values are absent.
func (f *Forecast) perCell() []table.Entry {
	out := make([]table.Entry, 3)
	if f == nil {
		return out
	}
	if f.Timed > 0 {
		out[0].Value = f.Seconds / float64(f.Timed)
	}
	if f.Memory > 0 {
		out[1].Value, out[2].Value = int(f.Memory), int(f.Peak)
	}
	return out
}

// megabytesEntry shows bytes as megabytes.
func megabytesEntry(n int64) table.Entry {
	return table.Entry{Value: int(n), Text: table.Thousands(int((n + 5e5) / 1e6))}
}

// planned shows for each group the prediction and what its cells took; nil where no cell has a
// prediction.
func (r *Report) planned() *table.Table {
	if r.Forecast == nil {
		return nil
	}
	t := &table.Table{Title: "Planned and actual"}
	t.Columns = append(
		r.groupColumns(),
		table.NumberColumn("cells", "Cells", ""), table.NumberColumn("timed", "Timed", ""),
		table.NumberColumn("planned_seconds", "Planned", "s"), table.NumberColumn("actual_seconds", "Actual", "s"),
		table.NumberColumn("ratio", "Ratio", ""),
		table.NumberColumn("planned_memory", "Planned", "MB"), table.NumberColumn("peak_memory", "Peak", "MB"),
	)
	for _, g := range r.Groups {
		if g.Forecast != nil {
			t.Add(g.Group, append(r.groupEntries(g), g.Forecast.entries()...)...)
		}
	}
	all := r.Forecast
	t.Notes = []string{"Timed are the cells whose time was predicted before they began; seconds are sums over them, and " +
		"the ratio is actual to planned. Memory is that of the largest cell."}
	if all.Seconds > 0 {
		t.Notes = append(t.Notes, fmt.Sprintf("All: %s of %s cells with a predicted time, %s s planned, %s s actual, %s times as long.",
			table.Thousands(all.Timed), table.Thousands(all.Cells), table.Significant(all.Seconds), table.Significant(all.Actual),
			table.Significant(all.Actual/all.Seconds)))
	}
	return t
}
