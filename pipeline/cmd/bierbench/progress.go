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

// How often the bars are drawn at most, how often they are drawn though nothing
// has advanced (the time goes on and the terminal may have another size), and how
// often a line is logged where there is no terminal.
const (
	drawEvery    = 100 * time.Millisecond
	refreshEvery = time.Second
	logEvery     = time.Minute
)

// progress draws two bars on a terminal, one for the run and one for the stage at
// hand; elsewhere it logs a line a minute. A goroutine keeps both alive while a
// stage says nothing; close ends it.
type progress struct {
	out    io.Writer // of the lines about cells
	screen *screen   // nil where there is no terminal
	log    *slog.Logger

	mu    sync.Mutex
	run   position // cells that ended, of those to do
	cell  string   // path of the cell at hand
	stage string
	at    position // of the stage
	note  string
	first position // where the stage was at its first advance: it may continue one that was interrupted
	drawn time.Time

	stop func() // nil while the goroutine does not run
}

// position is how far something is.
type position struct {
	done, total int
	began       time.Time
}

// newProgress reports to a terminal, or where screen is nil to a log and a file.
func newProgress(out io.Writer, screen *screen, log *slog.Logger) *progress {
	if screen != nil {
		out = screen
	}
	return &progress{out: out, screen: screen, log: log}
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

// Finish takes the stage's bar away.
func (p *progress) Finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stage = ""
	p.draw(false)
}

// start begins to keep the bars or the log alive.
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

// close ends the goroutine and takes the bars away. What comes after it on the
// terminal stands at the beginning of a line.
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

// words splits the stage into its kind and what it is about: a cell that is in the
// run's line already is left out.
func (p *progress) words() (kind, about string) {
	kind, about, _ = strings.Cut(p.stage, " ")
	if about == p.cell {
		about = ""
	}
	return kind, about
}

// draw shows both lines, unless they were shown a moment ago and may wait.
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
		if p.run.done > 0 { // by this process or by others that share the run
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
		lines = lines[1:] // no room to go up and down
	}
	p.screen.draw(lines)
}

// formatSeconds writes a duration as 1m5s.
func formatSeconds(d time.Duration) string { return d.Round(time.Second).String() }
