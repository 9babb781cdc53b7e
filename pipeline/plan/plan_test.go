package plan

import (
	"encoding/json"
	"strings"
	"testing"

	"bierbench/datasets"
	"bierbench/models"
	"bierbench/models/backbones"
	"bierbench/models/losses"
	"bierbench/runs"
)

// What a record says of a cell that is planned with configuration "c", data
// "d" and weights "w", by a build of commit "k".
func TestState(t *testing.T) {
	config := models.Config{Backbone: "lite0", Steps: 1000, Seed: 3, Config: losses.Config{Shrinkage: 2}}
	planned := Cell{
		Key:    runs.Key{Group: runs.Group{Backbone: "lite0"}},
		Config: config, ConfigHash: "c", DataHash: "d",
	}
	record := func(config, data, weights, status string) runs.Cell {
		return runs.Cell{
			ConfigHash: config, DataHash: data, Status: status,
			Config:      []byte(`{"backbone": "lite0", "steps": 400, "shrinkage": 2, "seed": 0, "gone": 1}`),
			Environment: runs.Environment{Weights: weights, Commit: "k"},
		}
	}
	other := record("c", "d", "w", runs.Done)
	other.Environment.Commit = "j"
	devices := record("c", "d", "w", runs.Done)
	devices.Environment.Devices, devices.Environment.Plugin = 4, "q"
	set, unset := record("c", "d", "w", runs.Done), record("c", "d", "w", runs.Done)
	set.Environment.Variables = map[string]string{"XLA_FLAGS": "-x"}
	unset.Environment.Variables = map[string]string{}
	begun := record("c", "d", "w", runs.Running)
	begun.Environment.Commit = "j"
	two := record("c", "d", "w", runs.Done)
	two.Earlier = []runs.Environment{{Commit: "i"}}
	for _, c := range []struct {
		name      string
		old       runs.Cell
		recorded  bool
		weights   string
		sameBuild bool
		want      string
		why       string // a part of it; empty: nothing is said
	}{
		{"no record", runs.Cell{}, false, "w", false, Todo, ""},
		{"finished", record("c", "d", "w", runs.Done), true, "w", true, Done, ""},
		{"another configuration", record("x", "d", "w", runs.Done), true, "w", false, Stale, "gone: 1 -> unset"},
		{"the options are named", record("x", "d", "w", runs.Done), true, "w", false, Stale, "steps: 400 -> 1000"},
		{"other data", record("c", "x", "w", runs.Done), true, "w", false, Stale, "data set: digest x -> d"},
		{"other weights", record("c", "d", "x", runs.Done), true, "w", false, Stale, "weights: SHA-256 x -> w"},
		{"weights that are not installed change nothing", record("c", "d", "x", runs.Done), true, "", false, Done, ""},
		{"a backbone without weights", record("c", "d", "", runs.Done), true, "", false, Done, ""},
		{"another commit is said", other, true, "w", false, Done, "commit j -> k"},
		{"other devices are said", devices, true, "w", false, Done, "plugin q -> p, devices 4 -> 1"},
		{"other devices, one build asked for", devices, true, "w", true, Stale, "devices 4 -> 1"},
		{"another commit, one build asked for", other, true, "w", true, Stale, "commit j -> k"},
		{"a variable is said", set, true, "w", false, Done, `XLA_FLAGS "-x" -> unset`},
		{"no variable, as now", unset, true, "w", true, Done, ""},
		{"begun by another build", begun, true, "w", false, Interrupted, "begun by another build: commit j -> k"},
		{"begun by another build, one asked for", begun, true, "w", true, Stale, "build: commit j -> k"},
		{"made by two builds", two, true, "w", false, Done, "commit i -> k"},
		{"made by two builds, one asked for", two, true, "w", true, Stale, "commit i -> k"},
		{"killed or interrupted", record("c", "d", "w", runs.Running), true, "w", false, Interrupted, ""},
		{"killed before its environment was written", record("c", "d", "", runs.Running), true, "w", false, Interrupted, ""},
		{"interrupted, then the configuration changed", record("x", "d", "w", runs.Running), true, "w", false, Stale, "configuration"},
		{"failed", record("c", "d", "w", runs.Failed), true, "w", false, Failed, ""},
	} {
		p := &Plan{Weights: map[string]string{"lite0": c.weights}, build: runs.Environment{Commit: "k", Plugin: "p", Devices: 1, Variables: map[string]string{}}, sameBuild: c.sameBuild}
		got, why := p.State(planned, c.old, c.recorded)
		if got != c.want || (c.why == "") != (why == "") || !strings.Contains(why, c.why) {
			t.Errorf("%s: %s (%q), want %s (%q)", c.name, got, why, c.want, c.why)
		}
		if strings.Contains(why, "seed: ") || strings.Contains(why, "shrinkage: ") {
			t.Errorf("%s: %q names what has not changed", c.name, why)
		}
	}
}

// Other imported features make a cell stale, by their digest, their width or what is said of them. They
// are named apart from options.
func TestStateOfImportedFeatures(t *testing.T) {
	was := `"features": {"digest": "` + strings.Repeat("a", 64) + `", "width": 8, "origin": "x"}`
	for _, c := range []struct {
		name     string
		recorded string
		steps    int
		now      *backbones.Imported
		want     string
	}{
		{"other values", was, 1000, &backbones.Imported{Digest: strings.Repeat("b", 64), Width: 8, Origin: "x"}, "features changed: SHA-256 aaaaaaaaaaaa -> bbbbbbbbbbbb"},
		{"another origin", was, 1000, &backbones.Imported{Digest: strings.Repeat("a", 64), Width: 8}, `features changed: origin "x" -> none`},
		{
			"features and an option", was, 400, &backbones.Imported{Digest: strings.Repeat("a", 64), Width: 9, Origin: "x"},
			"features changed: width 8 -> 9; configuration: steps: 1000 -> 400",
		},
		{"an option alone", was, 400, &backbones.Imported{Digest: strings.Repeat("a", 64), Width: 8, Origin: "x"}, "configuration: steps: 1000 -> 400"},
	} {
		p := &Plan{Weights: map[string]string{}}
		planned := Cell{Config: models.Config{Backbone: "file:x", Steps: c.steps, Features: c.now}, ConfigHash: "new"}
		recorded := models.Config{Backbone: "file:x", Steps: 1000}
		data, err := json.Marshal(recorded)
		if err != nil {
			t.Fatal(err)
		}
		old := runs.Cell{ConfigHash: "old", Status: runs.Done, Config: []byte("{" + c.recorded + "," + string(data[1:]))}
		if state, why := p.State(planned, old, true); state != Stale || why != c.want {
			t.Errorf("%s: %s (%s), want %s", c.name, state, why, c.want)
		}
	}
}

func TestMatches(t *testing.T) {
	const cell = "cub.official-s256-jpeg/lite0-frozen/bier-512/seed-0"
	for glob, want := range map[string]bool{
		"bier-512": true, "bier*": true, "cub.*": true, "seed-0": true, "abier*": false,
		"cub.*/*/*/seed-0": true, "cub.*/seed-0": false, "lite0-*": true,
	} {
		if got := MatchPath(glob, cell); got != want {
			t.Errorf("%s: %v, want %v", glob, got, want)
		}
	}
}

// Worked by hand: a class gives at most Images of its images, and all classes together what there is.
func TestTooLarge(t *testing.T) {
	const train = string(datasets.Train)
	for _, tt := range []struct {
		name                             string
		images, classes, ofBatch, aClass int
		untrained                        bool
		want                             string // a part of the reason; empty: none
	}{
		{"a batch that is there", 60, 12, 12, 5, false, ""},
		{"too few classes, though images enough", 96, 6, 12, 5, false, "96 training images in 6 classes, too few for a batch of 12 classes x 5 images; " +
			"lower classes or images in the suite, such as to classes: 6"},
		{"too few images", 40, 12, 12, 5, false, "such as to classes: 8"},
		{"features are not trained", 1, 1, 12, 5, true, ""},
	} {
		c := Cell{Manifest: datasets.Manifest{Counts: map[string]int{train: tt.images}, Classes: map[string]int{train: tt.classes}}}
		c.Config.Classes, c.Config.Images, c.Config.Untrained = tt.ofBatch, tt.aClass, tt.untrained
		if got := tooLarge(c); (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}
