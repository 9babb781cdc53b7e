package reports

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"bierbench/reports/internal/chart"
	"bierbench/runs"
)

// chartsDir is the folder of the charts, inside that of the report.
const chartsDir = "charts"

// longestFile is the length of a chart's name in bytes. File systems allow 255 bytes, extension and
// temporary name included.
const longestFile = 180

// fileName returns s as a name that every file system takes: lower-case letters, digits and -._+.
func fileName(s string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(s) {
		switch {
		case c < unicode.MaxASCII && (unicode.IsLetter(c) || unicode.IsDigit(c) || strings.ContainsRune("._+", c)):
			b.WriteRune(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	name := b.String()
	return strings.Trim(name[:min(len(name), longestFile)], "-.")
}

// numberCharts adds a number to the names that several charts share, and leaves out the charts
// without a value.
func numberCharts(lists ...*[]chart.Chart) {
	taken := map[string]bool{}
	for _, list := range lists {
		var kept []chart.Chart
		for _, c := range *list {
			if c.Empty() {
				continue
			}
			name := c.Name
			for i := 2; taken[c.Name]; i++ {
				c.Name = fmt.Sprintf("%s-%d", name, i)
			}
			taken[c.Name] = true
			kept = append(kept, c)
		}
		*list = kept
	}
}

// writeCharts writes each chart as SVG, PNG and CSV and removes the files of charts that no longer
// exist.
func writeCharts(dir string, charts []chart.Chart) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	painter, err := chart.NewPainter()
	if err != nil {
		return err
	}
	written := map[string]bool{}
	for _, c := range charts {
		for _, d := range []document{
			{c.Name + ".svg", c.WriteSVG},
			{c.Name + ".png", func(w io.Writer) error { return painter.PNG(w, c) }},
			{c.Name + ".csv", c.CSV},
		} {
			var b bytes.Buffer
			if err := d.write(&b); err != nil {
				return fmt.Errorf("write chart %s: %w", d.name, err)
			}
			written[d.name] = true
			path := filepath.Join(dir, d.name)
			if was, err := os.ReadFile(path); err == nil && bytes.Equal(was, b.Bytes()) {
				continue // thousands of charts that did not change need no sync
			}
			if err := runs.WriteFile(path, b.Bytes(), 0o644); err != nil {
				return err
			}
		}
	}
	return removeStale(dir, written)
}

// removeStale removes the files of charts that were not written now, and no other file.
func removeStale(dir string, written map[string]bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch filepath.Ext(e.Name()) {
		case ".svg", ".png", ".csv":
			if !e.IsDir() && !written[e.Name()] {
				if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
