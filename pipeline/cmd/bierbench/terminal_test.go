package main

import (
	"strconv"
	"strings"
	"testing"

	"github.com/rivo/uniseg"
)

// emulator is what a terminal makes of the bytes written to it: text, \r, \n and the
// control sequences that move up and erase (ECMA-48). Its rows are kept for ever,
// also those that have scrolled away.
type emulator struct {
	t       *testing.T
	columns int
	rows    []row
	y, x    int // the cursor; x may be columns: the next character wraps
	input   string
}

type row struct {
	cells   []string // graphemes, "" for the second column of a wide one
	wrapped bool     // it goes on in the next row
}

func newEmulator(t *testing.T, columns int) *emulator {
	t.Helper()
	return &emulator{t: t, columns: columns, rows: []row{{}}}
}

// Write shows text.
func (e *emulator) Write(text []byte) (int, error) {
	e.input += string(text)
	for e.input != "" {
		rest, ok := e.one(e.input)
		if !ok {
			break // the rest of a sequence comes with the next write
		}
		e.input = rest
	}
	return len(text), nil
}

func (e *emulator) one(s string) (rest string, ok bool) {
	switch s[0] {
	case '\r':
		e.x = 0
		return s[1:], true
	case '\n':
		e.down()
		return s[1:], true
	case 0x1b:
		end := strings.IndexFunc(s, func(r rune) bool { return r >= '@' && r <= '~' && r != '[' })
		if end < 0 {
			return s, false
		}
		e.control(s[2:end], s[end])
		return s[end+1:], true
	}
	grapheme, rest, width, _ := uniseg.FirstGraphemeClusterInString(s, -1)
	if len(rest) == 0 && strings.ContainsRune(grapheme, '\ufffd') {
		return s, false // a cut character
	}
	if e.x+width > e.columns {
		e.rows[e.y].wrapped = true
		e.down()
		e.x = 0
	}
	e.put(grapheme)
	for range width - 1 {
		e.put("")
	}
	return rest, true
}

func (e *emulator) put(grapheme string) {
	cells := &e.rows[e.y].cells
	for len(*cells) <= e.x {
		*cells = append(*cells, " ")
	}
	(*cells)[e.x] = grapheme
	e.x++
}

func (e *emulator) down() {
	e.y++
	if e.y == len(e.rows) {
		e.rows = append(e.rows, row{})
	}
}

func (e *emulator) control(parameter string, command byte) {
	n := 1
	if parameter != "" {
		var err error
		if n, err = strconv.Atoi(parameter); err != nil {
			e.t.Fatalf("control sequence %q %q", parameter, command)
		}
	}
	switch {
	case command == 'A':
		e.y = max(e.y-n, 0)
	case command == 'K' && parameter == "":
		e.erase()
	case command == 'J' && parameter == "":
		e.erase()
		e.rows = e.rows[:e.y+1]
	default:
		e.t.Fatalf("control sequence %q %q is not known here", parameter, command)
	}
}

func (e *emulator) erase() {
	r := &e.rows[e.y]
	r.cells, r.wrapped = r.cells[:min(e.x, len(r.cells))], false
}

// resize makes the terminal wider or narrower. One that reflows wraps its text anew
// and keeps the cursor at its character; the other cuts its rows.
func (e *emulator) resize(columns int, reflow bool) {
	old := e.rows
	e.columns = columns
	if !reflow {
		for i := range old {
			old[i].cells = old[i].cells[:min(len(old[i].cells), columns)]
		}
		e.x = min(e.x, columns)
		return
	}
	e.rows = nil
	y, x := 0, 0
	var line []string
	at := -1 // of the cursor, in line
	for i, r := range old {
		if i == e.y {
			at = len(line) + e.x
		}
		line = append(line, r.cells...)
		if r.wrapped {
			continue
		}
		first := len(e.rows)
		for start := 0; start == 0 || start < len(line); start += columns {
			end := min(start+columns, len(line))
			e.rows = append(e.rows, row{append([]string(nil), line[start:end]...), end < len(line)})
		}
		if at >= 0 {
			y, x = min(first+at/columns, len(e.rows)-1), at%columns
		}
		line, at = nil, -1
	}
	e.y, e.x = y, x
}

// text returns the rows without their trailing spaces; empty ones at the end are
// left out.
func (e *emulator) text() []string {
	var out []string
	for _, r := range e.rows {
		out = append(out, strings.TrimRight(strings.Join(r.cells, ""), " "))
	}
	for len(out) > 0 && out[len(out)-1] == "" {
		out = out[:len(out)-1]
	}
	return out
}

// bars returns the rows that a bar is on.
func (e *emulator) bars() []string {
	var out []string
	for _, line := range e.text() {
		if strings.Contains(line, "% |") {
			out = append(out, line)
		}
	}
	return out
}
