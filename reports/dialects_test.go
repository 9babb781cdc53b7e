package reports

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	"bierbench/runs"
)

// rescoredSample returns invented rows: two healthy cells of which one differs, one that is
// collapsed and was chosen by peeking, a protocol that one program has no rule for, and a cell with
// a hostile name and error.
func rescoredSample() *Rescoring {
	key := func(dataset, method string, seed int) runs.Key {
		return runs.Key{Group: runs.Group{
			Dataset: dataset, Variant: "mini-s64-jpeg", Backbone: "convnet", Mode: "frozen", Method: method, Size: 64,
		}, Seed: seed}
	}
	tight := func(r1, ap float64) (map[string]float64, map[string][2]float64) {
		return map[string]float64{"R@1": r1, "R@10": r1 + 0.25, "MAP@R": ap},
			map[string][2]float64{"R@1": {r1, r1}, "R@10": {r1 + 0.25, r1 + 0.25}, "MAP@R": {ap, ap}}
	}
	row := func(k runs.Key, protocol, dialect string, r1, ap float64) Rescored {
		r := Rescored{Key: k, Protocol: protocol, At: runs.AtLast, Dialect: dialect, Queries: 1200}
		r.Metrics, r.Bounds = tight(r1, ap)
		return r
	}
	baseline, boosted, collapsed := key("cub", "baseline", 0), key("cub", "bier", 1), key("cub", "triplet", 0)
	rows := []Rescored{
		row(baseline, "cub-loo+mini", "bierbench", 0.5, 0.25),
		row(baseline, "cub-loo+mini", "theirs", 0.5, 0.25),
		row(boosted, "cub-loo+mini", "bierbench", 0.5625, 0.3125),
		row(boosted, "cub-loo+mini", "theirs", 0.5, 0.3125),
	}
	peek := row(collapsed, "cub-loo+mini", "theirs", 1, 0)
	peek.At, peek.Metrics, peek.Bounds = runs.AtPeek, map[string]float64{"R@1": 1}, map[string][2]float64{"R@1": {0, 1}}
	own := row(collapsed, "cub-loo+mini", "bierbench", 0.125, 0.0625)
	own.At = runs.AtPeek
	own.Bounds["R@1"] = [2]float64{0.1246, 0.1255} // less than a tenth of a point: not yet
	inshop := key("inshop", "bier", 0)
	hostile := key("inshop", evilMethod, 0)
	return NewRescoring("sample", "bierbench", append(rows, own, peek,
		row(inshop, "inshop-qg+mini", "bierbench", 0.75, 0.5),
		Rescored{Key: inshop, Protocol: "inshop-qg+mini", At: runs.AtLast, Dialect: "theirs", Reason: "it has no rule for a gallery"},
		Rescored{
			Key: key("inshop", "bier", 1), Protocol: "inshop-qg+mini", At: runs.AtLast, Dialect: "theirs",
			Reason: "it has no rule for a gallery",
		},
		Rescored{Key: hostile, Reason: evilError},
	))
}

func TestRescoringGolden(t *testing.T) {
	s := rescoredSample()
	for _, c := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"rescoring.txt", s.Text},
		{"rescoring.md", s.Markdown},
		{"rescoring.csv", s.CSV},
		{"rescoring.json", s.JSON},
	} {
		t.Run(c.name, func(t *testing.T) { golden(t, c.name, c.write) })
	}
}

// What the golden files must show, whoever updates them.
func TestRescoringRows(t *testing.T) {
	s := rescoredSample()
	for i, want := range []struct {
		delta     float64
		compared  bool
		collapsed string
	}{
		{0, false, ""},       // ours
		{0, true, ""},        // equal
		{0, false, ""},       // ours
		{-0.0625, true, ""},  // 0.5 - 0.5625
		{0, false, ""},       // ours, below the limit of 0.1 point
		{0.875, true, "R@1"}, // 1 - 0.125, between 0 and 1
		{0, false, ""},       // ours
		{0, false, ""},       // no number
		{0, false, ""},       // nor of another seed
		{0, false, ""},       // no cell
	} {
		got := s.Rows[i]
		d, compared := got.Deltas["R@1"]
		if d != want.delta || compared != want.compared || strings.Join(got.Collapsed, " ") != want.collapsed {
			t.Errorf("row %d, %s %s: difference %g (%t), collapsed %v; want %+v", i, got.Path(), got.Dialect, d, compared, got.Collapsed, want)
		}
	}
	var text strings.Builder
	if err := s.Text(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"−6.25", "+87.50", "collapsed: by the order", "peek: the model was chosen",
		"bier-64/seed-0 and 1 more", "it has no rule for a gallery", `\x1b[2J`,
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, text.String())
		}
	}
	if strings.Contains(text.String(), "\x1b") {
		t.Error("the text has a terminal's control character")
	}
}

// A rescoring of nothing is still a value that machines can read.
func TestRescoringEmpty(t *testing.T) {
	var b strings.Builder
	if err := NewRescoring("r", "bierbench", nil).JSON(&b); err != nil || !json.Valid([]byte(b.String())) ||
		!strings.Contains(b.String(), `"rows": []`) {
		t.Errorf("%v:\n%s", err, b.String())
	}
}
