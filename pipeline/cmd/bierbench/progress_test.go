package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// train plays a stage of three minutes that advances every second.
func train(p *progress) {
	p.Start("train cell", 180)
	for done := range 180 {
		time.Sleep(time.Second)
		p.Advance(done+1, "loss 0.5")
	}
	p.Finish()
}

// Only a terminal gets a bar; a file gets a line a minute; --quiet and --json get
// nothing.
func TestProgress(t *testing.T) {
	for _, tt := range []struct {
		name        string
		silent, tty bool
		bar         bool
		lines       int
	}{
		{"terminal", false, true, true, 0},
		{"file", false, false, false, 3},
		{"quiet terminal", true, true, false, 0},
		{"quiet file", true, false, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var bar, log bytes.Buffer
				train(newProgress(&bar, tt.silent, tt.tty, slog.New(slog.NewTextHandler(&log, nil))))
				if drawn := strings.Contains(bar.String(), "train cell loss 0.5"); drawn != tt.bar || (bar.Len() > 0) != tt.bar {
					t.Errorf("drawn %q, want a bar: %v", bar.String(), tt.bar)
				}
				if n := strings.Count(log.String(), "\n"); n != tt.lines {
					t.Errorf("%d log lines, want %d:\n%s", n, tt.lines, log.String())
				}
				if tt.lines > 0 && !strings.Contains(log.String(), "done=60/180") {
					t.Errorf("the log does not say how far it is:\n%s", log.String())
				}
			})
		})
	}
}
