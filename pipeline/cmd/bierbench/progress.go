package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"bierbench/runs"
)

// progress draws a bar on a terminal; elsewhere it logs a line a minute.
type progress struct {
	out    io.Writer
	silent bool
	width  int // columns of the terminal, 0 where there is none
	log    *slog.Logger

	bar    *progressbar.ProgressBar
	stage  string
	total  int
	logged time.Time
}

func newProgress(out io.Writer, silent bool, width int, log *slog.Logger) *progress {
	return &progress{out: out, silent: silent, width: width, log: log}
}

// terminalWidth returns the columns of a terminal, or 0 for any other file.
func terminalWidth(f *os.File) int {
	if !term.IsTerminal(int(f.Fd())) {
		return 0
	}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		return width
	}
	return 80
}

// The columns of a bar beside its words, "100% || (58764/58764) [10m59s:10m59s]",
// and of the bar itself.
const (
	frameColumns = 42
	barColumns   = 8
)

// words describes the stage in what is left of a line: a longer one would be
// wrapped and could not be drawn over.
func (p *progress) words(note string) string {
	stage, room := p.stage, p.width-frameColumns-barColumns
	if len(stage)+1+len(note) > room {
		stage, _, _ = strings.Cut(stage, " ")
	}
	if note == "" {
		return stage
	}
	return stage + " " + note
}

// Cell begins a cell.
func (p *progress) Cell(runs.Key, int, int) {}

// CellEnded reports a cell as it ends.
func (p *progress) CellEnded(cell runs.Cell, number, total int, err error) {
	switch {
	case p.silent:
	case err != nil:
		fmt.Fprintf(p.out, "[%d/%d] failed: %v\n", number, total, err)
	default:
		fmt.Fprintf(p.out, "[%d/%d] %s %s %.1f s\n", number, total, cell.Path(), recalls(cell), cell.Timing["total"])
	}
}

// Start begins a stage.
func (p *progress) Start(stage string, total int) {
	p.stage, p.total, p.logged = stage, total, time.Now()
	if p.silent || p.width == 0 {
		return
	}
	if total <= 0 {
		total = -1
	}
	p.bar = progressbar.NewOptions(total,
		progressbar.OptionSetWriter(p.out),
		progressbar.OptionSetDescription(p.words("")),
		progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetWidth(barColumns),
		progressbar.OptionClearOnFinish(),
	)
}

// Advance shows how far the stage is.
func (p *progress) Advance(done int, note string) {
	switch {
	case p.bar != nil:
		if note != "" {
			p.bar.Describe(p.words(note))
		}
		_ = p.bar.Set(done) // a bar that cannot be drawn is no reason to stop
	case !p.silent && time.Since(p.logged) >= time.Minute:
		p.logged = time.Now()
		p.log.Info("progress", "stage", p.stage, "done", fmt.Sprintf("%d/%d", done, p.total), "note", note)
	}
}

// Finish removes the bar.
func (p *progress) Finish() {
	if p.bar != nil {
		_ = p.bar.Finish() // as above
		p.bar = nil
	}
}
