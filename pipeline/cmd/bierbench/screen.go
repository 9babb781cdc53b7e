package main

import (
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// A screen is a terminal whose last lines are drawn again and again. What is written to it appears
// above these lines.
//
// Between two drawings the cursor stays in the first column of the first line. So the next drawing
// begins at the right place even where the terminal became narrower and has wrapped the lines,
// whether or not it moves text when its size changes.
type screen struct {
	out  io.Writer
	size func() (columns, rows int)

	mu    sync.Mutex
	lines []string // as drawn; none of them is wrapped
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

// Write puts whole lines above the drawn ones.
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
		for i, line := range s.lines { // the terminal may have become narrower
			s.lines[i] = fitColumns(line, columns-1)
		}
		b.WriteString(drawSequence(s.lines))
	}
	if _, err := io.WriteString(s.out, b.String()); err != nil {
		return 0, err
	}
	return len(text), nil
}

// draw replaces the drawn lines.
func (s *screen) draw(lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(lines) == 0 && len(s.lines) == 0 {
		return
	}
	s.lines = lines
	_, _ = io.WriteString(s.out, drawSequence(lines)) // the command goes on without bars
}

// Control sequences, ECMA-48.
const (
	eraseLine  = "\x1b[K" // from the cursor to the end of the line
	eraseBelow = "\x1b[J" // from the cursor to the end of the screen
)

// drawSequence returns the text that draws lines from the cursor on and moves the cursor back.
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

// barLine returns a line with a bar, a count and as many words as fit. The last column stays free,
// because some terminals wrap there.
func barLine(at position, words []string, columns int) string {
	total := at.total
	if total <= 0 {
		total = -1 // unknown
	}
	var said []string
	for _, w := range words {
		if w != "" {
			said = append(said, w)
		}
	}
	b := progressbar.NewOptions(total,
		progressbar.OptionSetWriter(io.Discard), // its text is read instead
		progressbar.OptionSetWidth(min(columns/8, 20)),
		progressbar.OptionShowCount(),
		progressbar.OptionSetSpinnerChangeInterval(0), // otherwise a bar of unknown length starts a goroutine
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

// fitColumns cuts a line that is too wide.
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

// printable replaces control characters, which a terminal would obey.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, line)
}

// escaped writes control characters, and those that turn the direction of text, as Go does in strings:
// \x1b, \u202e. Line breaks and tabs stay.
func escaped(text string) string {
	hidden := func(r rune) bool {
		return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == utf8.RuneError)
	}
	if !strings.ContainsFunc(text, hidden) {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		if !hidden(r) {
			b.WriteRune(r)
			continue
		}
		_, size := utf8.DecodeRuneInString(text[i:])
		quoted := strconv.QuoteToASCII(text[i : i+size])
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}
