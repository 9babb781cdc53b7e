package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bierbench/runs"
)

// decoded splits a command's output into its events.
func decoded(t *testing.T, out string) []map[string]any {
	t.Helper()
	var list []map[string]any
	for line := range strings.Lines(out) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q is no JSON object: %v", line, err)
		}
		if _, err := time.Parse(time.RFC3339Nano, fmt.Sprint(e["time"])); err != nil {
			t.Errorf("time of %q: %v", line, err)
		}
		list = append(list, e)
	}
	return list
}

// A command that works for long prints an event a line, the last one says how it
// ended.
func TestEvents(t *testing.T) {
	dir := miniWorkspace(t)
	if err := cacheFeatures(t.Context(), dir, "cub"); err != nil {
		t.Fatal(err)
	}
	suite := filepath.Join(dir, "s.yaml")
	for _, tt := range []struct {
		name  string
		args  []string
		code  int
		cells string // "state number/total" of the cells
		stage string // of the progress
		last  string // the kind of the last event
	}{
		{"run", []string{"run", suite}, exitFailed, "started 1/3, done 1/3, started 2/3, failed 2/3, started 3/3, done 3/3", "train cub", eventResult},
		{"run --quiet", []string{"run", suite, "--run", "quiet", "--only", "abier-24", "--quiet"}, exitOK, "started 1/1, done 1/1", "", eventResult},
		{"evaluate", []string{"evaluate", "s"}, exitOK, "", "evaluate", eventResult},
		{"verify", []string{"verify", "cub/mini"}, exitOK, "", "verify cub", eventResult},
		{"a failure", []string{"evaluate", "nothing"}, exitFailed, "", "", eventError},
		{"a mistake", []string{"run", "no.yaml"}, exitUsage, "", "", eventError},
		{"a flag that is none", []string{"ingest", "cub", "--bogus"}, exitUsage, "", "", eventError},
		{"no argument", []string{"ingest"}, exitUsage, "", "", eventError},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, stderr, code := commandLineIn(t, dir, append([]string{"--json", "--backend", "go"}, tt.args...)...)
			if code != tt.code {
				t.Errorf("code %d, want %d: %s", code, tt.code, stderr)
			}
			list := decoded(t, out)
			if len(list) == 0 {
				t.Fatal("no event")
			}
			var cells []string
			progress := tt.stage == ""
			for i, e := range list {
				switch e["event"] {
				case eventCell:
					cells = append(cells, fmt.Sprintf("%s %v/%v", e["state"], e["number"], e["total"]))
					if (e["state"] == runs.Done) != (e["metrics"] != nil) || (e["state"] == runs.Failed) != (e["error"] != nil) {
						t.Errorf("%v", e)
					}
				case eventProgress:
					progress = progress || strings.HasPrefix(e["stage"].(string), tt.stage)
					if tt.stage == "" {
						t.Errorf("progress with --quiet: %v", e)
					}
				case eventResult, eventError:
					if i != len(list)-1 {
						t.Errorf("event %d of %d is %v", i+1, len(list), e)
					}
				default:
					t.Errorf("unknown event %v", e)
				}
			}
			if got := strings.Join(cells, ", "); got != tt.cells {
				t.Errorf("cells %s, want %s", got, tt.cells)
			}
			if !progress {
				t.Errorf("no progress of stage %q in\n%s", tt.stage, out)
			}
			last := list[len(list)-1]
			if last["event"] != tt.last || (tt.last == eventError && last["code"] != float64(tt.code)) {
				t.Errorf("last event %v, want %s", last, tt.last)
			}
			if tt.name == "run" && !strings.Contains(stderr, `"event":"error","error":"some cells failed","code":1}`) {
				t.Errorf("stderr does not say that cells failed: %s", stderr)
			}
		})
	}
}

// Progress is told when a stage begins, then once a second at most.
func TestEventsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		e := newEvents(&out, false)
		e.Cell(cellKey(3), 1, 2)
		e.Start("train x", 1000)
		for done := range 1000 {
			time.Sleep(7 * time.Millisecond)
			e.Advance(done+1, "loss 1")
		}
		e.Finish()
		e.Start("embed x", 5) // a new stage is told at once
		e.CellEnded(runs.Cell{}, 1, 2, errors.New("no space left"))
		var told []string
		for _, event := range decoded(t, out.String()) {
			told = append(told, fmt.Sprint(event["event"], " ", event["stage"], " ", event["done"]))
			if event["event"] == eventCell && event["cell"] != cellKey(3).Path() {
				t.Errorf("cell %v, want the one that began", event["cell"])
			}
		}
		// An advance every 7 ms: the first one a second later is the 143rd, and so on.
		want := "cell <nil> <nil>|progress train x 0|progress train x 143|progress train x 286|progress train x 429|" +
			"progress train x 572|progress train x 715|progress train x 858|progress embed x 0|cell <nil> <nil>"
		if got := strings.Join(told, "|"); got != want {
			t.Errorf("told %s\nwant %s", got, want)
		}
	})
}

// The help names every event with its fields, and no field that there is not.
func TestEventsHelp(t *testing.T) {
	out, _, _ := commandLine(t, "help", "events")
	for kind, value := range map[string]any{
		eventCell: cellEvent{}, eventProgress: progressEvent{}, eventStep: stepEvent{}, eventTask: taskEvent{}, eventResult: resultEvent{}, eventError: errorEvent{},
	} {
		_, about, ok := strings.Cut(out, "\n  "+kind+" ")
		if !ok {
			t.Errorf("the help has no event %s:\n%s", kind, out)
			continue
		}
		for line := range strings.Lines(about) { // up to the next event
			if strings.HasPrefix(line, "  ") && !strings.HasPrefix(line, "   ") {
				about, _, _ = strings.Cut(about, "\n"+line)
				break
			}
		}
		about, _, _ = strings.Cut(about, "\n\n")
		fields := reflect.TypeOf(value)
		quoted := 0
		for field := range fields.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name == "" { // time and event, which all have
				continue
			}
			quoted++
			if !strings.Contains(about, `"`+name+`"`) {
				t.Errorf("event %s: the help does not name %q:\n%s", kind, name, about)
			}
		}
		if n := strings.Count(about, `"`) / 2; n != quoted {
			t.Errorf("event %s has %d fields, the help names %d:\n%s", kind, quoted, n, about)
		}
	}
	root := newRootCommand(&app{})
	for _, cmd := range root.Commands() {
		if streams(cmd) && !strings.Contains(strings.Join(strings.Fields(out), " "), cmd.Name()) {
			t.Errorf("the help does not name the command %s", cmd.Name())
		}
	}
}
