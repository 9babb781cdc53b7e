package datasets

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The length of a line and of a list that is still read, in bytes. The longest published line has
// 95 bytes, the largest published list 5 MB.
const (
	maxLineBytes = 4 << 10
	maxListBytes = 256 << 20
)

// listFile is one text list of a data set.
type listFile struct {
	src  *Source
	name string // in src
	last int    // number of the last line read that is not empty
}

// path returns the file's place on disk.
func (l *listFile) path() string { return l.src.Path(l.name) }

// place returns "file:line", relative to the data set's folder.
func (l *listFile) place(line int) string { return l.name + ":" + strconv.Itoa(line) }

// errorf returns a FormatError at a line of the list.
func (l *listFile) errorf(line int, format string, args ...any) error {
	return &FormatError{File: l.path(), Line: line, Msg: fmt.Sprintf(format, args...)}
}

// byteOrderMark is what editors for Windows put before the first line of a text in UTF-8.
const byteOrderMark = "\ufeff"

// read calls row with each line, without its line end, and returns the SHA-256 of the whole file,
// hexadecimal. Lines end in LF or CRLF; the last one may lack its end, and empty lines may follow
// it. A byte order mark before the first line and blanks at the end of a line are left out.
func (l *listFile) read(ctx context.Context, row func(line int, text string) error) (string, error) {
	l.name = l.src.resolve(l.name)
	f, _, err := l.src.Open(l.name)
	if err != nil {
		return "", fmt.Errorf("read list: %w", err)
	}
	defer f.Close()
	digest := sha256.New()
	const chunkBytes = 256 << 10
	scanner := bufio.NewScanner(bufio.NewReaderSize(io.TeeReader(io.LimitReader(f, maxListBytes+1), digest), chunkBytes))
	scanner.Buffer(nil, maxLineBytes) // also refuses a longer line
	line, size := 0, 0
	for scanner.Scan() {
		line++
		size += len(scanner.Bytes()) + 1
		if size > maxListBytes {
			return "", l.errorf(line, "list is longer than %d bytes", maxListBytes)
		}
		if line%4096 == 0 && ctx.Err() != nil {
			return "", ctx.Err()
		}
		text := scanner.Text()
		if line == 1 {
			if strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff") {
				return "", l.errorf(line, "list begins with the byte order mark of UTF-16: save it in UTF-8")
			}
			text = strings.TrimPrefix(text, byteOrderMark)
		}
		text = strings.TrimRight(text, " \t")
		if text == "" {
			continue
		}
		if line != l.last+1 {
			return "", l.errorf(l.last+1, "empty line, want a row")
		}
		if strings.Contains(text, byteOrderMark) {
			return "", l.errorf(line, "byte order mark inside the list: %s", quote(text))
		}
		if !utf8.ValidString(text) || strings.ContainsFunc(text, isControl) {
			return "", l.errorf(line, "not a line of UTF-8 text: %s", quote(text))
		}
		l.last = line
		if err := row(line, text); err != nil {
			return "", err
		}
	}
	if errors.Is(scanner.Err(), bufio.ErrTooLong) {
		return "", l.errorf(line+1, "line is longer than %d bytes", maxLineBytes)
	}
	if err := scanner.Err(); err != nil {
		return "", fmt.Errorf("read list %s: %w", l.path(), err)
	}
	if l.last == 0 {
		return "", l.errorf(1, "list is empty")
	}
	return hex.EncodeToString(digest.Sum(nil)), ctx.Err()
}

// isControl reports whether r must not be part of a line: a terminal would obey it.
func isControl(r rune) bool { return r != '\t' && unicode.IsControl(r) }

// readNumbered reads a list of "<id> <rest>" lines whose ids count up from 1.
func (l *listFile) readNumbered(ctx context.Context, what string, row func(line, id int, rest string) error) (List, error) {
	rows := 0
	sum, err := l.read(ctx, func(line int, text string) error {
		head, rest, ok := strings.Cut(text, " ")
		id, valid := parseNumber(head)
		if !ok || !valid || rest == "" || rest != strings.TrimSpace(rest) {
			return l.errorf(line, `want "<id> %s" with one space between, got %s`, what, quote(text))
		}
		rows++
		switch {
		case id < rows && id > 0:
			return l.errorf(line, "id %d is listed twice, want id %d", id, rows)
		case id != rows:
			return l.errorf(line, "ids count up from 1, want id %d, got %d", rows, id)
		}
		return row(line, id, rest)
	})
	return List{Name: l.name, SHA256: sum, Rows: rows}, err
}

// wantRows checks the number of rows of a list against the published one. head is the number of
// lines before the first row.
func (l *listFile) wantRows(got, want, head int, title string) error {
	const hint = "a list of another set in this layout needs --custom NAME"
	switch {
	case got < want:
		return l.errorf(l.last, "list ends after %d rows, want the %d of %s (%s)", got, want, title, hint)
	case got > want:
		return l.errorf(head+want+1, "list goes on after %d rows to %d, want the %d of %s (%s)", want, got, want, title, hint)
	}
	return nil
}

// wantCount returns the error of a count that differs from the published one.
func (l *listFile) wantCount(line int, what string, got, want int, title string) error {
	return l.errorf(line, "%s: want %d as in %s, got %d", what, want, title, got)
}

// needLists checks that the lists exist. Its error names all that do not.
func needLists(title string, src *Source, names ...string) error {
	var missing []string
	for _, name := range names {
		info, err := src.Stat(src.resolve(name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, name)
		case err != nil:
			return fmt.Errorf("look for the lists of %s: %w", title, err)
		case !info.Mode().IsRegular():
			return fmt.Errorf("look for the lists of %s: %s in %s is not a file", title, name, src.Name())
		}
	}
	if len(missing) == 0 {
		return nil
	}
	verb := "is"
	if len(missing) > 1 {
		verb = "are"
	}
	return fmt.Errorf("%s in %s: %s %s missing: %w", title, src.Name(), strings.Join(missing, ", "), verb, fs.ErrNotExist)
}

// firstFile returns the first of the names that is a file, as it is written in the source, or "". A link
// that leads out of the data set's folder counts: to open it says what it is.
func firstFile(src *Source, names ...string) string {
	for _, name := range names {
		name = src.resolve(name)
		info, err := src.Stat(name)
		_, link := errors.AsType[*linkError](err)
		if err == nil && info.Mode().IsRegular() || link {
			return name
		}
	}
	return ""
}

// optionalFile is firstFile for a list that may be missing; what is in its place and no file is an error.
func optionalFile(title string, src *Source, names ...string) (string, error) {
	for _, name := range names {
		err := needLists(title, src, name)
		if !errors.Is(err, fs.ErrNotExist) {
			return src.resolve(name), err
		}
	}
	return "", nil
}

// isFolder reports whether a name is a folder.
func isFolder(src *Source, name string) bool {
	info, err := src.Stat(name)
	return err == nil && info.IsDir()
}

// parseNumber reads a decimal number of at most 31 bits; leading zeros are allowed.
func parseNumber(text string) (int, bool) {
	n, err := strconv.ParseUint(text, 10, 31)
	return int(n), err == nil
}

// badPath says why a path in a list does not lead to a file below the data set's folder; "" for a
// good path.
func badPath(p string) string {
	if fs.ValidPath(p) && p != "." && !strings.ContainsAny(p, "\\\x00") {
		return ""
	}
	switch {
	case strings.HasPrefix(p, "/"):
		return "is absolute"
	case strings.Contains(p, `\`):
		return "has a backslash"
	case strings.Contains("/"+p+"/", "/../"):
		return "leaves the data set's folder"
	}
	return "is not a clean path"
}

// quote returns text in quotes; a long one is cut.
func quote(text string) string {
	const longest = 100
	if len(text) > longest {
		return strconv.Quote(text[:longest]) + "..."
	}
	return strconv.Quote(text)
}
