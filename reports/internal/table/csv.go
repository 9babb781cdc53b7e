package table

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// CSV writes the table's values under the columns' keys: numbers as they are in the records
// (fractions, seconds), absent ones empty. Text that a spreadsheet would take for a formula gets a
// leading apostrophe.
func (t *Table) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	head := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		head[i] = escapeFormula(c.key())
	}
	if err := out.Write(head); err != nil {
		return err
	}
	for _, r := range t.Rows {
		line := make([]string, len(r.Entries))
		for i, e := range r.Entries {
			line[i] = csvValue(e.Value)
		}
		if err := out.Write(line); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// csvValue writes one value.
func csvValue(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return escapeFormula(v)
	case int:
		return strconv.Itoa(v)
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	}
	return escapeFormula(fmt.Sprint(value))
}

// escapeFormula returns s so that no spreadsheet evaluates it.
func escapeFormula(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}
