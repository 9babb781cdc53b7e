package table

import (
	"strings"
	"testing"

	"bierbench/runs"
)

// Only a verdict has a colour: an interval without zero is none before the correction.
func TestWhiskerColour(t *testing.T) {
	for verdict, class := range map[string]string{runs.Better: "above", runs.Worse: "below", "~": "within"} {
		w := Whisker{Low: 0.01, Middle: 0.02, High: 0.03, Span: 0.03, Verdict: verdict}
		if got := string(w.SVG()); !strings.Contains(got, `class="whiskers `+class+`"`) {
			t.Errorf("%s: %s, want class %s", verdict, got, class)
		}
	}
}
