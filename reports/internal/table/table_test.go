package table

import (
	"bytes"
	"math"
	"strings"
	"testing"
)

func TestFormats(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Percent(0.64213).Text, "64.21"},
		{Percent(-0.000001).Text, "0.00"}, // no "-0.00"
		{Signed(0.0120), "+1.20"},
		{Signed(-0.0004), "−0.04"},
		{Signed(-0.00001), "+0.00"},
		{Significant(0.4321), "0.43"},
		{Significant(12.34), "12.3"},
		{Significant(1234.5), "1,235"},
		{Significant(math.NaN()), "NaN"},
		{Thousands(-1234567), "-1,234,567"},
		{superscript(12), "¹²"},
		{Probability(0.0499).Text, "0.0499"},
		{Probability(0.00009).Text, "<1e-4"},
		{EscapeControl("a\x1b[2J\u202eb"), `a\x1b[2J\u202eb`}, // a terminal would obey these
		{EscapeMarkdown("a|b\n<i> @team `x`"), "a\\|b &lt;i&gt; &#64;team \\`x\\`"},
		{escapeLaTeX(`a\b {x} 5% ±1`), `a\textbackslash{}b \{x\} 5\% $\pm$1`},
		{escapeFormula("=1+2"), "'=1+2"},
		{escapeFormula("bier"), "bier"},
		{csvValue(0.1), "0.1"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

// Wide characters and marks leave the columns in line.
func TestTextAligns(t *testing.T) {
	shown := &Table{Columns: []Column{TextColumn("", "Name"), NumberColumn("", "Value", "%"), TextColumn("", "After")}}
	long := Percent(0.5)
	long.Spread, long.Marks = "1.00", []int{1}
	shown.Rows = []Row{
		{Entries: []Entry{Words("鳥"), Percent(0.125), Words("x")}},
		{Entries: []Entry{Words("bird"), long, Words("y")}},
	}
	var b bytes.Buffer
	if err := shown.Text(&b); err != nil {
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
