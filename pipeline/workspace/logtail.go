package workspace

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// tailLines is the number of log lines in the record of a failed cell.
const tailLines = 20

// logTail is a writer that keeps the last lines of a log.
type logTail struct {
	lock  sync.Mutex
	lines []string
}

// reset forgets the lines: a cell begins.
func (t *logTail) reset() {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.lines = nil
}

// last returns the lines since reset, at most tailLines.
func (t *logTail) last() []string {
	t.lock.Lock()
	defer t.lock.Unlock()
	return slices.Clone(t.lines)
}

// Write keeps one line.
func (t *logTail) Write(line []byte) (int, error) {
	t.lock.Lock()
	defer t.lock.Unlock()
	t.lines = append(t.lines, strings.TrimSuffix(string(line), "\n"))
	if len(t.lines) > tailLines {
		t.lines = t.lines[1:]
	}
	return len(line), nil
}

// ForgetLog forgets the log so far: a cell begins.
func (w *Workspace) ForgetLog() { w.tail.reset() }

// LastLog returns the last lines that were logged at info and above since ForgetLog, at most
// tailLines.
func (w *Workspace) LastLog() []string { return w.tail.last() }

// tee is a handler that hands every record to two others. Each of them has a level of its own.
type tee struct{ shown, kept slog.Handler }

// newTee returns a handler that shows records by one handler and keeps those at info and above in a
// tail.
func newTee(shown slog.Handler, tail *logTail) tee {
	return tee{shown, slog.NewTextHandler(tail, &slog.HandlerOptions{Level: slog.LevelInfo})}
}

// Enabled reports whether one of the two handlers wants records of a level.
func (t tee) Enabled(ctx context.Context, level slog.Level) bool {
	return t.shown.Enabled(ctx, level) || t.kept.Enabled(ctx, level)
}

// Handle hands a record to both.
func (t tee) Handle(ctx context.Context, r slog.Record) error {
	var errs [2]error
	for i, h := range []slog.Handler{t.shown, t.kept} {
		if h.Enabled(ctx, r.Level) {
			errs[i] = h.Handle(ctx, r.Clone())
		}
	}
	return errors.Join(errs[0], errs[1])
}

// WithAttrs adds attributes to both.
func (t tee) WithAttrs(attrs []slog.Attr) slog.Handler {
	return tee{t.shown.WithAttrs(attrs), t.kept.WithAttrs(attrs)}
}

// WithGroup begins a group in both.
func (t tee) WithGroup(name string) slog.Handler {
	return tee{t.shown.WithGroup(name), t.kept.WithGroup(name)}
}
