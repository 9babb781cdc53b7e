package reports

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bierbench/runs"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares what write writes with testdata/name.
func golden(t *testing.T, name string, write func(io.Writer) error) {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(b.String(), "\n")); diff != "" {
		t.Errorf("%s is not what is written (-want +got); if that is meant, run go test ./reports -update:\n%s", path, diff)
	}
}

func TestReportGolden(t *testing.T) {
	r := assemble([]loadedRun{sample()}, sampleOptions())
	for _, c := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"report.html", r.HTML},
		{"report.md", r.Markdown},
		{"report.csv", r.CSV},
		{"report.json", r.JSON},
		{"report.tex", r.LaTeX},
		{"report.txt", r.Text},
		{"worth.csv", r.Worth.CSV},
		{"worth.txt", r.Worth.Text},
	} {
		t.Run(c.name, func(t *testing.T) { golden(t, c.name, c.write) })
	}
	t.Run("table.json", func(t *testing.T) { golden(t, "table.json", r.headlines(whole)[0].JSON) })
}

// A row that the suite compares with another method than the report's base says so in every format.
func TestBasesGolden(t *testing.T) {
	s := basesSample()
	r := assemble([]loadedRun{s}, sampleOptions())
	headline := r.headlines(paper)[0]
	for _, c := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"bases.txt", headline.Text},
		{"bases.md", headline.Markdown},
		{"bases.tex", headline.LaTeX},
		{"bases.json", headline.JSON},
		{"bases.csv", r.CSV},
		{"bases-diff.txt", func(w io.Writer) error { return DiffText(s.diff, w) }},
		{"bases-diff.md", func(w io.Writer) error { return DiffMarkdown(s.diff, w) }},
	} {
		t.Run(c.name, func(t *testing.T) { golden(t, c.name, c.write) })
	}
	for name, write := range map[string]func(io.Writer) error{
		"report": r.HTML, "diff": func(w io.Writer) error { return DiffHTML(s.diff, nil, nil, w) },
	} {
		var b strings.Builder
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		for _, want := range map[string][]string{
			"report": {`<td data-sort="bier">bier</td>`, ">vs base</th>", "better than its base."},
			"diff":   {"methods against the bases of the suite", "abier-64 vs convnet-frozen/bier-64"},
		}[name] {
			if !strings.Contains(b.String(), want) {
				t.Errorf("the page of the %s has no %q", name, want)
			}
		}
	}
}

func TestDiffGolden(t *testing.T) {
	d := sampleDiff()
	two := sampleDiff() // two runs: the same group on both sides
	two.Base, two.B = "", "other run"
	for i := range two.Rows {
		two.Rows[i].A = two.Rows[i].B
	}
	for _, c := range []struct {
		name  string
		write func(*runs.Diff, io.Writer) error
		diff  *runs.Diff
	}{
		{"diff.txt", DiffText, d},
		{"diff.md", DiffMarkdown, d},
		{"diff.html", func(d *runs.Diff, w io.Writer) error { return DiffHTML(d, nil, nil, w) }, d},
		{"diff.json", DiffJSON, d},
		{"diff-runs.txt", DiffText, two},
	} {
		t.Run(c.name, func(t *testing.T) {
			golden(t, c.name, func(w io.Writer) error { return c.write(c.diff, w) })
		})
	}
}

// Names that a person gives fit a terminal of 120 columns.
func TestDiffTextFits(t *testing.T) {
	d := sampleDiff()
	d.Rows, d.Configurations = d.Rows[:3], nil
	for i := range d.Rows {
		for _, g := range []*runs.Group{&d.Rows[i].A, &d.Rows[i].B} {
			g.Dataset, g.Variant, g.Backbone, g.Mode, g.Size = "cub", "official+box-s256-jpeg", "googlenet", "finetune", 512
		}
		d.Rows[i].Protocol = "cub-loo+box+subset"
		d.Rows[i].B.Method = "ensemble"
		d.Rows[i].Gained, d.Rows[i].Lost = 12345, 23456
	}
	var b bytes.Buffer
	if err := DiffText(d, &b); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 120 {
			t.Errorf("line of %d columns: %s", n, line)
		}
	}
}

// A page shows markup in data as text: no format lets it through.
func TestDataIsText(t *testing.T) {
	r := assemble([]loadedRun{sample()}, sampleOptions())
	render := func(write func(io.Writer) error) string {
		t.Helper()
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	pages := map[string]string{
		"report.html": render(r.HTML),
		"report.md":   render(r.Markdown),
		"diff.html":   render(func(w io.Writer) error { return DiffHTML(sampleDiff(), nil, nil, w) }),
		"diff.md":     render(func(w io.Writer) error { return DiffMarkdown(sampleDiff(), w) }),
	}
	tag := regexp.MustCompile(`(?i)<script>alert|<img|<b>12|onerror=x>[^&]*<img`)
	for name, page := range pages {
		if found := tag.FindString(page); found != "" {
			t.Errorf("%s has %q as markup", name, found)
		}
		if !strings.Contains(page, "&lt;script&gt;alert(1)") {
			t.Errorf("%s does not show the method's name as text", name)
		}
		if strings.HasSuffix(name, ".html") && regexp.MustCompile(`(?i)(src|href)="(https?:)?//`).MatchString(page) {
			t.Errorf("%s refers to something outside of it", name)
		}
		if strings.Contains(page, "ZgotmplZ") {
			t.Errorf("%s has a value that the template refused", name)
		}
	}
	for _, page := range []string{pages["report.md"], pages["diff.md"], render(r.Text)} {
		if strings.Contains(page, "\x1b") {
			t.Error("an escape character of data reaches the output")
		}
	}
	// Each row of a Markdown table has as many bars as its heading.
	bars := -1
	for line := range strings.Lines(pages["report.md"]) {
		n := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|")
		switch {
		case !strings.HasPrefix(line, "|"):
			bars = -1
		case bars < 0:
			bars = n
		case n != bars:
			t.Errorf("%d bars in a table of %d: %s", n, bars, line)
		}
	}
}

func TestReportOfNothing(t *testing.T) {
	empty := loadedRun{record: sample().record}
	r := assemble([]loadedRun{empty}, sampleOptions())
	for name, write := range map[string]func(io.Writer) error{
		"html": r.HTML, "md": r.Markdown, "txt": r.Text, "tex": r.LaTeX,
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(strings.ToLower(b.String()), "no cell is done yet") {
			t.Errorf("%s does not say that nothing is done:\n%s", name, b.String())
		}
	}
	var b bytes.Buffer
	if err := r.CSV(&b); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(b.String(), "\n"); lines != 1 {
		t.Errorf("the CSV of nothing has %d lines, want its heading alone", lines)
	}
	if r.Runs[0].Planned != len(empty.record.Cells) || len(r.Failures) != len(empty.record.Cells) {
		t.Errorf("planned %d, without a result %d; want %d", r.Runs[0].Planned, len(r.Failures), len(empty.record.Cells))
	}
}

func TestWrite(t *testing.T) {
	r := assemble([]loadedRun{sample()}, sampleOptions())
	dir := filepath.Join(t.TempDir(), "sub", "report")
	paths, err := r.Write(dir)
	if err != nil {
		t.Fatal(err)
	}
	more, err := WriteDiff(sampleDiff(), nil, nil, dir)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if want := len(paths) + len(more); len(entries) != want || want != 11 {
		t.Errorf("%d files in the directory, %d returned; want 11", len(entries), want)
	}
	f, err := os.Open(filepath.Join(dir, "report.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	// 2 data sets, 5 methods with a done cell, 6 metrics, and the heading.
	if len(lines) != 2*5*6+1 {
		t.Errorf("%d lines of CSV, want %d", len(lines), 2*5*6+1)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(raw, &back); err != nil {
		t.Fatal(err)
	}
	if len(back.Results) != len(r.Results) {
		t.Errorf("report.json holds %d results, want %d", len(back.Results), len(r.Results))
	}
}

// Groups without a seed in common have no gained and lost queries: a dash, not "0/0", which would
// say that every query was the same.
func TestDiffWithoutCommonSeeds(t *testing.T) {
	d := sampleDiff()
	for i := range d.Rows {
		d.Rows[i].Pairs, d.Rows[i].Gained, d.Rows[i].Lost = nil, 0, 0
	}
	var b strings.Builder
	if err := DiffText(d, &b); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "0/0") {
		t.Errorf("the table shows 0/0:\n%s", b.String())
	}
}
