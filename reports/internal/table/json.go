package table

import (
	"io"

	"bierbench/runs"
)

// tableJSON is the JSON form of a Table.
type tableJSON struct {
	Title     string           `json:"title,omitempty"`
	Notes     []string         `json:"notes,omitempty"`
	Columns   []string         `json:"columns"` // keys, in order
	Rows      []map[string]any `json:"rows"`    // by key; fractions, seconds; null where absent
	Footnotes []string         `json:"footnotes,omitempty"`
}

// JSON writes the table's values by column key, as in CSV. Absent values are null.
func (t *Table) JSON(w io.Writer) error {
	out := tableJSON{Title: t.Title, Notes: t.Notes, Footnotes: t.Footnotes, Rows: []map[string]any{}}
	for _, c := range t.Columns {
		out.Columns = append(out.Columns, c.key())
	}
	for _, r := range t.Rows {
		row := make(map[string]any, len(r.Entries))
		for i, e := range r.Entries {
			row[t.Columns[i].key()] = e.Value
		}
		out.Rows = append(out.Rows, row)
	}
	data, err := runs.Indented(out)
	if err == nil {
		_, err = w.Write(append(data, '\n'))
	}
	return err
}
