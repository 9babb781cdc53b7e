package reports

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"bierbench/reports/internal/chart"
	"bierbench/runs"
)

// chartOf returns the first chart of the sample whose name begins so.
func chartOf(t *testing.T, r *Report, prefix string) chart.Chart {
	t.Helper()
	for _, c := range r.charts().all() {
		if strings.HasPrefix(c.Name, prefix) {
			return c
		}
	}
	t.Fatalf("no chart %s", prefix)
	return chart.Chart{}
}

func TestChartGolden(t *testing.T) {
	r := assemble([]loadedRun{sample()}, sampleOptions())
	for _, kind := range []string{"recall-cub-loo+box+mini", "time-cub", "correlation-cub", "weight-shares-cub"} {
		c := chartOf(t, r, kind)
		name, _, _ := strings.Cut(kind, "-cub")
		t.Run(kind, func(t *testing.T) {
			golden(t, "chart-"+name+".svg", c.WriteSVG)
			golden(t, "chart-"+name+".csv", c.CSV)
		})
	}
}

func TestFileName(t *testing.T) {
	for _, c := range [][2]string{
		{"recall-cub-loo+box-googlenet-frozen", "recall-cub-loo+box-googlenet-frozen"},
		{"loss-<script>alert(1)</script>", "loss-script-alert-1-script"},
		{"../../etc/passwd", "..-..-etc-passwd"[6:]},
		{"鳥 A\x00b", "a-b"},
		{strings.Repeat("x", 400), strings.Repeat("x", longestFile)},
	} {
		if got := fileName(c[0]); got != c[1] {
			t.Errorf("fileName(%.30q) = %q, want %q", c[0], got, c[1])
		}
	}
}

// Each chart is three files; files of earlier charts are removed, others left alone.
func TestChartFiles(t *testing.T) {
	r := assemble([]loadedRun{sample()}, sampleOptions())
	dir := t.TempDir()
	charts := filepath.Join(dir, chartsDir)
	if err := os.MkdirAll(charts, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"gone.svg", "gone.png", "gone.csv", "mine.txt"} {
		if err := os.WriteFile(filepath.Join(charts, name), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Write(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Write(dir); err != nil { // over its own files
		t.Fatal(err)
	}
	all := r.charts().all()
	entries, err := os.ReadDir(charts)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 || len(entries) != 3*len(all)+1 {
		t.Errorf("%d files of %d charts, want three each and mine.txt", len(entries), len(all))
	}
	for _, c := range all {
		raw, err := os.ReadFile(filepath.Join(charts, c.Name+".png"))
		if err != nil {
			t.Fatal(err)
		}
		picture, err := png.Decode(bytes.NewReader(raw))
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		if got, want := picture.Bounds().Dx(), 880; got != want { // twice the width of a page's chart
			t.Errorf("%s is %d pixels wide, want %d", c.Name, got, want)
		}
		colors := map[string]bool{}
		for y := 0; y < picture.Bounds().Dy(); y += 3 {
			for x := range picture.Bounds().Dx() {
				colors[fmt.Sprint(picture.At(x, y))] = true
			}
		}
		if len(colors) < 5 {
			t.Errorf("%s has %d colours: it is blank", c.Name, len(colors))
		}
		f, err := os.Open(filepath.Join(charts, c.Name+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		lines, err := csv.NewReader(f).ReadAll()
		f.Close()
		if err != nil || len(lines) < 2 {
			t.Errorf("%s.csv: %d lines, %v", c.Name, len(lines), err)
		}
	}
}

// The colours of files are those of a light page.
func TestLightColors(t *testing.T) {
	style, err := assets.ReadFile("style.css")
	if err != nil {
		t.Fatal(err)
	}
	light, _, _ := strings.Cut(string(style), "@media")
	for name, value := range chart.LightColors() {
		if !strings.Contains(light, "--"+name+": "+value+";") {
			t.Errorf("style.css has another light colour %s than %s", name, value)
		}
	}
}

// The page of hundreds of ensembles stays small: what does not fit is named with its file.
func TestManyGroups(t *testing.T) {
	s := sample()
	few := s.cells
	s.record.Cells, s.cells, s.diff = nil, nil, nil
	steps := map[runs.Key][]runs.TrainStep{}
	for i := range 125 {
		for _, c := range few {
			if c.Method != "bier" || c.Seed > 2 {
				continue
			}
			was := c.Key
			c.Method = fmt.Sprintf("bier-variant-%d", i)
			s.record.Cells, s.cells = append(s.record.Cells, c.Key), append(s.cells, c)
			steps[c.Key] = s.steps[was]
		}
	}
	s.steps = steps
	r := assemble([]loadedRun{s}, sampleOptions())
	if len(r.Groups) != 250 {
		t.Fatalf("%d groups, want 250", len(r.Groups))
	}
	var b bytes.Buffer
	if err := r.HTML(&b); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 3_000_000 {
		t.Errorf("the page has %d bytes", b.Len())
	}
	drawn, beside := r.charts().split()
	if len(drawn) == 0 || len(beside) == 0 {
		t.Fatalf("%d kinds drawn, %d beside: want both", len(drawn), len(beside))
	}
	for _, k := range beside {
		for _, c := range k.Charts {
			if !strings.Contains(b.String(), `href="charts/`+strings.ReplaceAll(c.Name, "+", "&#43;")+`.svg"`) &&
				!strings.Contains(b.String(), `href="charts/`+c.Name+`.svg"`) {
				t.Fatalf("the page does not name %s", c.Name)
			}
		}
	}
}

// A seed's charts are the same bytes each time.
func TestChartsAreStable(t *testing.T) {
	r := assemble([]loadedRun{sample()}, sampleOptions())
	write := func(w io.Writer) {
		for _, c := range r.charts().all() {
			if err := c.WriteSVG(w); err != nil {
				t.Fatal(err)
			}
		}
	}
	var a, b bytes.Buffer
	write(&a)
	write(&b)
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("two writings differ")
	}
}
