package reports

import (
	"strings"
	"testing"
	"time"

	"bierbench/runs"
)

// Runs come by their creation; a run without a group has no point of it.
func TestTrend(t *testing.T) {
	old := writeRun(t, "old", 3, false, []int32{1, 2, 1, 3}, []int32{1, 1, 1, 3})
	young := writeRun(t, "young", 3, false, []int32{1, 1, 1, 1})
	none := writeRun(t, "none", 3, false)
	old.Record.Created, young.Record.Created, none.Record.Created = noon(), noon().Add(time.Hour), noon().Add(2*time.Hour)
	trend, err := NewTrend(t.Context(), []*runs.Run{young, none, old}, recallAt1)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(trend.Runs, " "); got != "old young none" {
		t.Errorf("runs %q", got)
	}
	// By hand: (2/4 + 3/4) / 2, then 4/4.
	if len(trend.Points) != 2 || trend.Points[0].Summary.Mean != 0.625 || trend.Points[1].Summary.Mean != 1 || trend.Points[1].Run != "young" {
		t.Errorf("points %+v", trend.Points)
	}
	golden(t, "trend.txt", trend.Text)
	golden(t, "trend.csv", trend.CSV)
	page := render(t, trend.HTML)
	for _, want := range []string{"1 is old, 2 is young, 3 is none.", "<svg", "cub-loo"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	for _, c := range []struct {
		runs   []*runs.Run
		metric string
		want   string
	}{
		{[]*runs.Run{old, young}, "R@7", "no evaluation has metric"},
		{[]*runs.Run{old, old}, recallAt1, "named twice"},
	} {
		if _, err = NewTrend(t.Context(), c.runs, c.metric); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	empty, err := NewTrend(t.Context(), []*runs.Run{none}, recallAt1)
	if err != nil {
		t.Fatal(err)
	}
	if text := render(t, empty.Text); !strings.Contains(text, "nothing to show") {
		t.Errorf("a trend of nothing: %q", text)
	}
}
