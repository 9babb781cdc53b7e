package reports

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestRoundAxis(t *testing.T) {
	for _, c := range []struct {
		name             string
		low, high, scale float64
		want             []string
	}{
		{"percent", 0.512, 0.784, 100, []string{"50", "60", "70", "80"}},
		{"tenths of a percent", 0.8011, 0.8052, 100, []string{"80.1", "80.2", "80.3", "80.4", "80.5", "80.6"}},
		{"steps of a curve whose last point is a mean", 0, 398.5, 1, []string{"0", "100", "200", "300", "400"}},
		{"small losses", 0.0013, 0.0049, 1, []string{"0.001", "0.002", "0.003", "0.004", "0.005"}},
		{"around zero", -0.02, 0.03, 1, []string{"-0.02", "-0.01", "0.00", "0.01", "0.02", "0.03"}},
		{"one value", 0.5, 0.5, 1, []string{"0.44", "0.46", "0.48", "0.50", "0.52", "0.54", "0.56"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := roundAxis(c.low, c.high, c.scale, 5)
			var got []string
			for _, v := range a.ticks {
				got = append(got, a.label(v))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("ticks %q, want %q", got, c.want)
			}
			if a.low > c.low || a.high < c.high {
				t.Errorf("axis [%g, %g] does not hold [%g, %g]", a.low, a.high, c.low, c.high)
			}
		})
	}
}

func TestFormats(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{hundredths(0.64213), "64.21"},
		{hundredths(-0.000001), "0.00"}, // no "-0.00"
		{signed(0.0120), "+1.20"},
		{signed(-0.0004), "−0.04"},
		{signed(-0.00001), "+0.00"},
		{significant(0.4321), "0.43"},
		{significant(12.34), "12.3"},
		{significant(1234.5), "1,235"},
		{significant(math.NaN()), "NaN"},
		{thousands(-1234567), "-1,234,567"},
		{superscript(12), "¹²"},
		{probability(0.0499).Text, "0.0499"},
		{probability(0.00009).Text, "<1e-4"},
		{counted(1, "image"), "1 image"},
		{plain("a\x1b[2J\u202eb"), `a\x1b[2J\u202eb`}, // a terminal would obey these
		{markdown("a|b\n<i> @team `x`"), "a\\|b &lt;i&gt; &#64;team \\`x\\`"},
		{latex(`a\b {x} 5% ±1`), `a\textbackslash{}b \{x\} 5\% $\pm$1`},
		{inert("=1+2"), "'=1+2"},
		{inert("bier"), "bier"},
		{csvValue(0.1), "0.1"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestCompareMetrics(t *testing.T) {
	got := []string{"R-precision", "zeta", "R@10", "MAP@R", "R@2", "R@1", "NMI"}
	slices.SortFunc(got, compareMetrics)
	want := []string{"R@1", "R@2", "R@10", "MAP@R", "R-precision", "NMI", "zeta"}
	if !slices.Equal(got, want) {
		t.Errorf("order %q, want %q", got, want)
	}
}

// Wide characters and marks leave the columns in line.
func TestTextAligns(t *testing.T) {
	table := &Table{Columns: []Column{text("", "Name"), number("", "Value", "%"), text("", "After")}}
	long := percent(0.5)
	long.Spread, long.Marks = "1.00", []int{1}
	table.Rows = []Row{
		{Entries: []Entry{words("鳥"), percent(0.125), words("x")}},
		{Entries: []Entry{words("bird"), long, words("y")}},
	}
	var b bytes.Buffer
	if err := table.Text(&b); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"Name         Value %  After",
		"───────────────────────────",
		"鳥    12.50           x",
		"bird  50.00 ± 1.00 ¹  y",
		"",
	}, "\n")
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// A chart without a finite value says so instead of drawing NaN.
func TestChartOfNothing(t *testing.T) {
	for name, c := range map[string]lineChart{
		"no series":    {},
		"not a number": {Series: []series{{X: []float64{1}, Y: []float64{math.NaN()}}}},
	} {
		if got := string(chart{plot: c}.SVG()); strings.Contains(got, "<svg") {
			t.Errorf("%s: %s", name, got)
		}
	}
	c := chart{Title: "<b>", plot: lineChart{Markers: true, Series: []series{{Name: "</svg><script>", X: []float64{1, 2}, Y: []float64{math.Inf(1), 0.5}}}}}
	got := string(c.SVG())
	if strings.Contains(got, "NaN") || strings.Contains(got, "Inf") && !strings.Contains(got, "+Inf at 1") || strings.Contains(got, "<script>") {
		t.Errorf("chart: %s", got)
	}
}
