package datasets

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
)

// Report is what Verify found.
type Report struct {
	Set      string    `json:"set"`
	Variant  string    `json:"variant"`
	Parts    int       `json:"parts"`
	Images   int       `json:"images"` // number of images that were decoded
	Digest   string    `json:"digest"`
	Problems []Problem `json:"problems"`
}

// Problem is one thing that is wrong with a data set.
type Problem struct {
	Part string `json:"part"`
	Row  int    `json:"row"` // in the part; -1 stands for the whole file
	Msg  string `json:"msg"`
}

// String returns "part: row n: msg".
func (p Problem) String() string {
	if p.Row < 0 {
		return p.Part + ": " + p.Msg
	}
	return fmt.Sprintf("%s: row %d: %s", p.Part, p.Row, p.Msg)
}

// Verify reads the whole data set in dir: it hashes the parts, compares every row with the index,
// decodes every image and counts again. The report has all problems, the error the first ones. The
// report is nil where the data set cannot be opened.
func Verify(ctx context.Context, dir string, progress func(done, total int)) (*Report, error) {
	d, err := Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	v := &verifier{d: d, progress: progress, report: &Report{
		Set: d.Manifest.Set, Variant: d.Manifest.Variant, Parts: len(d.parts), Digest: d.Manifest.Digest, Problems: []Problem{},
	}}
	if err = v.files(dir); err != nil {
		return nil, err
	}
	for i := range d.parts {
		if err = v.part(ctx, i); err != nil {
			return v.report, err
		}
	}
	if n := len(v.report.Problems); n > 0 {
		var b strings.Builder
		fmt.Fprintf(&b, "verify %s: %d problems:", dir, n)
		for _, p := range v.report.Problems[:min(n, 10)] {
			fmt.Fprintf(&b, "\n  %s", p)
		}
		return v.report, fmt.Errorf("%s", b.String())
	}
	return v.report, nil
}

// verifier is the state of a Verify.
type verifier struct {
	d        *Dataset
	report   *Report
	done     int // number of rows
	progress func(done, total int)
}

// problem adds a problem to the report. What a part says is printed, without what a terminal would obey.
func (v *verifier) problem(part string, row int, format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	if strings.ContainsFunc(msg, isControl) {
		msg = strconv.Quote(msg)
	}
	v.report.Problems = append(v.report.Problems, Problem{part, row, msg})
}

// files looks for Arrow files that the manifest does not name.
func (v *verifier) files(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	known := []string{v.d.Manifest.Index.Name}
	for _, p := range v.d.Manifest.Parts {
		known = append(known, p.Name)
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".arrow" && !slices.Contains(known, e.Name()) {
			v.problem(e.Name(), -1, "is not in %s", manifestName)
		}
	}
	return nil
}

// part checks one part: its digest, columns and metadata, and each row with its image. Where the
// digest is wrong, the images are read where the index says that they lie: nothing that the part says
// about itself is believed. Only an error of ctx is returned.
func (v *verifier) part(ctx context.Context, part int) error {
	p, f := v.d.Manifest.Parts[part], v.d.parts[part]
	if err := checkSum(f, p); err != nil {
		v.problem(p.Name, -1, "%s", strings.TrimPrefix(err.Error(), p.Name+": "))
		return v.images(ctx, part)
	}
	metadata, err := v.d.Manifest.metadata()
	if err != nil {
		return err
	}
	want := partSchema(v.d.Manifest.Options, metadata)
	first := slices.IndexFunc(v.d.rows, func(s stored) bool { return s.part == part })
	row := 0
	err = eachRecord(f, func(_ int, r arrow.Record) error {
		if !sameColumns(r.Schema(), want) {
			return fmt.Errorf("%s: columns are %v, want %v", p.Name, r.Schema(), want)
		}
		if got := r.Schema().Metadata(); row == 0 && !got.Equal(metadata) {
			v.problem(p.Name, -1, "metadata is %v, want %v", got, metadata)
		}
		rows := appendShared(nil, r)
		for i := range rows {
			rows[i].image = imageValue(r.Column(int(r.NumCols())-1), i)
		}
		work := func(s stored) string { return v.image(s) }
		return inOrder(ctx, rows, runtime.GOMAXPROCS(0), 4*runtime.GOMAXPROCS(0), work, func(msg string) error {
			s := rows[0]
			rows = rows[1:]
			if msg != "" {
				v.problem(p.Name, row, "%s: %s", s.row.Name, msg)
			}
			if at := first + row; first < 0 || at >= v.d.Len() || !v.d.rows[at].equal(s) || v.d.rows[at].part != part {
				v.problem(p.Name, row, "%s: differs from %s", s.row.Name, indexName)
			} else if got, failed := v.d.Image(at); failed != nil || !bytes.Equal(got, s.image) {
				v.problem(p.Name, row, "%s: image is not where %s says", s.row.Name, indexName)
			}
			row++
			v.count()
			return nil
		})
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		v.problem(p.Name, -1, "%s", strings.TrimPrefix(err.Error(), p.Name+": "))
	}
	if row != p.Rows {
		v.problem(p.Name, -1, "has %d rows, want %d", row, p.Rows)
	}
	return nil
}

// images checks the images of a part by the index alone.
func (v *verifier) images(ctx context.Context, part int) error {
	var rows []int
	for i, s := range v.d.rows {
		if s.part == part {
			rows = append(rows, i)
		}
	}
	work := func(i int) string {
		s := v.d.rows[i]
		var err error
		if s.image, err = v.d.Image(i); err != nil {
			return "differs from " + indexName
		}
		return v.image(s)
	}
	row := 0
	return inOrder(ctx, rows, runtime.GOMAXPROCS(0), 4*runtime.GOMAXPROCS(0), work, func(msg string) error {
		if msg != "" {
			v.problem(v.d.Manifest.Parts[part].Name, row, "%s: %s", v.d.Name(rows[row]), msg)
		}
		row++
		v.count()
		return nil
	})
}

// count counts a row that was checked.
func (v *verifier) count() {
	v.done++
	v.report.Images++
	if v.progress != nil {
		v.progress(v.done, v.d.Len())
	}
}

// image decodes a stored image and returns what is wrong with it, or "".
func (v *verifier) image(s stored) string {
	r, err := v.d.decodeStored(s.image)
	if err != nil {
		return err.Error()
	}
	if o := v.d.Manifest.Options; min(r.width, r.height) > o.Size {
		return fmt.Sprintf("image is %d x %d pixels, want a shortest side of at most %d", r.width, r.height, o.Size)
	}
	return ""
}

// equal reports whether a row of a part is the same as in the index.
func (s stored) equal(t stored) bool {
	sameBox := s.box == nil && t.box == nil || s.box != nil && t.box != nil && *s.box == *t.box
	return *s.row == *t.row && sameBox && s.width == t.width && s.height == t.height && s.source == t.source &&
		s.size == len(t.image) && s.sum == sha256.Sum256(t.image)
}

// imageValue returns the image of row i of a batch.
func imageValue(column arrow.Array, i int) []byte {
	switch c := column.(type) {
	case *array.Binary:
		return c.Value(i)
	case *array.FixedSizeBinary:
		return c.Value(i)
	}
	return nil
}
