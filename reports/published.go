package reports

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// publishedFile is the table of published results. It was made once from a list of 627 values as
// their sources print them, in per cent and with free text for the way the test images were
// searched. Since then it is edited by hand. The rules:
//
//   - "Full images" of CUB-200-2011 are cub-loo, its "bounding-box crops" cub-loo+box; Cars-196
//     likewise. SOP's test classes are sop-loo. In-Shop's 14,218 queries in 12,612 gallery images
//     are inshop-qg. Two ways of searching VehicleID are in use that differ by about 18 points, so
//     its rows have no protocol, except for one whose source names leave-one-out.
//   - A method has our name where its source says that it is the same. The papers' BIER starts
//     from matrices that the activation loss initialised, as our bier-activation does; bier is
//     their variant with random ones. Reruns by others, "Triplet" that does not say which triplets,
//     and ensembles of models have no name of ours.
//   - Sizes are numbers. A source that gives none or two has no size.
//
//go:embed published.csv
var publishedFile []byte

// publishedName is the name of the table, in this package and beside a report.
const publishedName = "published.csv"

// publishedHead matches the first line of the table, which has its date.
var publishedHead = regexp.MustCompile(`^# Published results, as of (\d{4}-\d{2}-\d{2})\.$`)

// Published has the results that others have published.
type Published struct {
	Date    string // of the last revision of the table, YYYY-MM-DD
	Results []PublishedResult
}

// PublishedResult is one published number.
type PublishedResult struct {
	Dataset  string  // our name of the data set
	Protocol string  // our id; empty where the source does not say how test images are searched
	Split    string  // where there is no Protocol: the words of the source
	Crop     string  // none or box
	Method   string  // as published
	Ours     string  // our name of the method; empty where we have none
	Backbone string  // as published; our spelling where only upper case differs
	Size     int     // of the embedding; 0: not known
	Metric   string  // R@K
	Value    float64 // fraction
	Read     bool    // the number was read in Source; otherwise it is from memory
	Source   string  // a paper, table or repository, which may quote another
	Note     string
}

// LoadPublished returns the published results that come with this package.
func LoadPublished() (*Published, error) {
	return parsePublished(publishedName, publishedFile)
}

// publishedColumns returns the columns of the table.
func publishedColumns() []string {
	return []string{
		"dataset", "protocol", "split", "crop", "method", "ours", "backbone", "embedding_size", "metric", "value",
		"read", "source", "note",
	}
}

// parsePublished reads a table. An error names its place: "name:line: what is wrong".
func parsePublished(name string, data []byte) (*Published, error) {
	first, _, _ := bytes.Cut(data, []byte("\n"))
	head := publishedHead.FindSubmatch(first)
	if head == nil {
		return nil, fmt.Errorf("%s:1: want %q with a date", name, "# Published results, as of YYYY-MM-DD.")
	}
	p := &Published{Date: string(head[1])}
	if _, err := time.Parse(time.DateOnly, p.Date); err != nil {
		return nil, fmt.Errorf("%s:1: date %q is none", name, p.Date)
	}
	in := csv.NewReader(bytes.NewReader(data))
	in.Comment = '#'
	in.FieldsPerRecord = len(publishedColumns())
	seen := map[PublishedResult]int{}
	for n := 0; ; n++ {
		fields, err := in.Read()
		if errors.Is(err, io.EOF) {
			if n == 0 {
				return nil, fmt.Errorf("%s:1: no line of column names follows", name)
			}
			return p, nil
		}
		if wrong, ok := errors.AsType[*csv.ParseError](err); ok {
			return nil, fmt.Errorf("%s:%d: %w", name, wrong.Line, wrong.Err)
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		line, _ := in.FieldPos(0)
		if n == 0 {
			if !slices.Equal(fields, publishedColumns()) {
				return nil, fmt.Errorf("%s:%d: columns are %q, want %q", name, line, strings.Join(fields, ","), strings.Join(publishedColumns(), ","))
			}
			continue
		}
		r, err := parsePublishedResult(fields)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, line, err)
		}
		key := r
		key.Value, key.Read, key.Source, key.Note = 0, false, "", ""
		if before, ok := seen[key]; ok {
			return nil, fmt.Errorf("%s:%d: %s of %s is in line %d already", name, line, r.Metric, r.Method, before)
		}
		seen[key] = line
		p.Results = append(p.Results, r)
	}
}

// parsePublishedResult reads the fields of a line.
func parsePublishedResult(f []string) (PublishedResult, error) {
	r := PublishedResult{
		Dataset: f[0], Protocol: f[1], Split: f[2], Crop: f[3], Method: f[4], Ours: f[5], Backbone: f[6],
		Metric: f[8], Read: f[10] == "yes", Source: f[11], Note: f[12],
	}
	for i, s := range f {
		if strings.TrimSpace(s) != s || strings.ContainsFunc(s,
			func(c rune) bool { return c == unicode.ReplacementChar || !unicode.IsPrint(c) }) {
			return r, fmt.Errorf("%s %q: want text without invisible characters and spaces around it", publishedColumns()[i], s)
		}
	}
	for name, s := range map[string]string{"dataset": r.Dataset, "method": r.Method, "backbone": r.Backbone, "source": r.Source} {
		if s == "" {
			return r, errors.New("there is no " + name)
		}
	}
	switch {
	case (r.Protocol == "") == (r.Split == ""):
		return r, fmt.Errorf("protocol %q and split %q: want one of the two", r.Protocol, r.Split)
	case r.Protocol != "" && !strings.HasPrefix(r.Protocol, r.Dataset+"-"):
		return r, fmt.Errorf("protocol %q is not one of data set %q", r.Protocol, r.Dataset)
	case r.Crop != "none" && r.Crop != "box":
		return r, fmt.Errorf("crop %q: want none or box", r.Crop)
	case r.Protocol != "" && (r.Crop == "box") != strings.HasSuffix(r.Protocol, "+box"):
		return r, fmt.Errorf("crop %q does not fit protocol %q", r.Crop, r.Protocol)
	case f[10] != "yes" && f[10] != "no":
		return r, fmt.Errorf("read %q: want yes or no", f[10])
	}
	if k, ok := recallK(r.Metric); !ok || k < 1 || r.Metric != fmt.Sprintf("R@%d", k) {
		return r, fmt.Errorf("metric %q: want R@K", r.Metric)
	}
	if f[7] != "" {
		size, err := strconv.Atoi(f[7])
		if err != nil || size < 1 {
			return r, fmt.Errorf("embedding_size %q: want a number of at least 1, or nothing", f[7])
		}
		r.Size = size
	}
	value, err := strconv.ParseFloat(f[9], 64)
	if err != nil || !(value >= 0 && value <= 1) {
		return r, fmt.Errorf("value %q: want a fraction in [0,1]", f[9])
	}
	r.Value = value
	return r, nil
}
