package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"bierbench/datasets"
	"bierbench/models/backbones"
	"bierbench/pipeline/vectors"
	"bierbench/pipeline/workspace"
)

// ImportOptions say which features ImportFeatures reads.
type ImportOptions struct {
	Name     string // the features are the backbone file:NAME
	Dataset  string // a prepared data set, as a suite names it
	Features string // file of a matrix, a row for each image
	IDs      string // file that says which image each row is of; empty for a column of the features' file
	Column   string // tensor or column of the matrix, where its file has several
	IDColumn string // column of the ids, where their file has several: else "id", or "name"

	// What the user says of the features. Nil keeps the words about features that are there already.
	Origin, Preprocessing *string
}

// ImportResult says what ImportFeatures did.
type ImportResult struct {
	backbones.Import
	Path     string `json:"path"`               // of the stored features
	Fresh    bool   `json:"fresh"`              // they were written; false where the same were there
	Replaced string `json:"replaced,omitempty"` // what changed of the features in whose place they are
}

// importRows is the number of rows that are read at a time.
const importRows = 1024

// ImportFeatures stores features that were made elsewhere as backbone file:NAME for one data set. The
// file has one row for every image of it, training and test images alike. Importing the same again
// writes nothing, unless what is stored was damaged.
func ImportFeatures(ctx context.Context, w *workspace.Workspace, o ImportOptions) (*ImportResult, error) {
	r, err := importFeatures(ctx, w, o)
	if err != nil {
		return nil, fmt.Errorf("import features %s: %w", o.Name, err)
	}
	return r, nil
}

func importFeatures(ctx context.Context, w *workspace.Workspace, o ImportOptions) (*ImportResult, error) {
	if err := backbones.CheckImportName(o.Name); err != nil {
		return nil, err
	}
	entry, err := w.Dataset(o.Dataset)
	if err != nil {
		return nil, err
	}
	data, err := datasets.Open(entry.Dir)
	if err != nil {
		return nil, err
	}
	defer data.Close()
	f, err := readFeatures(ctx, w, data, o)
	if err != nil {
		return nil, err
	}
	i := backbones.Import{
		Name: o.Name, Set: entry.Set, Variant: entry.Variant, Data: data.Digest(), Images: data.Len(),
		Features: backbones.Imported{Digest: f.Digest(), Width: f.Width},
	}
	release, err := claimFeatures(ctx, w, i.Backbone(), "import of "+i.Backbone())
	if err != nil {
		return nil, err
	}
	defer release()
	if err = checkOtherImports(w, i, o.Features); err != nil {
		return nil, err
	}
	return storeImport(w, i, f, o)
}

// storeImport writes features in the place of those that are there, unless they are the same.
func storeImport(w *workspace.Workspace, i backbones.Import, f backbones.Features, o ImportOptions) (*ImportResult, error) {
	dir := w.FeaturesDir()
	old, err := backbones.ReadImport(dir, i.Name, i.Set, i.Variant)
	there := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		w.Log.Warn("the stored features cannot be used and are replaced", "error", err)
	}
	if there && old.Features.Digest == i.Features.Digest { // what was said of them still holds
		i.Features.Origin, i.Features.Preprocessing = old.Features.Origin, old.Features.Preprocessing
	}
	for _, t := range []struct {
		said *string
		text *string
	}{{o.Origin, &i.Features.Origin}, {o.Preprocessing, &i.Features.Preprocessing}} {
		if t.said != nil {
			*t.text = *t.said
		}
	}
	if err = i.Features.CheckTexts(); err != nil {
		return nil, err
	}
	r := &ImportResult{Import: i, Path: i.Path(dir)}
	if there && old == i {
		if _, err = backbones.ReadImported(dir, i); err == nil {
			return r, nil
		}
		w.Log.Warn("the stored features cannot be used and are replaced", "error", err)
	}
	if there {
		r.Replaced = old.Features.Changes(&i.Features)
		if old.Data != i.Data {
			r.Replaced = strings.TrimPrefix(r.Replaced+fmt.Sprintf(", data set %.12s -> %.12s", old.Data, i.Data), ", ")
		}
	}
	r.Fresh = true
	return r, backbones.WriteImport(dir, i, f)
}

// checkOtherImports returns an error where the features cannot be of the backbone that has the name
// already: it is as wide on other data sets. Names that differ in case alone would share a folder on
// some systems.
func checkOtherImports(w *workspace.Workspace, i backbones.Import, file string) error {
	all, _, err := backbones.Imports(w.FeaturesDir())
	if err != nil {
		return err
	}
	for _, other := range all {
		switch {
		case other.Name == i.Name && (other.Set != i.Set || other.Variant != i.Variant) && other.Features.Width != i.Features.Width:
			return fmt.Errorf("%s: vectors of width %d, but %s has width %d on %s/%s; choose another name, or remove %s to begin anew",
				file, i.Features.Width, i.Backbone(), other.Features.Width, other.Set, other.Variant,
				backbones.ImportDir(w.FeaturesDir(), i.Name))
		case other.Name != i.Name && strings.EqualFold(other.Name, i.Name):
			return fmt.Errorf("%s is there already, and differs in case alone; choose that or another name", other.Backbone())
		}
	}
	return nil
}

// readFeatures reads the features of every row of a data set, in the order of its rows.
func readFeatures(ctx context.Context, w *workspace.Workspace, data *datasets.Dataset, o ImportOptions) (f backbones.Features, err error) {
	matrix, err := vectors.Open(o.Features, vectors.Options{Name: o.Column})
	if err != nil {
		return f, err
	}
	defer matrix.Close()
	if matrix.Width > backbones.MaxImportWidth {
		return f, fmt.Errorf("%s: vectors of width %d, want at most %d", o.Features, matrix.Width, backbones.MaxImportWidth)
	}
	ids := o.IDs
	if ids == "" {
		if ids = o.Features; !slices.Contains([]string{"arrow", "parquet"}, matrix.Format) {
			return f, fmt.Errorf("%s: a %s file does not say which image each row is of; name a file that does with --ids", ids, matrix.Format)
		}
	}
	rows, err := imageRows(data, ids, o.IDColumn, matrix.Rows, o.Features)
	if err != nil {
		return f, err
	}
	f = backbones.Features{Width: matrix.Width, Values: make([]float32, data.Len()*matrix.Width)}
	for i := range data.Len() {
		f.IDs = append(f.IDs, data.ID(i))
	}
	w.Progress.Start("import "+o.Name, matrix.Rows)
	defer w.Progress.Finish()
	some := make([]float32, min(importRows, matrix.Rows)*f.Width)
	for lo := 0; lo < matrix.Rows; lo += importRows {
		if ctx.Err() != nil {
			return f, ctx.Err()
		}
		hi := min(lo+importRows, matrix.Rows)
		if err = matrix.Read(lo, hi, some[:(hi-lo)*f.Width]); err != nil {
			return f, err
		}
		for k, row := range rows[lo:hi] {
			copy(f.Values[row*f.Width:(row+1)*f.Width], some[k*f.Width:])
		}
		w.Progress.Advance(hi, "")
	}
	return f, nil
}

// imageRows returns the row of the data set for each row of a file of ids, which names every image
// exactly once: by its number in the official lists, or by its name there.
func imageRows(data *datasets.Dataset, path, column string, want int, features string) ([]int, error) {
	table, err := vectors.OpenTable(path)
	if err != nil {
		return nil, err
	}
	defer table.Close()
	name, err := idColumn(table, column)
	if err != nil {
		return nil, err
	}
	ids, err := table.Column(name)
	if err != nil {
		return nil, err
	}
	set := data.Manifest.Set + "/" + data.Manifest.Variant
	if ids.Len() != want {
		return nil, fmt.Errorf("%s has %d rows, and %s %d: want an id for each vector", path, ids.Len(), features, want)
	}
	byText, byNumber := map[string]int{}, map[int64]int{}
	for i := range data.Len() {
		if byNumber[data.ID(i)] = i; ids.Strings != nil {
			if _, twice := byText[data.Name(i)]; twice {
				return nil, fmt.Errorf("%s: two images of %s are called %q; want their numbers", path, set, data.Name(i))
			}
			byText[data.Name(i)] = i
		}
	}
	rows, at := make([]int, ids.Len()), make([]int, data.Len()) // at: 1 + the row of the file
	for k := range rows {
		var i int
		var known bool
		if ids.Ints != nil {
			i, known = byNumber[ids.Ints[k]]
		} else {
			i, known = byText[ids.Strings[k]]
		}
		switch {
		case !known && ids.Strings != nil:
			return nil, fmt.Errorf("%s: row %d: %q is no image of %s; its images have numbers, or names such as %q",
				path, k, ids.Strings[k], set, data.Name(0))
		case !known:
			return nil, fmt.Errorf("%s: row %d: %d is no image of %s", path, k, ids.Ints[k], set)
		case at[i] > 0:
			return nil, fmt.Errorf("%s: row %d: image %s again, as in row %d", path, k, ids.Text(k), at[i]-1)
		}
		rows[k], at[i] = i, k+1
	}
	if len(rows) < data.Len() {
		first := slices.Index(at, 0)
		return nil, fmt.Errorf("%s: no row for %s of %s; the first is %d (%s, %s)", path,
			fmt.Sprintf("%d of %d images", data.Len()-len(rows), data.Len()), set, data.ID(first), data.Name(first), data.Split(first))
	}
	return rows, nil
}

// idColumn returns the name of the column of ids.
func idColumn(t *vectors.Table, given string) (string, error) {
	switch {
	case given != "":
		return given, nil
	case len(t.Names) == 1:
		return t.Names[0], nil
	case t.Has("id"):
		return "id", nil
	case t.Has("name"):
		return "name", nil
	}
	return "", fmt.Errorf("%s: no column id or name; name the column of the ids with --id-column: one of %s", t.Path, strings.Join(t.Names, ", "))
}
