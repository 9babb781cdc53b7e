package submit

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bierbench/models/cache"
	"bierbench/pipeline/workspace"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// kubernetesFile has the Jobs of exampleJobs, which an integration test compares with the published
// schema.
const kubernetesFile = "testdata/kubernetes.yaml"

// exampleJobs returns every kind of Job: features first, with and without limits, a run whose name is
// no name of Kubernetes, a queue, and more tasks than may run at a time.
func exampleJobs(t *testing.T) []byte {
	t.Helper()
	e := kubernetes{Kubernetes: Kubernetes{
		Image: "registry.example/bierbench:1", Claim: "data", Queue: "team-a", Resources: []string{"nvidia.com/gpu=1", "cpu=2500m"},
	}}
	s := &Submission{
		Run: "Quick_2", Name: "001", Parallel: 2, dir: "/data/runs/Quick_2/submissions/001",
		Arrays: []Array{
			{Name: "features-01", Features: []string{"0123"}, Cells: []string{"a/b/c-8/seed-0"}, Seconds: 300, Memory: 1 << 30},
			{Name: "cells-01", Cells: []string{"a/b/c-8/seed-0", "a/b/c-8/seed-1", "a/b/c-8/seed-2"}, Seconds: 7200, Memory: 3 << 30},
			{Name: "cells-02", Cells: []string{"a/d/c-8/seed-0"}},
		},
	}
	var text []byte
	for _, part := range []string{"features", "cells"} {
		jobs, err := e.jobs(s, part, "/data")
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, jobs...)
	}
	for _, a := range s.Arrays {
		if len(a.Job) > 57 || !subdomain.MatchString(a.Job) {
			t.Errorf("the name %q is no host name with room for -<index>", a.Job)
		}
	}
	return text
}

func TestKubernetesGolden(t *testing.T) {
	got := exampleJobs(t)
	if *update {
		if err := os.WriteFile(kubernetesFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(kubernetesFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("(-want +got); if that is meant, run go test ./pipeline/submit -update:\n%s", diff)
	}
}

func TestKubernetesOptions(t *testing.T) {
	good := Kubernetes{Image: "a/b:1", Claim: "data", Mount: "/data", Queue: "team-a", Resources: []string{"nvidia.com/gpu=1"}}
	if err := good.check(); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		change func(k *Kubernetes)
		want   string
	}{
		"no image":              {func(k *Kubernetes) { k.Image = "" }, "--image is missing"},
		"an image of two words": {func(k *Kubernetes) { k.Image = "a b" }, "without spaces"},
		"no claim":              {func(k *Kubernetes) { k.Claim = "" }, "--claim is missing"},
		"a claim in capitals":   {func(k *Kubernetes) { k.Claim = "Data" }, "lower-case"},
		"a relative mount":      {func(k *Kubernetes) { k.Mount = "data" }, "from the root"},
		"a queue with a space":  {func(k *Kubernetes) { k.Queue = "a b" }, "queue of Kueue"},
		"a long queue":          {func(k *Kubernetes) { k.Queue = strings.Repeat("q", 64) }, "63"},
		"no quantity":           {func(k *Kubernetes) { k.Resources = []string{"cpu"} }, "NAME=QUANTITY"},
		"a quantity in words":   {func(k *Kubernetes) { k.Resources = []string{"cpu=two"} }, "NAME=QUANTITY"},
	} {
		k := good
		tt.change(&k)
		if err := k.check(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want an error with %q", name, err, tt.want)
		}
	}
}

// Pods see the claim alone: what is outside of it is refused before anything is written.
func TestKubernetesMount(t *testing.T) {
	dir := t.TempDir()
	for name, tt := range map[string]struct {
		mount, workspace, cache, want string
	}{
		"all inside":                        {dir, filepath.Join(dir, "w"), filepath.Join(dir, "c"), ""},
		"the workspace is the claim":        {"", dir, filepath.Join(dir, "c"), ""},
		"the cache is elsewhere":            {"", dir, filepath.Join(dir, "..", "c"), "the cache "},
		"the workspace is elsewhere":        {filepath.Join(dir, "m"), dir, filepath.Join(dir, "m", "c"), "the workspace "},
		"a name that begins like the mount": {filepath.Join(dir, "m"), filepath.Join(dir, "m2"), filepath.Join(dir, "m", "c"), "the workspace "},
	} {
		w := workspace.New(workspace.Workspace{Dir: tt.workspace, Cache: cache.Cache{Dir: tt.cache}})
		e := newKubernetes(w, Options{Kubernetes: Kubernetes{Image: "i", Claim: "data", Mount: tt.mount}})
		n, err := e.limit(t.Context())
		if tt.want == "" && (err != nil || n != mostIndexes) {
			t.Errorf("%s: %d, %v; want %d", name, n, err, mostIndexes)
		}
		if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v; want an error with %q", name, err, tt.want)
		}
	}
}

// Names of Kubernetes are DNS labels. One that was changed ends in a digest, so that no two Jobs
// share a name.
func TestKubeName(t *testing.T) {
	for _, name := range []string{"bierbench-quick-001-cells-01", "quick-2", strings.Repeat("a", 57)} {
		if got := kubeName(name, 57); got != name {
			t.Errorf("%q became %q", name, got)
		}
	}
	seen := map[string]string{}
	for _, name := range []string{"Quick_2", "quick_2", "quick 2", "-quick-2", strings.Repeat("a", 58), strings.Repeat("a", 59), "äöü"} {
		got := kubeName(name, 57)
		if len(got) > 57 || !subdomain.MatchString(got) || seen[got] != "" {
			t.Errorf("%q became %q; want a DNS label of its own (%q)", name, got, seen[got])
		}
		seen[got] = name
	}
}
