package datasets

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// rawFiles is a data set's folder in memory: slash path -> content.
type rawFiles map[string]string

// write puts the files into a new folder.
func (f rawFiles) write(tb testing.TB) string {
	tb.Helper()
	root := tb.TempDir()
	for name, text := range f {
		full := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	return root
}

// line replaces a line, counted from 1; without new ones it takes it out.
func (f rawFiles) line(name string, n int, now ...string) {
	lines := strings.Split(f[name], "\n")
	f[name] = strings.Join(append(append(append([]string(nil), lines[:n-1]...), now...), lines[n:]...), "\n")
}

// head keeps the first n lines.
func (f rawFiles) head(name string, n int) {
	f[name] = strings.Join(strings.SplitAfter(f[name], "\n")[:n], "")
}

// each changes every line.
func (f rawFiles) each(name string, change func(line string) string) {
	lines := strings.Split(strings.TrimSuffix(f[name], "\n"), "\n")
	for i := range lines {
		lines[i] = change(lines[i])
	}
	f[name] = strings.Join(lines, "\n") + "\n"
}

// badLists is a change to good lists and the error that it must give.
type badLists struct {
	change func(rawFiles)
	want   string // a part of the error
}

// refuses reads changed copies of good lists.
func refuses(t *testing.T, name, custom string, good rawFiles, tests map[string]badLists) {
	t.Helper()
	set, err := Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	for title, tt := range tests {
		t.Run(title, func(t *testing.T) {
			files := maps.Clone(good)
			tt.change(files)
			root := files.write(t)
			layout, err := readFolder(t.Context(), set, root, custom)
			if err == nil {
				t.Fatalf("read %d rows, want an error with %q", len(layout.Rows), tt.want)
			}
			message := strings.ReplaceAll(err.Error(), root+string(filepath.Separator), "")
			if !strings.Contains(message, tt.want) {
				t.Errorf("got  %s\nwant %s", message, tt.want)
			}
			var format *FormatError
			if errors.As(err, &format) && !strings.HasPrefix(format.File, root) {
				t.Errorf("file %s is not in %s", format.File, root)
			}
		})
	}
}

// read reads lists that must be good.
func (f rawFiles) read(t *testing.T, name, custom string) *Layout {
	t.Helper()
	set, err := Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	layout, err := readFolder(t.Context(), set, f.write(t), custom)
	if err != nil {
		t.Fatal(err)
	}
	return layout
}

// splits counts the rows of each split.
func (l *Layout) splits() map[Split]int {
	counts := map[Split]int{}
	for _, row := range l.Rows {
		counts[row.Split]++
	}
	return counts
}

// carriage gives every line of every text list a CRLF end.
func carriage(f rawFiles) rawFiles {
	now := rawFiles{}
	for name, text := range f {
		if strings.HasSuffix(name, ".txt") {
			text = strings.ReplaceAll(text, "\n", "\r\n")
		}
		now[name] = text
	}
	return now
}

// unended takes the last line end from every text list.
func unended(f rawFiles) rawFiles {
	now := rawFiles{}
	for name, text := range f {
		if strings.HasSuffix(name, ".txt") {
			text = strings.TrimSuffix(text, "\n")
		}
		now[name] = text
	}
	return now
}

// lineEnds reads the lists with other line ends: the same rows come out.
func lineEnds(t *testing.T, name string, good rawFiles) {
	t.Helper()
	want := good.read(t, name, "test")
	trailing := maps.Clone(good)
	for file, text := range trailing {
		if strings.HasSuffix(file, ".txt") {
			trailing[file] = text + "\n\n"
		}
	}
	windows, blanks := carriage(good), maps.Clone(good)
	for file, text := range good {
		if strings.HasSuffix(file, ".txt") {
			windows[file] = byteOrderMark + windows[file]
			blanks[file] = strings.ReplaceAll(text, "\n", " \t\n")
		}
	}
	for title, files := range map[string]rawFiles{
		"CRLF": carriage(good), "no final newline": unended(good), "CRLF without the last": unended(carriage(good)), "empty lines at the end": trailing,
		"byte order mark": windows, "blanks at the ends": blanks,
	} {
		got := files.read(t, name, "test")
		if len(got.Rows) != len(want.Rows) {
			t.Fatalf("%s: %d rows, want %d", title, len(got.Rows), len(want.Rows))
		}
		for i := range got.Rows {
			a, b := got.Rows[i], want.Rows[i]
			a.Box, b.Box = nil, nil
			if a != b {
				t.Fatalf("%s: row %d: got %+v, want %+v", title, i, a, b)
			}
		}
	}
}

// missingList reads a folder without one of its lists.
func missingList(t *testing.T, name string, good rawFiles, list string) {
	t.Helper()
	files := maps.Clone(good)
	delete(files, list)
	set, err := Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	_, err = readFolder(t.Context(), set, files.write(t), "test")
	if err == nil || !strings.Contains(err.Error(), list) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without %s: got %v", list, err)
	}
}

func TestListReader(t *testing.T) {
	long := strings.Repeat("x", maxLineBytes+1)
	tests := map[string]struct {
		text  string
		lines []string
		want  string // error
	}{
		"LF":                        {"a\nb\n", []string{"1 a", "2 b"}, ""},
		"CRLF":                      {"a\r\nb\r\n", []string{"1 a", "2 b"}, ""},
		"no final newline":          {"a\nb", []string{"1 a", "2 b"}, ""},
		"empty lines at the end":    {"a\n\n\r\n", []string{"1 a"}, ""},
		"empty line between":        {"a\n\nb\n", []string{"1 a"}, "list.txt:2: empty line"},
		"empty file":                {"", nil, "list.txt:1: list is empty"},
		"only empty lines":          {"\n\n", nil, "list.txt:1: list is empty"},
		"NUL":                       {"a\nb\x00c\n", []string{"1 a"}, `list.txt:2: not a line of UTF-8 text: "b\x00c"`},
		"escape sequence":           {"\x1b[2J\n", nil, "list.txt:1: not a line"},
		"eight-bit escape":          {"a\u009b2J\n", nil, "list.txt:1: not a line"},
		"Latin-1":                   {"a\xe9\n", nil, "list.txt:1: not a line"},
		"old Mac line ends":         {"a\rb\r", nil, "list.txt:1: not a line"},
		"a line that does not end":  {"a\n" + long, []string{"1 a"}, "list.txt:2: line is longer than 4096 bytes"},
		"UTF-8":                     {"大众 1\n", []string{"1 大众 1"}, ""},
		"tabs may part the columns": {"a\tb\n", []string{"1 a\tb"}, ""},
		"byte order mark":           {"\ufeffa\nb\n", []string{"1 a", "2 b"}, ""},
		"nothing but the mark":      {"\ufeff", nil, "list.txt:1: list is empty"},
		"two lists in one":          {"a\n\ufeffb\n", []string{"1 a"}, "list.txt:2: byte order mark inside the list"},
		"UTF-16":                    {"\xff\xfea\x00\n\x00", nil, "list.txt:1: list begins with the byte order mark of UTF-16"},
		"blanks at the end":         {"a \nb\t\r\n", []string{"1 a", "2 b"}, ""},
		"blanks at the start":       {" a\n", []string{"1  a"}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := &listFile{src: folderSource(t, rawFiles{"list.txt": tt.text}.write(t)), name: "list.txt"}
			var lines []string
			sum, err := l.read(t.Context(), func(line int, text string) error {
				lines = append(lines, fmt.Sprint(line, " ", text))
				return nil
			})
			if got := strings.Join(lines, "|"); got != strings.Join(tt.lines, "|") {
				t.Errorf("lines %q, want %q", got, tt.lines)
			}
			if tt.want == "" && (err != nil || len(sum) != 64) || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("sum %q, error %v, want %q", sum, err, tt.want)
			}
		})
	}
}

// The digest of the three bytes "abc" is the first example of FIPS 180-2.
func TestListDigest(t *testing.T) {
	l := &listFile{src: folderSource(t, rawFiles{"list.txt": "abc"}.write(t)), name: "list.txt"}
	sum, err := l.read(t.Context(), func(int, string) error { return nil })
	if want := "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; err != nil || sum != want {
		t.Errorf("got %s, %v, want %s", sum, err, want)
	}
}

func TestBadPath(t *testing.T) {
	for p, bad := range map[string]bool{
		"a.jpg": false, "a/b.jpg": false, "a b/c..d.jpg": false, "..a/b": false,
		"": true, ".": true, "/a.jpg": true, "../a.jpg": true, "a/../../b.jpg": true, "a/..": true, "..": true,
		`a\b.jpg`: true, `..\a.jpg`: true, "a\x00b": true, "a//b": true, "./a": true, "a/": true,
	} {
		if why := badPath(p); (why != "") != bad {
			t.Errorf("%q: %q, want bad = %v", p, why, bad)
		}
	}
}
