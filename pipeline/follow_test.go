package pipeline

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"bierbench/pipeline/internal/claims"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// followed writes down what a Poll saw, and the summary.
func followed(t *testing.T, f *Follower) (seen, summary string) {
	t.Helper()
	list, s, err := f.Poll()
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, e := range list {
		seed := e.Cell[strings.LastIndex(e.Cell, "-")+1:]
		if e.Step != nil {
			words = append(words, fmt.Sprintf("%s:%d", seed, e.Step.Step))
		} else {
			words = append(words, seed+":"+e.State+e.Record.Error)
		}
	}
	return strings.Join(words, " "), fmt.Sprintf("%d/%d done, %d failed, %d running, %d interrupted, %d planned, ended %v",
		s.Done, s.Cells, s.Failed, s.Running, s.Interrupted, s.Planned, s.Ended())
}

// followedRun is a run of cells that a test plays another process for.
func followedRun(t *testing.T, cells int) (w *workspace.Workspace, r *runs.Run, write func(seed int, status, reason string), step func(seed, number int)) {
	t.Helper()
	w = workspace.New(workspace.Workspace{Dir: t.TempDir()})
	key := func(seed int) runs.Key {
		return runs.Key{Seed: seed, Group: runs.Group{Dataset: "cub", Variant: "mini", Backbone: "convnet", Mode: "frozen", Method: "bier", Size: 8}}
	}
	record := runs.Record{Suite: "s"}
	for seed := range cells {
		record.Cells = append(record.Cells, key(seed))
	}
	r, err := w.Runs().Create("s", record)
	if err != nil {
		t.Fatal(err)
	}
	write = func(seed int, status, reason string) {
		t.Helper()
		if err := r.WriteCell(runs.Cell{Key: key(seed), Status: status, Error: reason}); err != nil {
			t.Fatal(err)
		}
	}
	step = func(seed, number int) {
		t.Helper()
		log, err := runs.OpenSteps(r.StepsPath(key(seed)), number-1)
		if err != nil {
			t.Fatal(err)
		}
		if err = errors.Join(log.Append(runs.TrainStep{Step: number, Loss: 1 / float64(number)}), log.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return w, r, write, step
}

// A follower sees each change once: new states, the latest step of a cell that
// trains, an interrupt, training that continues from an earlier step, and cells
// that are added to the run.
func TestFollow(t *testing.T) {
	w, r, write, step := followedRun(t, 4)
	write(0, runs.Done, "")
	write(1, runs.Failed, " before")
	f, err := Follow(w, "s", "")
	if err != nil {
		t.Fatal(err)
	}
	worker, err := claims.Open(r.Dir)
	if err != nil {
		t.Fatal(err)
	}
	path := r.Record.Cells[2].Path()
	steps := r.StepsPath(r.Record.Cells[2])
	var dead *claims.File // a worker that ends without a word
	claim := func(c *claims.File) {
		t.Helper()
		if ok, failed := c.Try(path); failed != nil || !ok {
			t.Fatal(ok, failed)
		}
	}
	for i, tt := range []struct {
		does          func()
		seen, summary string
	}{
		{func() {}, "", "1/4 done, 1 failed, 0 running, 0 interrupted, 2 planned, ended false"}, // what had ended before is counted, not told
		{func() {
			claim(worker)
			write(2, runs.Running, "")
		}, "2:running", "1/4 done, 1 failed, 1 running, 0 interrupted, 1 planned, ended false"},
		{func() { step(2, 1); step(2, 2) }, "2:2", "1/4 done, 1 failed, 1 running, 0 interrupted, 1 planned, ended false"},
		{func() {}, "", "1/4 done, 1 failed, 1 running, 0 interrupted, 1 planned, ended false"},
		{func() { step(2, 3); worker.Close() }, "2:3 2:interrupted", "1/4 done, 1 failed, 0 running, 1 interrupted, 1 planned, ended false"},
		{func() {
			if dead, err = claims.Open(r.Dir); err != nil {
				t.Fatal(err)
			}
			claim(dead)
			step(2, 2) // the checkpoint was of step 1
		}, "2:running 2:2", "1/4 done, 1 failed, 1 running, 0 interrupted, 1 planned, ended false"},
		{func() {
			half, err := os.OpenFile(steps, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer half.Close()
			if _, err = half.WriteString(`{"step":3,"lo`); err != nil { // being written
				t.Fatal(err)
			}
		}, "", "1/4 done, 1 failed, 1 running, 0 interrupted, 1 planned, ended false"},
		{func() { step(2, 3); write(2, runs.Done, "") }, "2:3 2:done", "2/4 done, 1 failed, 0 running, 0 interrupted, 1 planned, ended false"},
		{func() { write(3, runs.Failed, " no space left") }, "3:failed no space left", "2/4 done, 2 failed, 0 running, 0 interrupted, 0 planned, ended true"},
		{func() {
			record := r.Record
			more := record.Cells[3]
			more.Seed = 4
			record.Cells = append(record.Cells, more)
			time.Sleep(10 * time.Millisecond) // another time of the file
			if err := r.Update(record); err != nil {
				t.Fatal(err)
			}
		}, "", "2/5 done, 2 failed, 0 running, 0 interrupted, 1 planned, ended false"},
	} {
		tt.does()
		seen, summary := followed(t, f)
		if seen != tt.seen || summary != tt.summary {
			t.Errorf("poll %d: %q, %s\nwant     %q, %s", i+1, seen, summary, tt.seen, tt.summary)
		}
	}
	dead.Close()
}

// One cell is followed alone, from its state on.
func TestFollowCell(t *testing.T) {
	w, r, write, _ := followedRun(t, 2)
	write(0, runs.Failed, "")
	f, err := Follow(w, "s", r.Record.Cells[1].Path())
	if err != nil {
		t.Fatal(err)
	}
	if seen, summary := followed(t, f); seen != "1:planned" || !strings.HasPrefix(summary, "0/1 done, 0 failed") {
		t.Errorf("%s, %s", seen, summary)
	}
	write(1, runs.Done, "")
	if seen, summary := followed(t, f); seen != "1:done" || !strings.HasSuffix(summary, "ended true") {
		t.Errorf("%s, %s", seen, summary)
	}
	for _, name := range []string{"s/no/such/cell", "nothing", "../s"} {
		id, cell, _ := strings.Cut(name, "/")
		if _, err := Follow(w, id, cell); err == nil {
			t.Errorf("%s was followed", name)
		}
	}
	if _, err := os.Stat(r.Dir + "/" + claims.FileName); err == nil {
		t.Error("following wrote into the run's folder")
	}
}
