package datasets

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// csvName is the name of the set of tables.
const csvName = "csv"

// csvTable is a table with a row for each image: the columns path and label, and those of
// open-metric-learning that there are.
func csvTable() Set { return ownSet(csvName, "tables of images", readCSV) }

// maxRecordBytes is the length of a row that is still read, with all its columns. A quote that is not
// closed must not take the rest of the file into memory.
const maxRecordBytes = 64 << 10

// A tableReader reads one table.
type tableReader struct {
	path    string // of the table
	images  string // the folder that its paths are relative to
	columns map[string]int
	width   int // number of columns
	rows    []ownRow
	skipped []string // columns that are not used
}

// readCSV reads the table o.Raw, or the one table in the folder o.Raw.
func readCSV(ctx context.Context, o IngestOptions) (*Layout, *Source, error) {
	file, err := tableIn(o.Raw)
	if err != nil {
		return nil, nil, err
	}
	t := &tableReader{path: file, images: o.Images}
	if t.images == "" {
		t.images = filepath.Dir(file)
	}
	if info, failed := os.Stat(t.images); failed != nil || !info.IsDir() {
		return nil, nil, fmt.Errorf("images: %s is not a folder", t.images)
	}
	sum, err := t.read(ctx)
	if err != nil {
		return nil, nil, err
	}
	layout, err := ownLayout(ctx, csvName, o, t.rows)
	if err != nil {
		return nil, nil, err
	}
	layout.Root, layout.Found = t.images, "a table"
	if len(t.skipped) > 0 {
		layout.Found += " (columns that are not used: " + strings.Join(t.skipped, ", ") + ")"
	}
	layout.Lists = append([]List{{Name: filepath.Base(file), SHA256: sum, Rows: len(t.rows)}}, layout.Lists...)
	src, err := OpenSource(ctx, t.images, o.Out, o.FollowLinks)
	return layout, src, err
}

// tableIn returns the table that raw is, or the only one that lies in the folder raw.
func tableIn(raw string) (string, error) {
	info, err := os.Stat(raw)
	if err != nil || !info.IsDir() {
		return raw, err
	}
	entries, err := os.ReadDir(raw)
	if err != nil {
		return "", err
	}
	var found []string
	for _, e := range entries {
		ending := strings.ToLower(filepath.Ext(e.Name()))
		if (ending == ".csv" || ending == ".tsv") && !isHidden(e.Name()) {
			found = append(found, filepath.Join(raw, e.Name()))
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("no .csv or .tsv file in %s", raw)
	case 1:
		return found[0], nil
	}
	return "", fmt.Errorf("there is more than one table: %s; name one of them", strings.Join(found, " and "))
}

// errorf returns a FormatError at a line of the table.
func (t *tableReader) errorf(line int, format string, args ...any) error {
	return &FormatError{File: t.path, Line: line, Msg: fmt.Sprintf(format, args...)}
}

// read reads the table and returns the SHA-256 of the file, hexadecimal. Its first line names the
// columns. Fields are quoted as RFC 4180 says; what divides them is a comma, a semicolon or a tab, as in
// the first line. Lines end in LF or CRLF, and a byte order mark is left out.
func (t *tableReader) read(ctx context.Context) (string, error) {
	f, size, err := openRegular(t.path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if size > maxListBytes {
		return "", t.errorf(0, "table has %d bytes, want at most %d", size, maxListBytes)
	}
	digest := sha256.New()
	limited := &recordLimit{r: io.TeeReader(f, digest)}
	head := make([]byte, 4096)
	n, err := io.ReadFull(limited, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read %s: %w", t.path, err)
	}
	head = head[:n]
	if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) {
		return "", t.errorf(1, "table begins with the byte order mark of UTF-16: save it in UTF-8")
	}
	head = bytes.TrimPrefix(head, []byte(byteOrderMark))
	c := csv.NewReader(io.MultiReader(bytes.NewReader(head), limited))
	c.Comma, c.ReuseRecord = divider(head), true
	line := 0
	for first := true; ; first = false {
		limited.seen = 0
		record, err := c.Read()
		switch {
		case errors.Is(err, io.EOF):
			return t.end(digest.Sum(nil))
		case errors.Is(err, errLongRecord):
			return "", t.errorf(line+1, "row is longer than %d bytes: is a quote not closed?", maxRecordBytes)
		case err != nil:
			return "", t.parseError(err)
		}
		line, _ = c.FieldPos(0)
		for _, field := range record {
			if !utf8.ValidString(field) || strings.ContainsFunc(field, isControl) {
				return "", t.errorf(line, "not text in UTF-8 without control characters: %s", quote(field))
			}
		}
		if first {
			err = t.header(line, record)
		} else {
			err = t.row(line, record)
		}
		if err != nil {
			return "", err
		}
		if len(t.rows)%4096 == 0 && ctx.Err() != nil {
			return "", ctx.Err()
		}
	}
}

// end returns the digest of a table that was read to its end, hexadecimal.
func (t *tableReader) end(sum []byte) (string, error) {
	if t.columns == nil {
		return "", t.errorf(1, "table is empty")
	}
	if len(t.rows) == 0 {
		return "", t.errorf(1, "table has no row below the names of its columns")
	}
	return hex.EncodeToString(sum), nil
}

// divider returns what divides the fields: of comma, semicolon and tab the one that comes first in the
// first line.
func divider(head []byte) rune {
	line, _, _ := bytes.Cut(head, []byte("\n"))
	if at := bytes.IndexAny(line, ",;\t"); at >= 0 {
		return rune(line[at])
	}
	return ','
}

// parseError returns an error of the CSV reader with the file's name.
func (t *tableReader) parseError(err error) error {
	if p, ok := errors.AsType[*csv.ParseError](err); ok {
		if errors.Is(err, csv.ErrFieldCount) {
			return t.errorf(p.Line, "want %d columns as in the first line", t.width)
		}
		return t.errorf(p.Line, "column %d: %v", p.Column, p.Err)
	}
	return fmt.Errorf("read %s: %w", t.path, err)
}

// columnNames are the columns that are read; path and label must be there.
func columnNames() []string {
	return []string{"path", "label", "split", "is_query", "is_gallery", "category", "x_1", "y_1", "x_2", "y_2", "id"}
}

// header reads the names of the columns.
func (t *tableReader) header(line int, names []string) error {
	t.columns, t.width = map[string]int{}, len(names)
	for i, name := range names {
		name = strings.TrimSpace(name)
		if _, twice := t.columns[name]; twice && name != "" {
			return t.errorf(line, "column %s is there twice", quote(name))
		}
		t.columns[name] = i
		if !slices.Contains(columnNames(), name) && name != "" {
			t.skipped = append(t.skipped, name)
		}
	}
	for _, must := range columnNames()[:2] {
		if _, there := t.columns[must]; !there {
			return t.errorf(line, "want the names of columns in the first line, path and label among them (see \"datasets/README.md\"), got %s",
				quote(strings.Join(names, ",")))
		}
	}
	const most = 8
	if n := len(t.skipped); n > most {
		t.skipped = append(t.skipped[:most], fmt.Sprintf("and %d more", n-most))
	}
	return nil
}

// row reads a row below the header.
func (t *tableReader) row(line int, record []string) error {
	field := func(name string) string {
		if i, there := t.columns[name]; there {
			return strings.Clone(strings.TrimSpace(record[i])) // record is part of one text
		}
		return ""
	}
	file, err := t.imagePath(line, field("path"))
	if err != nil {
		return err
	}
	r := ownRow{place: fmt.Sprintf("%s:%d", filepath.Base(t.path), line), file: file, name: file, number: -1}
	f := ownFields{
		label: field("label"), split: field("split"), isQuery: field("is_query"), isGallery: field("is_gallery"),
		category: field("category"), id: field("id"), corners: [4]string{field("x_1"), field("y_1"), field("x_2"), field("y_2")},
	}
	if _, there := t.columns["id"]; there && f.id == "" {
		return t.errorf(line, "the image has no id")
	}
	if err = f.fill(&r); err != nil {
		return err
	}
	t.rows = append(t.rows, r)
	return nil
}

// imagePath returns the path of an image below the images' folder.
func (t *tableReader) imagePath(line int, text string) (string, error) {
	file := strings.TrimPrefix(text, "./")
	if filepath.IsAbs(file) {
		root, err := filepath.Abs(t.images)
		if err != nil {
			return "", err
		}
		below, err := filepath.Rel(root, file)
		if err != nil || !filepath.IsLocal(below) {
			return "", t.errorf(line, "path %s lies outside %s; --images names the folder that paths are relative to", quote(text), t.images)
		}
		file = filepath.ToSlash(below)
	}
	if why := badPath(file); why != "" {
		return "", t.errorf(line, "path %s %s", quote(text), why)
	}
	return file, nil
}

// errLongRecord is the error of a row that is too long.
var errLongRecord = errors.New("row is too long")

// A recordLimit ends reading where more than maxRecordBytes, and what a reader holds in advance, were
// read since seen was set to 0.
type recordLimit struct {
	r    io.Reader
	seen int
}

// Read reads up to a few kilobytes.
func (l *recordLimit) Read(p []byte) (int, error) {
	if l.seen > maxRecordBytes {
		return 0, errLongRecord
	}
	n, err := l.r.Read(p[:min(len(p), 4096)])
	l.seen += n
	return n, err
}
