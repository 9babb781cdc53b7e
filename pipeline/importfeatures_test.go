package pipeline

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bierbench/datasets"
	"bierbench/models/backbones"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/suite"
	"bierbench/pipeline/workspace"
)

// smallCUB is a workspace with a small miniature of CUB, and the data set.
func smallCUB(t *testing.T) (*workspace.Workspace, *datasets.Dataset) {
	t.Helper()
	raw := t.TempDir()
	o := datasets.DefaultMini()
	o.Classes, o.Images = 3, 4
	if err := datasets.WriteMini(t.Context(), raw, o); err != nil {
		t.Fatal(err)
	}
	w := testWorkspace(t, t.TempDir(), nil)
	if err := ingestMini(t.Context(), w, raw); err != nil {
		t.Fatal(err)
	}
	entry, err := w.Dataset("cub/mini")
	if err != nil {
		t.Fatal(err)
	}
	data, err := datasets.Open(entry.Dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = data.Close() }) // it was only read
	return w, data
}

// textFile writes lines to a file of a test.
func textFile(t *testing.T, name string, lines []string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// vectorsOf are CSV lines of three numbers for each image: its id, and two of its row.
func vectorsOf(data *datasets.Dataset) (vectors, ids, names []string) {
	for i := range data.Len() {
		vectors = append(vectors, fmt.Sprintf("%d,%d,%g", data.ID(i), i%5, float64(i)/4))
		ids, names = append(ids, fmt.Sprint(data.ID(i))), append(names, data.Name(i))
	}
	return vectors, ids, names
}

// Features are stored in the order of the data set's rows, whatever the order in their file, by number
// and by name.
func TestImportFeatures(t *testing.T) {
	w, data := smallCUB(t)
	lines, ids, names := vectorsOf(data)
	for _, list := range [][]string{lines, ids, names} { // the last image first
		slices.Reverse(list)
	}
	origin := "a program"
	o := ImportOptions{Name: "x", Dataset: "cub/mini", Features: textFile(t, "f.csv", lines), IDs: textFile(t, "ids.txt", ids), Origin: &origin}
	r, err := ImportFeatures(t.Context(), w, o)
	if err != nil || !r.Fresh || r.Images != data.Len() || r.Features.Width != 3 || r.Features.Origin != origin || r.Data != data.Digest() {
		t.Fatalf("%+v, %v", r, err)
	}
	stored, err := backbones.ReadImported(w.FeaturesDir(), r.Import)
	if err != nil {
		t.Fatal(err)
	}
	for i := range data.Len() {
		if want := []float32{float32(data.ID(i)), float32(i % 5), float32(i) / 4}; stored.IDs[i] != data.ID(i) || !slices.Equal(stored.Values[3*i:3*i+3], want) {
			t.Fatalf("row %d: image %d, %g; want %d, %g", i, stored.IDs[i], stored.Values[3*i:3*i+3], data.ID(i), want)
		}
	}
	// The same by names: nothing is written, and what was said of the features stays.
	o.IDs, o.Origin = textFile(t, "names.csv", append([]string{"name"}, names...)), nil
	again, err := ImportFeatures(t.Context(), w, o)
	if err != nil || again.Fresh || again.Import != r.Import {
		t.Fatalf("again: %+v, %v", again, err)
	}
	// What is said changes: the same features, and a record that says so.
	origin = "another program"
	o.Origin = &origin
	if again, err = ImportFeatures(t.Context(), w, o); err != nil || !again.Fresh || again.Replaced != `origin "a program" -> "another program"` {
		t.Fatalf("another origin: %+v, %v", again, err)
	}
	// Other values take the place of the first, and what was said is not said of them.
	o.Features, o.Origin = textFile(t, "g.csv", append([]string{"0,0,0"}, lines[1:]...)), nil
	if again, err = ImportFeatures(t.Context(), w, o); err != nil || !again.Fresh || again.Features.Origin != "" ||
		!strings.HasPrefix(again.Replaced, "SHA-256 ") {
		t.Fatalf("other values: %+v, %v", again, err)
	}
	// Damaged features are mended by importing them again.
	if err = os.WriteFile(again.Path, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if again, err = ImportFeatures(t.Context(), w, o); err != nil || !again.Fresh {
		t.Fatalf("damaged features: %+v, %v", again, err)
	}
	if _, err = backbones.ReadImported(w.FeaturesDir(), again.Import); err != nil {
		t.Error(err)
	}
}

// Every mistake in the files is an error that names the file and the row, and leaves nothing behind.
func TestImportFeaturesMistakes(t *testing.T) {
	w, data := smallCUB(t)
	lines, ids, names := vectorsOf(data)
	last := len(ids) - 1
	with := func(list []string, at int, line string) []string {
		list = slices.Clone(list)
		list[at] = line
		return list
	}
	for _, tt := range []struct {
		name     string // the reason for the case
		features []string
		ids      []string
		want     string // with FILE for the file of the vectors, IDS for that of the ids
	}{
		{"an image without a row", lines[1:], ids[1:], fmt.Sprintf("IDS: no row for 1 of %d images of cub/mini-s256-jpeg; the first is %s (%s, train)", len(ids), ids[0], names[0])},
		{"training images alone", lines[:3], ids[:3], fmt.Sprintf("IDS: no row for %d of %d images", len(ids)-3, len(ids))},
		{"an image that the data set has not", lines, with(ids, 2, "99999"), "IDS: row 2: 99999 is no image of cub/mini-s256-jpeg"},
		{"one image more", append(slices.Clone(lines), "1,2,3"), append(slices.Clone(ids), "99999"), fmt.Sprintf("IDS: row %d: 99999 is no image", last+1)},
		{"a name that the data set has not", lines, with(names, 1, "x/y.jpg"), `IDS: row 1: "x/y.jpg" is no image of cub/mini-s256-jpeg; its images have numbers, or names such as "` + names[0]},
		{"an image twice", lines, with(ids, 5, ids[3]), "IDS: row 5: image " + ids[3] + " again, as in row 3"},
		{"more vectors than ids", lines, ids[:last], fmt.Sprintf("IDS has %d rows, and FILE %d: want an id for each vector", last, last+1)},
		{"NaN", with(lines, 4, "1,nan,3"), ids, "FILE: row 4: number 1 is NaN"},
		{"infinity", with(lines, 4, "1,2,inf"), ids, "FILE: row 4: number 2 is +Inf"},
		{"a number that no float32 holds", with(lines, 4, "1,2,1e39"), ids, "FILE: row 4: number 2 is +Inf"},
		{"a row that is too short", with(lines, 6, "1,2"), ids, "FILE:7: 2 cells, want 3"},
		{"a row that is too long", with(lines, 6, "1,2,3,4"), ids, "FILE:7: 4 cells, want 3"},
		{"a word", with(lines, 6, "1,x,3"), ids, "FILE:7: column 2 is \"x\""},
		{"no vectors", nil, ids, "FILE"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o := ImportOptions{Name: "x", Dataset: "cub/mini", Features: textFile(t, "f.csv", tt.features), IDs: textFile(t, "ids.txt", tt.ids)}
			_, err := ImportFeatures(t.Context(), w, o)
			want := strings.NewReplacer("FILE", o.Features, "IDS", o.IDs).Replace(tt.want)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
	if all, broken, err := backbones.Imports(w.FeaturesDir()); len(all)+len(broken) > 0 || err != nil {
		t.Errorf("left %v, %v, %v", all, broken, err)
	}
	table := textFile(t, "table.csv", []string{"file,number", "a,1"})
	for _, tt := range []struct {
		name string
		o    ImportOptions
		want string
	}{
		{"a data set that is not prepared", ImportOptions{Name: "x", Dataset: "sop/mini"}, `run "bierbench -C `},
		{"no file of ids", ImportOptions{Name: "x", Dataset: "cub/mini", Features: textFile(t, "f.csv", lines)}, "f.csv: a csv file does not say which image each row is of; name a file that does with --ids"},
		{"no column of ids", ImportOptions{Name: "x", Dataset: "cub/mini", Features: textFile(t, "f.csv", lines), IDs: table}, "no column id or name; name the column of the ids with --id-column: one of file, number"},
		{"a file that is not there", ImportOptions{Name: "x", Dataset: "cub/mini", Features: "nowhere.npy", IDs: table}, "nowhere.npy"},
	} {
		if _, err := ImportFeatures(t.Context(), w, tt.o); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
}

// One name has one width. Names that differ in case alone would be one folder on some systems.
func TestImportFeaturesNames(t *testing.T) {
	w, data := smallCUB(t)
	lines, ids, _ := vectorsOf(data)
	other := backbones.Import{Name: "x", Set: "sop", Variant: "mini-s256-jpeg", Data: "d"}
	err := backbones.WriteImport(w.FeaturesDir(), other, backbones.Features{IDs: []int64{1}, Width: 2, Values: []float32{1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	o := ImportOptions{Name: "x", Dataset: "cub/mini", Features: textFile(t, "f.csv", lines), IDs: textFile(t, "ids.txt", ids)}
	_, err = ImportFeatures(t.Context(), w, o)
	if want := o.Features + ": vectors of width 3, but file:x has width 2 on sop/mini-s256-jpeg"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	o.Name = "X"
	if _, err = ImportFeatures(t.Context(), w, o); err == nil || !strings.Contains(err.Error(), "file:x is there already, and differs in case alone") {
		t.Errorf("got %v", err)
	}
}

// Features that are damaged while a run goes on stop it, and do not make its cells fail: importing
// them again mends them, and the same command goes on. Features that are replaced meanwhile fail the
// cell that was planned with them.
func TestImportDamagedInRun(t *testing.T) {
	w, data := smallCUB(t)
	lines, ids, _ := vectorsOf(data)
	o := ImportOptions{Name: "x", Dataset: "cub/mini", Features: textFile(t, "f.csv", lines), IDs: textFile(t, "ids.txt", ids)}
	r, err := ImportFeatures(t.Context(), w, o)
	if err != nil {
		t.Fatal(err)
	}
	s, err := suite.Parse("s", "s.yaml", []byte("- {datasets: [cub/mini], backbone: 'file:x', mode: frozen, methods: [features]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(r.Path)
	if err != nil {
		t.Fatal(err)
	}
	whole[len(whole)/2] ^= 1
	if err = os.WriteFile(r.Path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Run(t.Context(), w, s, RunOptions{})
	if !errors.Is(err, backbones.ErrImportDamaged) || !strings.Contains(err.Error(), r.Path) || !strings.Contains(err.Error(), "features import x --dataset cub/mini-s256-jpeg") {
		t.Fatalf("damaged: %v; want an error that names the file and the command", err)
	}
	if r, err = ImportFeatures(t.Context(), w, o); err != nil || !r.Fresh {
		t.Fatalf("%+v, %v", r, err)
	}
	if result, failed := Run(t.Context(), w, s, RunOptions{}); failed != nil || result.Done != 1 {
		t.Fatalf("mended: %+v, %v", result, failed)
	}
	planned, err := plan.New(t.Context(), w, s, plan.Options{Run: "s"})
	if err != nil {
		t.Fatal(err)
	}
	o.Features = textFile(t, "g.csv", append([]string{"7,7,7"}, lines[1:]...))
	if _, err = ImportFeatures(t.Context(), w, o); err != nil {
		t.Fatal(err)
	}
	if err = ExtractFeatures(t.Context(), w, planned.Cells[0]); err == nil || !strings.Contains(err.Error(), "were replaced after the plan was made") {
		t.Errorf("replaced: %v", err)
	}
}
