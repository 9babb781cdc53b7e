package main

import (
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"unicode"

	"github.com/rivo/uniseg"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// screen is a terminal whose last lines are drawn over. What is written to it
// appears above them.
//
// Between two drawings the cursor rests at the first column of the first of them.
// So the next drawing begins at the right place even where the terminal was made
// narrower and has wrapped them since, whether or not it moves text when its size
// changes.
type screen struct {
	out  io.Writer
	size func() (columns, rows int)

	mu    sync.Mutex
	lines []string // that are drawn, none of them wrapped
}

// newScreen returns the screen of a terminal, nil for any other file.
func newScreen(f *os.File) *screen {
	if !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return &screen{out: f, size: func() (int, int) {
		columns, rows, err := term.GetSize(int(f.Fd()))
		if err != nil || columns <= 0 || rows <= 0 {
			return 80, 24
		}
		return columns, rows
	}}
}

// Write puts whole lines above those that are drawn over.
func (s *screen) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	if len(s.lines) > 0 {
		b.WriteString("\r" + eraseBelow)
	}
	b.Write(text)
	if len(s.lines) > 0 {
		columns, _ := s.size()
		for i, line := range s.lines { // it may have become narrower
			s.lines[i] = fitColumns(line, columns-1)
		}
		b.WriteString(drawSequence(s.lines))
	}
	if _, err := io.WriteString(s.out, b.String()); err != nil {
		return 0, err
	}
	return len(text), nil
}

// draw puts lines in the place of those drawn before.
func (s *screen) draw(lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(lines) == 0 && len(s.lines) == 0 {
		return
	}
	s.lines = lines
	_, _ = io.WriteString(s.out, drawSequence(lines)) // bars that cannot be drawn are no reason to stop
}

// Control sequences, ECMA-48.
const (
	eraseLine  = "\x1b[K" // from the cursor to the end of the line
	eraseBelow = "\x1b[J" // from the cursor to the end of the screen
)

// drawSequence is what draws lines from the cursor on and brings it back.
func drawSequence(lines []string) string {
	if len(lines) == 0 {
		return "\r" + eraseBelow
	}
	s := "\r" + strings.Join(lines, eraseLine+"\r\n") + eraseBelow + "\r"
	if up := len(lines) - 1; up > 0 {
		s += "\x1b[" + strconv.Itoa(up) + "A"
	}
	return s
}

// barLine is one line: a bar, a count and words, as many as fit. It leaves the last
// column free, where some terminals wrap already.
func barLine(at position, words []string, columns int) string {
	total := at.total
	if total <= 0 {
		total = -1 // not known
	}
	var said []string
	for _, w := range words {
		if w != "" {
			said = append(said, w)
		}
	}
	b := progressbar.NewOptions(total,
		progressbar.OptionSetWriter(io.Discard), // its text is taken instead
		progressbar.OptionSetWidth(min(columns/8, 20)),
		progressbar.OptionShowCount(),
		progressbar.OptionSetSpinnerChangeInterval(0), // else a bar of unknown length starts a goroutine
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionShowDescriptionAtLineEnd(),
		progressbar.OptionSetDescription(strings.Join(said, ", ")),
	)
	if total > 0 {
		_ = b.Set(min(at.done, total)) // writing to io.Discard does not fail
	} else {
		_ = b.Set(at.done)
	}
	text := strings.TrimRight(strings.TrimPrefix(b.String(), "\r"), " ")
	text = strings.TrimPrefix(text, " ") // "  5% |" is enough
	return fitColumns(printable(text), columns-1)
}

// fitColumns cuts a line that is wider than some columns.
func fitColumns(line string, columns int) string {
	if uniseg.StringWidth(line) <= columns {
		return line
	}
	var b strings.Builder
	width := 0
	for g := uniseg.NewGraphemes(line); g.Next(); {
		if width += g.Width(); width >= columns {
			break
		}
		b.WriteString(g.Str())
	}
	if columns > 0 {
		b.WriteString("…")
	}
	return b.String()
}

// printable replaces what a terminal would take as a command.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, line)
}
