package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A run that another terminal works at is shown as it goes on, and its end ends the
// command.
func TestShowFollow(t *testing.T) {
	dir := miniWorkspace(t)
	if err := cacheFeatures(t.Context(), dir, "cub"); err != nil {
		t.Fatal(err)
	}
	suite := filepath.Join(dir, "s.yaml")
	if out, _, code := commandLineIn(t, dir, "show", "s", "--follow", "--json"); code != exitFailed || !strings.Contains(out, `"event":"error"`) {
		t.Errorf("a run that is not there: code %d, %s", code, out)
	}
	var running sync.WaitGroup
	running.Go(func() {
		if _, stderr, code := commandLineIn(t, dir, "--backend", "go", "run", suite, "--set", "steps=400"); code != exitFailed { // one cell fails
			t.Errorf("run: code %d: %s", code, stderr)
		}
	})
	waitForFile(t, filepath.Join(dir, "runs", "s", "run.json"))
	out, stderr, code := commandLineIn(t, dir, "show", "s", "--follow", "--json")
	if code != exitOK || stderr != "" {
		t.Errorf("code %d: %s", code, stderr)
	}
	running.Wait()
	var kinds []string
	for _, e := range decoded(t, out) {
		switch e["event"] {
		case eventCell:
			cell := e["cell"].(string)
			kinds = append(kinds, fmt.Sprint(e["state"], " ", cell[strings.Index(cell, "frozen/")+7:]))
		case eventResult:
			kinds = append(kinds, fmt.Sprint(e["result"]))
		}
	}
	t.Logf("%s", out)
	for _, want := range []string{"done bier-24/seed-0", "failed greedy-24/seed-0", "done abier-24/seed-0", "map[cells:3 done:2 failed:1 interrupted:0 planned:0 run:s running:0]"} {
		if !slices.Contains(kinds, want) {
			t.Errorf("no %q in %q", want, kinds)
		}
	}
	// It is over: only the summary is left, and of one cell its state.
	out, _, code = commandLineIn(t, dir, "show", "s", "--follow")
	if want := "run s: 2 of 3 cells done, 1 failed, 0 running, 0 interrupted, 0 not begun\n"; code != exitOK || out != want {
		t.Errorf("code %d, %q, want %q", code, out, want)
	}
	out, _, code = commandLineIn(t, dir, "show", "s/cub.mini-s256-jpeg/convnet-frozen/greedy-24/seed-0", "--follow")
	if code != exitOK || !strings.Contains(out, "failed      cub.mini-s256-jpeg/convnet-frozen/greedy-24/seed-0: train: batch of 400") {
		t.Errorf("code %d, %s", code, out)
	}
}

// The steps of a cell that trains are shown. The training is long enough that it is never
// over before it is looked at; once a step is seen, both commands are interrupted.
func TestShowFollowSteps(t *testing.T) {
	dir := miniWorkspace(t)
	if err := cacheFeatures(t.Context(), dir, "cub"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	// start runs a command until the end of ctx and writes what it prints to a file.
	var running sync.WaitGroup
	start := func(name string, args ...string) string {
		out, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		running.Go(func() {
			defer out.Close()
			if code := execute(ctx, out, out, append(args, "-C", dir)); code != exitInterrupted {
				t.Errorf("%s: code %d, want %d", args, code, exitInterrupted)
			}
		})
		return out.Name()
	}
	start("run.out", "--backend", "go", "run", filepath.Join(dir, "s.yaml"), "--set", "steps=1000000")
	waitForFile(t, filepath.Join(dir, "runs", "s", "run.json"))
	shown := start("show.out", "show", "s", "--follow", "--json")
	for step := ""; step == ""; time.Sleep(10 * time.Millisecond) {
		if ctx.Err() != nil {
			break
		}
		text, err := os.ReadFile(shown)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, `"event":"step"`) && strings.HasSuffix(line, "\n") {
				step = line
			}
		}
		if step == "" {
			continue
		}
		e := decoded(t, step)[0]
		if e["step"].(float64) < 1 || e["loss"].(float64) <= 0 || !strings.HasSuffix(e["cell"].(string), "frozen/bier-24/seed-0") {
			t.Errorf("%v", e)
		}
		cancel()
	}
	running.Wait()
	if ctx.Err() != context.Canceled {
		t.Error("no step was shown in a minute")
	}
}

// waitForFile waits until there is a file, for a minute at most.
func waitForFile(t *testing.T, path string) {
	t.Helper()
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return
		} else if time.Since(start) > time.Minute {
			t.Fatal(err)
		}
	}
}

// An interrupt ends it with code 130.
func TestShowFollowInterrupted(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "runs", "s"), 0o777); err != nil {
		t.Fatal(err)
	}
	record := `{"schema": 1, "id": "s", "cells": [{"dataset": "cub", "variant": "mini", "backbone": "convnet", "mode": "frozen", "method": "bier", "embedding_size": 8, "seed": 0}]}`
	if err := os.WriteFile(filepath.Join(dir, "runs", "s", "run.json"), []byte(record), 0o666); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	if code := execute(ctx, out, out, []string{"show", "s", "--follow", "-C", dir}); code != exitInterrupted {
		t.Errorf("code %d, want %d", code, exitInterrupted)
	}
	text, err := os.ReadFile(out.Name())
	// It has finished nothing that could be kept.
	want := "run s: 0 of 1 cell done, 0 failed, 0 running, 0 interrupted, 1 not begun\nbierbench: interrupted\n"
	if err != nil || string(text) != want {
		t.Errorf("%v, %s; want\n%s", err, text, want)
	}
}
