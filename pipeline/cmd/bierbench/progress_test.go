package main

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"bierbench/runs"
)

// cellKey is the cell of a seed.
func cellKey(seed int) runs.Key {
	return runs.Key{Seed: seed, Group: runs.Group{
		Dataset: "cub", Variant: "official-s256-jpeg", Backbone: "lite0", Mode: "frozen", Method: "bier", Size: 512,
	}}
}

// play does two of four cells, each a training of 100 steps in 100 seconds; the
// first is done and the second fails. Each second calls second.
func play(p *progress, second func()) {
	for seed := range 2 {
		key := cellKey(seed)
		p.Cell(key, seed+1, 4)
		time.Sleep(250 * time.Millisecond) // so that no advance falls on a full minute
		p.Start("train "+key.Path(), 100)
		for done := range 100 {
			time.Sleep(time.Second)
			p.Advance(done+1, "loss 12.6452, 1216 images/s")
			second()
		}
		p.Finish()
		cell, err := runs.Cell{Key: key, Timing: map[string]float64{"total": 100}}, error(nil)
		if seed == 1 {
			err = errors.New("cell x: out of\nmemory \x1b[2J")
		}
		p.CellEnded(cell, seed+1, 4, err)
	}
}

// On a terminal of any width there are two lines at most, both whole, and nothing
// is left of them.
func TestProgressOnTerminal(t *testing.T) {
	ended := []string{
		"[1/4] cub.official-s256-jpeg/lite0-frozen/bier-512/seed-0  100.0 s",
		"[2/4] failed: cell x: out of memory  [2J", // what would clear the terminal is taken away
	}
	for _, tt := range []struct {
		name    string
		columns int
		first   string // the lines after 30 seconds
		second  string
	}{
		{"wide", 160, `  0% |                    | (0/4) cells, 30s, cub.official-s256-jpeg/lite0-frozen/bier-512/seed-0`, // nothing to tell the rest from
			` 30% |██████              | (30/100) train, loss 12.6452, 1216 images/s, 30s, 1m10s left`},
		{
			"usual", 80, `  0% |          | (0/4) cells, 30s, cub.official-s256-jpeg/lite0-frozen/bier-5…`,
			` 30% |███       | (30/100) train, loss 12.6452, 1216 images/s, 30s, 1m10s left`,
		},
		{"narrow", 30, `  0% |   | (0/4) cells, 30s,…`, ` 30% |   | (30/100) train, l…`},
		{"very narrow", 8, `  0% |…`, ` 30% |…`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				screen := newEmulator(t, tt.columns)
				p := newProgress(nil, &playing(screen).screen, slog.New(slog.DiscardHandler))
				seen := 0
				play(p, func() {
					bars := screen.bars()
					if seen++; seen == 30 && !slices.Equal(bars, []string{tt.first, tt.second}) {
						t.Errorf("after 30 s:\n%s\nwant\n%s\n%s", strings.Join(bars, "\n"), tt.first, tt.second)
					}
					if rest := len(screen.text()) - screen.y; len(bars) != 2 || rest != 2 {
						t.Fatalf("after %d s, %d rows from the cursor on:\n%s", seen, rest, strings.Join(screen.text(), "\n"))
					}
					if seen == 150 && // 150.5 s, of three cells as long as that
						tt.columns > 80 && !strings.Contains(bars[0], "(1/4) cells, 2m31s, about 7m32s left, cub.") {
						t.Errorf("after a cell: %q", bars[0])
					}
				})
				p.close()
				screen.resize(200, true)
				if got := screen.text(); !slices.Equal(got, ended) {
					t.Errorf("at the end:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(ended, "\n"))
				}
			})
		})
	}
}

// played is an emulator's screen, and how many times something was drawn on it.
type played struct {
	screen   screen
	writes   int
	emulator *emulator
}

func playing(e *emulator) *played {
	p := &played{emulator: e}
	p.screen = screen{out: p, size: func() (int, int) { return e.columns, 24 }}
	return p
}

func (p *played) Write(b []byte) (int, error) {
	p.writes++
	return p.emulator.Write(b)
}

// A terminal may change its size at any time, and may or may not move its text then.
func TestProgressResized(t *testing.T) {
	for _, reflow := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			screen := newEmulator(t, 120)
			log := playing(screen)
			p := newProgress(nil, &log.screen, slog.New(slog.DiscardHandler))
			n := 0
			play(p, func() {
				n++
				if bars := screen.bars(); len(bars) != 2 {
					t.Fatalf("reflow %v, %d s, %d columns: %d bars:\n%s", reflow, n, screen.columns, len(bars), strings.Join(screen.text(), "\n"))
				}
				switch n % 10 {
				case 2:
					screen.resize([]int{40, 12, 200, 80}[n/10%4], reflow)
				case 5:
					_, _ = log.screen.Write([]byte("log\n")) // a line above the bars
				}
				time.Sleep(refreshEvery) // nothing has advanced, but the bars follow
			})
			p.close()
			var left []string
			for _, line := range screen.text() {
				if line != "log" {
					left = append(left, line)
				}
			}
			if strings.Contains(strings.Join(left, ""), "%") || strings.Count(strings.Join(screen.text(), "\n"), "log") != 20 {
				t.Errorf("reflow %v: left on the terminal:\n%s", reflow, strings.Join(screen.text(), "\n"))
			}
		})
	}
}

// However often a stage advances, it is drawn ten times a second at most.
func TestProgressRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		screen := playing(newEmulator(t, 80))
		p := newProgress(nil, &screen.screen, slog.New(slog.DiscardHandler))
		p.Start("embed", 10_000)
		for done := range 10_000 {
			time.Sleep(time.Millisecond)
			p.Advance(done+1, "")
		}
		p.Finish()
		p.close()
		// 10 seconds: 100 advances, a refresh a second, the start and the end.
		if screen.writes < 90 || screen.writes > 113 {
			t.Errorf("%d drawings in 10 s, want 10 a second", screen.writes)
		}
	})
}

// A file gets the lines of cells, and a log line a minute that says where the run
// and the stage are, also when nothing advances.
func TestProgressInFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out, log bytes.Buffer
		p := newProgress(&out, nil, slog.New(slog.NewTextHandler(&log, nil)))
		play(p, func() {})
		p.Start("compile", 0)
		time.Sleep(150 * time.Second)
		p.Finish()
		p.close()
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		want := []string{ // at 60, 120, 180, 240 and 300 s; all ends at 350.5 s
			"cell=" + cellKey(0).Path() + " cells=0/4 stage=train done=59/100 note=",
			"cell=" + cellKey(1).Path() + " cells=1/4 stage=train done=19/100 note=",
			"cell=" + cellKey(1).Path() + " cells=1/4 stage=train done=79/100 note=",
			`cell="" cells=2/4 stage=compile done=0/0`,
			`cell="" cells=2/4 stage=compile done=0/0`,
		}
		if len(lines) != len(want) {
			t.Fatalf("%d lines:\n%s", len(lines), log.String())
		}
		for i, line := range lines {
			if !strings.Contains(line, want[i]) {
				t.Errorf("line %d: %s\nwant %s", i+1, line, want[i])
			}
		}
		if strings.ContainsAny(out.String(), "\r\x1b%") || strings.Count(out.String(), "\n") != 2 {
			t.Errorf("the file has %q", out.String())
		}
	})
}

// Lines are drawn over whole, by shorter and by fewer ones, and text goes above them.
func TestScreen(t *testing.T) {
	terminal := newEmulator(t, 20)
	s := &playing(terminal).screen
	for i, tt := range []struct {
		does func()
		want string
	}{
		{func() { s.draw([]string{"first line", "second line"}) }, "first line|second line"},
		{func() { s.draw([]string{"1", "2"}) }, "1|2"},
		{func() { _, _ = s.Write([]byte("a log line\n")) }, "a log line|1|2"},
		{func() { s.draw([]string{"3"}) }, "a log line|3"},
		{func() { s.draw([]string{"4", "5"}) }, "a log line|4|5"},
		{func() { _, _ = s.Write([]byte("a log line that is wrapped\n")) }, "a log line|a log line that is w|rapped|4|5"},
		{func() { s.draw(nil) }, "a log line|a log line that is w|rapped"},
		{func() { _, _ = s.Write([]byte("the end\n")) }, "a log line|a log line that is w|rapped|the end"},
	} {
		tt.does()
		if got := strings.Join(terminal.text(), "|"); got != tt.want {
			t.Errorf("after %d: %s\nwant %s", i+1, got, tt.want)
		}
	}
}

// The time goes on, and the size of the terminal is followed, while a stage says
// nothing.
func TestProgressWithoutAdvance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		terminal := newEmulator(t, 80)
		p := newProgress(nil, &playing(terminal).screen, slog.New(slog.DiscardHandler))
		p.Start("compile x", 0)
		time.Sleep(5500 * time.Millisecond)
		if got := terminal.text(); !slices.Equal(got, []string{"| (0/-) compile, 5s, x"}) {
			t.Errorf("after 5.5 s: %q", got)
		}
		terminal.resize(16, true)
		time.Sleep(time.Second)
		if got := terminal.text(); !slices.Equal(got, []string{"| (0/-) compil…"}) {
			t.Errorf("a second after the resize: %q", got)
		}
		p.close()
		if got := terminal.text(); len(got) > 0 {
			t.Errorf("left: %q", got)
		}
	})
}
