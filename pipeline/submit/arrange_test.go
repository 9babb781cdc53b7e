package submit

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bierbench/models"
	"bierbench/models/backbones"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

func TestTaskLimits(t *testing.T) {
	const minute, hour, day, gib = 60, 3600, 86400, 1 << 30
	for _, tt := range []struct {
		name    string
		seconds float64
		want    int64
	}{
		{"not known", 0, 0},
		{"hardly any", 0.1, 5 * minute},
		{"twice and two minutes are just five", 90, 5 * minute},
		{"a little more is the next class", 90.1, 10 * minute},
		{"half an hour", 840, 30 * minute},
		{"over a day is whole days", 13 * hour, 2 * day},
		{"just two days", (2*day - 120) / 2, 2 * day},
		{"just over", (2*day-120)/2 + 1, 3 * day},
	} {
		if got := timeLimit(tt.seconds); got != tt.want {
			t.Errorf("time, %s: %g s -> %d s, want %d", tt.name, tt.seconds, got, tt.want)
		}
	}
	for _, tt := range []struct {
		name        string
		bytes, want int64
	}{
		{"not known", 0, 0},
		{"half as much and 256 MiB are just one", gib / 2, gib},
		{"a little more is the next class", gib/2 + 1, 2 * gib},
		{"2.5 of 3", 3 * gib / 2, 3 * gib},
		{"3.25 of 4", 2 * gib, 4 * gib},
		{"4.75 of 6", 3 * gib, 6 * gib},
		{"6.25 of 8", 4 * gib, 8 * gib},
		{"just 12", (12*gib - gib/4) / 3 * 2, 12 * gib},
	} {
		if got := memoryLimit(tt.bytes); got != tt.want {
			t.Errorf("memory, %s: %d -> %d, want %d", tt.name, tt.bytes, got, tt.want)
		}
	}
}

// arranged returns a plan of three data sets: a and b are used in frozen mode, c is trained on.
// convnet has no weights, so that nothing needs a cache.
func arranged(costs map[string]runs.Cost, names ...string) []plan.Cell {
	var out []plan.Cell
	for i, name := range names {
		c := plan.Cell{
			Key: runs.Key{
				Group: runs.Group{Dataset: name, Variant: "v", Backbone: "convnet", Mode: models.Frozen, Method: "m", Size: 8},
				Seed:  i,
			},
			Config: models.Config{Backbone: "convnet", Mode: models.Frozen, Input: 32}, DataHash: name, State: plan.Todo, Cost: costs[name],
		}
		if name == "c" {
			c.Mode, c.Config.Mode = models.Finetune, models.Finetune
		}
		out = append(out, c)
	}
	return out
}

// Each case is worked out by hand from the rules: one array for each time, memory
// and wait; features first, where two cells read them.
func TestArrange(t *testing.T) {
	known := map[string]runs.Cost{"a": {Seconds: 10, Memory: 1 << 28}, "b": {Seconds: 1000, Memory: 1 << 31}, "c": {Seconds: 10}}
	for _, tt := range []struct {
		name     string
		plan     []plan.Cell
		send     []int // of the plan; nil is all
		building map[string]Task
		cached   []string
		limit    int
		want     []string // array: tasks by data set, minutes, MiB, wait
	}{
		{
			name: "features of a serve two cells, those of b one", plan: arranged(known, "a", "a", "b", "c"), limit: 9,
			want: []string{"features-01: a 5 1024", "cells-01: a a 5 1024 after features-01_1", "cells-02: b 60 4096", "cells-03: c 5 0"},
		},
		{
			name: "cached features keep nobody waiting", plan: arranged(known, "a", "a"), cached: []string{"a"}, limit: 9,
			want: []string{"cells-01: a a 5 1024"},
		},
		{
			name: "an array has so many tasks", plan: arranged(known, "c", "c", "c", "c", "c"), limit: 2,
			want: []string{"cells-01: c c 5 0", "cells-02: c c 5 0", "cells-03: c 5 0"},
		},
		{
			name: "two kinds of features are two tasks, and their cells wait each for its own", limit: 9,
			plan: arranged(map[string]runs.Cost{"a": known["a"], "b": known["a"]}, "a", "b", "a", "b"),
			want: []string{"features-01: a b 5 1024", "cells-01: a a 5 1024 after features-01_1", "cells-02: b b 5 1024 after features-01_2"},
		},
		{
			name: "features that another submission builds", plan: arranged(known, "a", "a"), limit: 9,
			building: map[string]Task{"a": {Submission: "001", Array: "features-07", Number: 3}},
			want:     []string{"cells-01: a a 5 1024 after features-07_3"},
		},
		{
			name: "one cell waits for those, too", plan: arranged(known, "a"), limit: 9,
			building: map[string]Task{"a": {Submission: "001", Array: "features-07", Number: 3}},
			want:     []string{"cells-01: a 5 1024 after features-07_3"},
		},
		{
			name: "nothing is known", plan: arranged(nil, "a", "c"), limit: 9,
			want: []string{"cells-01: a c 0 0"},
		},
		{
			// The estimate has the features in the first cell, which is not sent.
			name: "the cell that is left builds them", limit: 9, send: []int{1},
			plan: func() []plan.Cell {
				p := arranged(known, "a", "a")
				p[0].Cost.Seconds = 1000
				return p
			}(),
			want: []string{"cells-01: a 60 1024"},
		},
		{
			name: "features of unknown time have no limit", limit: 9,
			plan: func() []plan.Cell {
				p := arranged(known, "a", "a", "a")
				p[0].Cost.Seconds = 0
				return p
			}(),
			want: []string{"features-01: a 0 1024", "cells-01: a 0 1024 after features-01_1", "cells-02: a a 5 1024 after features-01_1"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := workspace.New(workspace.Workspace{Dir: t.TempDir()})
			net, err := backbones.Named("convnet")
			if err != nil {
				t.Fatal(err)
			}
			key := func(name string) string { return backbones.FeaturesKey(name, "", net, 32) }
			if err = os.MkdirAll(w.FeaturesDir(), 0o777); err != nil {
				t.Fatal(err)
			}
			for _, name := range tt.cached {
				if err = os.WriteFile(filepath.Join(w.FeaturesDir(), key(name)+".arrow"), nil, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			cells := tt.plan
			if tt.send != nil {
				cells = nil
				for _, i := range tt.send {
					cells = append(cells, tt.plan[i])
				}
			}
			building := map[string]Task{}
			for name, task := range tt.building {
				building[key(name)] = task
			}
			arrays, err := arrangeTasks(w, "002", tt.plan, cells, building, tt.limit)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, a := range arrays {
				words := []string{a.Name + ":"}
				for _, cell := range a.Cells {
					words = append(words, cell[:1])
				}
				words = append(words, fmt.Sprint(a.Seconds/60), fmt.Sprint(a.Memory>>20))
				if a.Needs != nil {
					words = append(words, "after", a.Needs.Array+"_"+fmt.Sprint(a.Needs.Number))
				}
				got = append(got, strings.Join(words, " "))
				for i, f := range a.Features {
					if f != key(a.Cells[i][:1]) {
						t.Errorf("%s, task %d builds %s, which is not what %s reads", a.Name, i+1, f, a.Cells[i])
					}
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(tt.want, "\n  "))
			}
		})
	}
}

// A script hands every word on as it is, and the line of its task.
func TestTaskScript(t *testing.T) {
	dir := filepath.Join(t.TempDir(), `it's $HOME "a" b`)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	list, script := filepath.Join(dir, "list.txt"), filepath.Join(dir, "task.sh")
	cells := []string{"cub.official+box-s256-jpeg/lite0-frozen/a'b$c-8/seed-0", "second/`cell`/&/seed-1"}
	words := []string{"printf", `%s\n`, `'`, `a "b" $c \ d`, "-C", dir}
	if err := os.WriteFile(list, []byte(strings.Join(cells, "\n")+"\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(script, []byte(taskScript(list, `/cache of 'mine'`, slices.Clone(words))), 0o777); err != nil {
		t.Fatal(err)
	}
	for i, cell := range cells {
		for _, variable := range []string{taskVariable, "SLURM_ARRAY_TASK_ID"} {
			command := exec.CommandContext(t.Context(), script)
			command.Env = append(withoutTask(os.Environ()), variable+"="+fmt.Sprint(i+1))
			out, err := command.CombinedOutput()
			want := strings.Join(append(slices.Clone(words[2:]), "--only", cell), "\n") + "\n"
			if err != nil || string(out) != want {
				t.Errorf("task %d by %s: %v\n%swant\n%s", i+1, variable, err, out, want)
			}
		}
	}
}

func TestSbatchOptions(t *testing.T) {
	for _, good := range []string{"--partition=gpu", "-pgpu", "--exclusive", "--comment=a b", "--time=600", "-N1", "--array-tasks-are-fine"} {
		if err := checkOptions([]string{good}); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "-", "--", "gpu", "-p gpu", "-p=gpu", "--array=1-3", "-a1-3", "--dependency=afterok:3", "--wrap=true", "--wait", "-W"} {
		if err := checkOptions([]string{bad}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// Slurm's states are those of sbatch's manual, JOB STATE CODES.
func TestSlurmStates(t *testing.T) {
	for state, active := range map[string]bool{
		"PENDING": true, "CONFIGURING": true, "RUNNING": true, "COMPLETING": true, "SUSPENDED": true, "REQUEUED": true, "REQUEUE_HOLD": true,
		"STAGE_OUT": true, "STOPPED": true, "A_NEW_STATE": true,
		"COMPLETED": false, "CANCELLED": false, "FAILED": false, "TIMEOUT": false, "NODE_FAIL": false, "PREEMPTED": false,
		"BOOT_FAIL": false, "DEADLINE": false, "OUT_OF_MEMORY": false,
	} {
		if got := taskState(state, "None"); got.Active != active || got.State != state || got.Reason != "" {
			t.Errorf("%s: %+v, want active %v", state, got, active)
		}
	}
}
