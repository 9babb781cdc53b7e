package pipeline

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"bierbench/pipeline/suite"
	"bierbench/pipeline/workspace"
	"bierbench/reports"
	"bierbench/runs"
)

// DiffOptions choose what Diff compares.
type DiffOptions struct {
	A       string   // ID of the run to compare with
	Others  []string // IDs of the runs that are compared with A; none: the methods of A are compared
	Base    string   // without Others: the method to compare with; empty stands for the bases of the suite
	Compare runs.CompareOptions
	// NoPictures leaves out the flipped queries, which show thumbnails of the data sets' images.
	NoPictures bool
	Write      bool // writes the pages to reports/diff-<a>-<b>.../
}

// Difference is a comparison with the other contents of its page.
type Difference struct {
	*runs.Diff
	Curves *reports.DiffCurves
	Flips  *reports.DiffFlips
	Files  []string // that were written
}

// Diff compares runs with the first one, or the methods of one run.
func Diff(ctx context.Context, w *workspace.Workspace, o DiffOptions) (*Difference, error) {
	var opened []*runs.Run
	for _, id := range append([]string{o.A}, o.Others...) {
		r, err := w.Runs().Open(id)
		if err != nil {
			return nil, err
		}
		opened = append(opened, r)
	}
	var d Difference
	var err error
	name := append([]string{o.A}, o.Others...)
	switch {
	case len(o.Others) > 0:
		d.Diff, err = runs.CompareSeveral(ctx, opened[0], opened[1:], o.Compare)
	case o.Base == "":
		name = append(name, "bases")
		d.Diff, err = runs.CompareBases(ctx, opened[0], suite.DefaultBase, o.Compare)
	default:
		name = append(name, o.Base)
		d.Diff, err = runs.CompareMethods(ctx, opened[0], o.Base, o.Compare)
	}
	if err != nil {
		return nil, err
	}
	if d.Curves, err = reports.NewDiffCurves(ctx, d.Diff, opened); err != nil {
		return nil, err
	}
	if !o.NoPictures {
		p := newPictures(w)
		d.Flips, err = reports.NewDiffFlips(ctx, d.Diff, opened, p)
		if err = errors.Join(err, p.Close()); err != nil {
			return nil, err
		}
	}
	if !o.Write {
		return &d, nil
	}
	d.Files, err = reports.WriteDiff(d.Diff, d.Curves, d.Flips, filepath.Join(w.ReportsDir(), folderName("diff", name)))
	return &d, w.Unwritten(err)
}

// longestFolder is the largest length in bytes of the name of a folder. File systems allow 255, and
// temporary files need some of them.
const longestFolder = 200

// folderName joins names with dashes. Where the result is too long for a file system, it ends in a
// digest of all names.
func folderName(kind string, names []string) string {
	name := strings.Join(append([]string{kind}, names...), "-")
	if len(name) <= longestFolder {
		return name
	}
	sum := fmt.Sprintf("-%x", sha256.Sum256([]byte(strings.Join(names, "\x00"))))[:17]
	return strings.ToValidUTF8(name[:longestFolder-len(sum)], "") + sum
}
