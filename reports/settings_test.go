package reports

import (
	"encoding/json"
	"slices"
	"testing"

	"bierbench/runs"
)

// Features as they are have no settings of training: these are shared if all trained methods share
// them, and the row of the features leaves them out.
func TestSettingsOfUntrained(t *testing.T) {
	group := func(method, config string) Group {
		return Group{
			Group:  runs.Group{Dataset: "cub", Variant: "v", Backbone: "lite0", Mode: "frozen", Method: method, Size: 8},
			Config: json.RawMessage(config),
		}
	}
	r := &Report{Groups: []Group{
		group("features", `{"size": 1280, "steps": 0, "boosting": "", "untrained": true}`),
		group("baseline", `{"size": 8, "steps": 400, "boosting": "none", "untrained": false}`),
		group("bier", `{"size": 8, "steps": 400, "boosting": "eta", "untrained": false}`),
	}}
	shared, differing := r.settingsTables()
	var names []string
	for _, row := range shared.Rows {
		names = append(names, row.Entries[0].Text+" "+row.Entries[1].Text)
	}
	if want := []string{"backbone lite0", "mode frozen", "steps 400"}; !slices.Equal(names, want) {
		t.Errorf("shared %q, want %q", names, want)
	}
	for i, want := range []string{"features – 1280 true", "baseline none 8 false", "bier eta 8 false"} {
		row := differing.Rows[i].Entries
		if got := row[0].Text + " " + row[1].Text + " " + row[2].Text + " " + row[3].Text; got != want {
			t.Errorf("row %d: %q, want %q", i, got, want)
		}
	}
}
