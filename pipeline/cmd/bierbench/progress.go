package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"bierbench/runs"
)

// The bars are drawn at most every drawEvery, and at least every refreshEvery: the time goes on,
// and the size of the terminal may change. Where there is no terminal, a line is logged every
// logEvery.
const (
	drawEvery    = 100 * time.Millisecond
	refreshEvery = time.Second
	logEvery     = time.Minute
)

// progress draws two bars on a terminal, one for the run and one for its current stage; elsewhere
// it logs a line a minute. A goroutine updates them while a stage says nothing; close ends it.
type progress struct {
	out    io.Writer // for the lines about cells
	screen *screen   // nil where there is no terminal
	log    *slog.Logger

	mu    sync.Mutex
	run   position // number of cells that have ended, of those to do
	cell  string   // path of the current cell
	stage string
	at    position // how far the stage is
	note  string
	first position // how far the stage was at its first advance, which is not 0 where it continues an interrupted one
	drawn time.Time

	stop func() // nil while the goroutine does not run
}

// position is how far something is.
type position struct {
	done, total int
	began       time.Time
}

// newProgress returns a progress on a terminal. Where terminal is nil, it prints lines to out and
// logs.
func newProgress(out io.Writer, terminal *screen, log *slog.Logger) *progress {
	if terminal != nil {
		out = terminal
	}
	return &progress{out: out, screen: terminal, log: log}
}

// Cell begins a cell.
func (p *progress) Cell(k runs.Key, number, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run.began.IsZero() {
		p.run.began = time.Now()
	}
	p.run.done, p.run.total = number-1, total
	p.cell = k.Path()
	p.start()
	p.draw(true)
}

// CellEnded reports a cell as it ends.
func (p *progress) CellEnded(cell runs.Cell, number, total int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	path := p.cell
	if cell.Dataset != "" { // a cell that failed at once may have no record
		path = cell.Path()
	}
	line := fmt.Sprintf("[%d/%d] %s %s %.1f s", number, total, path, recallText(cell), cell.Timing["total"])
	if err != nil {
		line = fmt.Sprintf("[%d/%d] failed: %v", number, total, err)
	}
	fmt.Fprintln(p.out, printable(line))
	p.run.done, p.run.total = number, total
	p.cell = ""
	p.draw(true)
}

// Start begins a stage.
func (p *progress) Start(stage string, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stage, p.note, p.at, p.first = stage, "", position{total: total, began: time.Now()}, position{}
	p.start()
	p.draw(true)
}

// Advance shows how far the stage is.
func (p *progress) Advance(done int, note string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at.done, p.note = done, note
	if p.first.began.IsZero() {
		p.first = position{done: done, began: time.Now()}
	}
	p.draw(false)
}

// Finish removes the stage's bar.
func (p *progress) Finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stage = ""
	p.draw(false)
}

// start starts the goroutine that updates the bars or logs.
func (p *progress) start() {
	if p.stop != nil {
		return
	}
	every := logEvery
	if p.screen != nil {
		every = refreshEvery
	}
	ended := make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
				p.tick()
			}
		}
	})
	p.stop = func() {
		close(ended)
		done.Wait()
	}
}

// tick draws the bars again, or logs a line.
func (p *progress) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.screen != nil {
		p.draw(true)
		return
	}
	if p.stage == "" {
		return
	}
	var words []any
	if p.run.total > 0 {
		words = append(words, "cell", p.cell, "cells", fmt.Sprintf("%d/%d", p.run.done, p.run.total))
	}
	kind, _ := p.words()
	words = append(words, "stage", kind, "done", fmt.Sprintf("%d/%d", p.at.done, p.at.total))
	if p.note != "" {
		words = append(words, "note", p.note)
	}
	p.log.Info("progress", words...)
}

// close ends the goroutine and removes the bars. The next output on the terminal begins at the
// start of a line.
func (p *progress) close() {
	p.mu.Lock()
	stop := p.stop
	p.stop = nil
	p.mu.Unlock()
	if stop != nil {
		stop()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stage, p.run = "", position{}
	if p.screen != nil {
		p.screen.draw(nil)
	}
}

// words splits the name of the stage into its kind and what it is about. A cell that the run's bar
// names already is left out.
func (p *progress) words() (kind, about string) {
	kind, about, _ = strings.Cut(p.stage, " ")
	if about == p.cell {
		about = ""
	}
	return kind, about
}

// draw draws both bars. Unless now is set, it leaves them alone for drawEvery after the last time.
func (p *progress) draw(now bool) {
	if p.screen == nil || (!now && time.Since(p.drawn) < drawEvery) {
		return
	}
	p.drawn = time.Now()
	columns, rows := p.screen.size()
	var lines []string
	if p.run.total > 0 {
		elapsed := time.Since(p.run.began)
		words := []string{"cells, " + formatSeconds(elapsed)}
		if p.run.done > 0 { // by this process or by others that work on the run
			left := elapsed / time.Duration(p.run.done) * time.Duration(p.run.total-p.run.done)
			words = append(words, "about "+formatSeconds(left)+" left")
		}
		lines = append(lines, barLine(p.run, append(words, p.cell), columns))
	}
	if p.stage != "" {
		kind, about := p.words()
		words := []string{kind, p.note, formatSeconds(time.Since(p.at.began))}
		if taken := p.at.done - p.first.done; taken > 0 && p.at.total > p.at.done {
			left := time.Since(p.first.began) * time.Duration(p.at.total-p.at.done) / time.Duration(taken)
			words = append(words, formatSeconds(left)+" left")
		}
		lines = append(lines, barLine(p.at, append(words, about), columns))
	}
	if len(lines) > 1 && rows < 3 {
		lines = lines[1:] // the terminal has no room for two
	}
	p.screen.draw(lines)
}

// formatSeconds returns a duration in whole seconds, as 1m5s.
func formatSeconds(d time.Duration) string { return d.Round(time.Second).String() }
