package main

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress draws a bar on a terminal; elsewhere it logs a line a minute.
type progress struct {
	out    io.Writer
	silent bool
	tty    bool
	log    *slog.Logger

	bar    *progressbar.ProgressBar
	stage  string
	total  int
	logged time.Time
}

func newProgress(out io.Writer, silent, tty bool, log *slog.Logger) *progress {
	return &progress{out: out, silent: silent, tty: tty, log: log}
}

// Start begins a stage.
func (p *progress) Start(stage string, total int) {
	p.stage, p.total, p.logged = stage, total, time.Now()
	if p.silent || !p.tty {
		return
	}
	if total <= 0 {
		total = -1
	}
	p.bar = progressbar.NewOptions(total,
		progressbar.OptionSetWriter(p.out),
		progressbar.OptionSetDescription(stage),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetWidth(24),
		progressbar.OptionClearOnFinish(),
	)
}

// Advance shows how far the stage is.
func (p *progress) Advance(done int, note string) {
	switch {
	case p.bar != nil:
		if note != "" {
			p.bar.Describe(p.stage + " " + note)
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
