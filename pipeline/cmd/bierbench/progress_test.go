package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

// train plays a stage of three minutes that advances every second.
func train(p *progress) {
	p.Start("train cub.official-s256-jpeg/lite0-frozen/bier-512/seed-0", 180)
	for done := range 180 {
		time.Sleep(time.Second)
		p.Advance(done+1, "loss 12.6452, 1216 images/s")
	}
	p.Finish()
}

// Only a terminal gets a bar; a file gets a line a minute; --quiet and --json get
// nothing.
func TestProgress(t *testing.T) {
	for _, tt := range []struct {
		name   string
		silent bool
		width  int
		bar    bool
		lines  int
	}{
		{"terminal", false, 80, true, 0},
		{"file", false, 0, false, 3},
		{"quiet terminal", true, 80, false, 0},
		{"quiet file", true, 0, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var bar, log bytes.Buffer
				train(newProgress(&bar, tt.silent, tt.width, slog.New(slog.NewTextHandler(&log, nil))))
				if drawn := strings.Contains(bar.String(), "train loss 12.6452, 1216 images/s"); drawn != tt.bar || (bar.Len() > 0) != tt.bar {
					t.Errorf("drawn %q, want a bar: %v", bar.String(), tt.bar)
				}
				for line := range strings.SplitSeq(bar.String(), "\r") {
					if n := utf8.RuneCountInString(line); n > tt.width {
						t.Fatalf("a line of %d columns is wrapped: %q", n, line)
					}
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
