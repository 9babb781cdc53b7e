//go:build integration

package datasets

import (
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// Killed after so many images, 20 times one after the other, in five chains.
func TestIntegrationIngestResumeKilled(t *testing.T) {
	if root := os.Getenv("DATASETS_TEST_KILL"); root != "" {
		ingestUntil(t, root, os.Getenv("DATASETS_TEST_OUT"), os.Getenv("DATASETS_TEST_AT"))
	}
	for seed := range uint64(5) {
		r := rand.New(rand.NewPCG(seed, 0))
		var kills []int
		for least := 1; len(kills) < 4; least = kills[len(kills)-1] {
			kills = append(kills, least+r.IntN(21-least)) // an ingest that goes on does not come to an earlier number
		}
		checkKilledResume(t, "TestIntegrationIngestResumeKilled", kills)
	}
}

// Killed at 20 random moments, whatever is being written then: a part, a note, the index, the manifest,
// or while the folder takes its place. The number of workers changes each time.
func TestIntegrationIngestKilledAnywhere(t *testing.T) {
	if raw := os.Getenv("DATASETS_TEST_KILL"); raw != "" {
		if _, err := ingestProducts(t, raw, os.Getenv("DATASETS_TEST_OUT"), os.Getenv("DATASETS_TEST_AT")); err != nil {
			t.Fatal(err)
		}
		return
	}
	raw, whole, out := t.TempDir(), t.TempDir(), t.TempDir()
	if err := WriteMini(t.Context(), raw, MiniOptions{Seed: 1, Classes: 40, Images: 8}); err != nil {
		t.Fatal(err)
	}
	child := func(out string, workers int) *exec.Cmd {
		c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestIntegrationIngestKilledAnywhere$")
		c.Env = append(os.Environ(), "DATASETS_TEST_KILL="+raw, "DATASETS_TEST_OUT="+out, "DATASETS_TEST_AT="+strconv.Itoa(workers))
		return c
	}
	began := time.Now()
	if text, err := child(whole, 2).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	took := time.Since(began)
	want := contents(t, whole)
	r := rand.New(rand.NewPCG(2, 0))
	resumed, last := 0, 0
	for i := range 20 {
		c := child(out, 1+i%4)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(r.Float64() * float64(took)))
		if err := errors.Join(c.Process.Kill(), ignore(c.Wait())); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		notes, err := filepath.Glob(filepath.Join(out, "sop", ".*.journal", "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		if len(notes) > last {
			resumed++
		}
		last = len(notes)
		if found, err := filepath.Glob(filepath.Join(out, "sop", "[^.]*", "*")); err == nil && len(found) > 0 {
			// It ended. What readers see is whole, and the next one begins anew.
			if got := contents(t, filepath.Dir(found[0])); len(got) != len(want) {
				t.Fatalf("readers see %v", names(got))
			}
			t.Logf("kill %d: an ingest ended before it", i)
			if err := os.RemoveAll(filepath.Join(out, "sop")); err != nil {
				t.Fatal(err)
			}
			last = 0
		}
	}
	m, err := ingestProducts(t, raw, out, "3")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("an ingest takes %v; %d kills came after further parts; the last one went on from %d images", took, resumed, m.Resumed)
	if resumed == 0 {
		t.Error("no kill came after a part")
	}
	if got := contents(t, out); !maps.Equal(got, want) {
		t.Errorf("files differ from those of an ingest in one go: %v, want %v", names(got), names(want))
	}
}

// ingestProducts ingests the products below raw with small parts.
func ingestProducts(tb testing.TB, raw, out, workers string) (*Manifest, error) {
	tb.Helper()
	o := DefaultIngestOptions()
	o.Raw, o.Out, o.Custom, o.Size = raw, out, MiniRelease, 64
	var err error
	if o.Workers, err = strconv.Atoi(workers); err != nil {
		return nil, err
	}
	m, _, err := ingestSet(tb.Context(), sop(), o, sizeLimits{batch: 32 << 10, part: partReserve + 96<<10, index: 50})
	return m, err
}

// ignore drops the error of a process that was killed.
func ignore(error) error { return nil }
