package backbones

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bierbench/models/internal/modelstest"
)

// someImport is an import of features without their digest.
func someImport() Import {
	return Import{
		Name: "dinov2", Set: "cub", Variant: "mini-s64-jpeg", Data: "d1",
		Features: Imported{Origin: "a network", Preprocessing: "centre 224"},
	}
}

// storeImport stores features and returns what is known of them.
func storeImport(t *testing.T, dir string, i Import, f Features) Import {
	t.Helper()
	if err := WriteImport(dir, i, f); err != nil {
		t.Fatal(err)
	}
	stored, err := ReadImport(dir, i.Name, i.Set, i.Variant)
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// filesBelow returns the files below a folder.
func filesBelow(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestImportRoundTrip(t *testing.T) {
	dir := t.TempDir()
	f := someFeatures(10, 3)
	first := storeImport(t, dir, someImport(), f)
	want := someImport()
	want.Images, want.Features.Width, want.Features.Digest = 10, 3, f.Digest()
	if first != want {
		t.Fatalf("stored %+v, want %+v", first, want)
	}
	got, err := ReadImported(dir, first)
	f.Key = want.Features.Digest
	if d := cmp.Diff(f, got); d != "" || err != nil {
		t.Fatalf("%v, features (-want +got):\n%s", err, d)
	}
	// Another data set under the same name, and another name.
	other := someImport()
	other.Set = "sop"
	storeImport(t, dir, other, someFeatures(4, 3))
	other.Name = "clip"
	storeImport(t, dir, other, someFeatures(4, 2))
	all, broken, err := Imports(dir)
	var names []string
	for _, i := range all {
		names = append(names, i.Backbone()+" "+i.Set)
	}
	if want := []string{"file:clip sop", "file:dinov2 cub", "file:dinov2 sop"}; err != nil || broken != nil || !slices.Equal(names, want) {
		t.Errorf("%q, %v, %v; want %q", names, broken, err, want)
	}
	// Other features take the place of the first, of which nothing is left; a plan that was made with
	// them does not find them.
	f.Values[5]++
	if err = os.WriteFile(filepath.Join(first.folder(dir), ".x.arrow.1.tmp"), nil, 0o600); err != nil { // of a killed process
		t.Fatal(err)
	}
	second := storeImport(t, dir, someImport(), f)
	if second.Features.Digest == first.Features.Digest {
		t.Error("other values have the same digest")
	}
	if got := filesBelow(t, first.folder(dir)); !slices.Equal(got, slices.Sorted(slices.Values([]string{second.Path(dir), filepath.Join(first.folder(dir), importFile)}))) {
		t.Errorf("files %q", got)
	}
	if _, err = ReadImported(dir, first); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrImportDamaged) {
		t.Errorf("features that were replaced: %v", err)
	}
}

// The digest is of ids and values, and of nothing else.
func TestFeaturesDigest(t *testing.T) {
	f := someFeatures(4, 3)
	digest := f.Digest()
	for name, change := range map[string]func(f *Features){
		"a value":         func(f *Features) { f.Values[11] = -f.Values[11] },
		"an id":           func(f *Features) { f.IDs[3]++ },
		"the width":       func(f *Features) { f.Width, f.IDs = 6, f.IDs[:2] },
		"one image fewer": func(f *Features) { f.IDs, f.Values = f.IDs[:3], f.Values[:9] },
	} {
		g := someFeatures(4, 3)
		if change(&g); g.Digest() == digest {
			t.Errorf("%s: the same digest", name)
		}
	}
	f.Key = "another"
	if f.Digest() != digest {
		t.Error("the digest depends on the key")
	}
}

// A byte that changes anywhere in the files of an import, a file that is cut, and one that is missing
// are errors that name the file.
func TestImportDamage(t *testing.T) {
	dir := t.TempDir()
	i := storeImport(t, dir, someImport(), someFeatures(5, 3))
	// as a new plan reads them, and as a cell of it does
	read := func() error {
		now, err := ReadImport(dir, i.Name, i.Set, i.Variant)
		if err == nil {
			_, err = ReadImported(dir, i)
		}
		unreadable := (*fs.PathError)(nil)
		switch {
		case err == nil && now != i:
			t.Errorf("read %+v", now)
		case err != nil && !errors.Is(err, ErrImportDamaged) && !errors.As(err, &unreadable):
			t.Errorf("not said to be damaged: %v", err)
		}
		return err
	}
	elsewhere := t.TempDir()
	other := someImport()
	other.Name = "clip"
	other = storeImport(t, elsewhere, other, someFeatures(5, 2))
	for path, from := range map[string]string{
		i.Path(dir):                              other.Path(elsewhere),
		filepath.Join(i.folder(dir), importFile): filepath.Join(other.folder(elsewhere), importFile),
	} {
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		another, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		modelstest.Damages(t, path, another, 3, func() error {
			if refused := read(); refused != nil {
				return refused
			}
			content, failed := os.ReadFile(path)
			if failed == nil && !bytes.Equal(content, whole) {
				t.Errorf("%s was changed, and is read", path)
			}
			return failed
		})
		if err = os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(i.Path(dir)); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadImport(dir, i.Name, i.Set, i.Variant); !errors.Is(err, ErrImportDamaged) {
		t.Errorf("without the features: %v", err)
	}
	if all, broken, err := Imports(dir); len(all) != 0 || len(broken) != 1 || err != nil {
		t.Errorf("%v, %v, %v; want one broken", all, broken, err)
	}
	moved := ImportDir(dir, "other")
	if err := os.Rename(ImportDir(dir, i.Name), moved); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadImport(dir, "other", i.Set, i.Variant); !errors.Is(err, ErrImportDamaged) || !strings.Contains(err.Error(), "it is of file:dinov2") {
		t.Errorf("a folder that was renamed: %v", err)
	}
	if _, err := ReadImport(dir, i.Name, i.Set, i.Variant); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nothing imported: %v", err)
	}
}

func TestImportsThatAreRefused(t *testing.T) {
	for name, change := range map[string]func(i *Import, f *Features){
		"a name with a slash":      func(i *Import, _ *Features) { i.Name = "a/b" },
		"no name":                  func(i *Import, _ *Features) { i.Name = "" },
		"a name that climbs":       func(i *Import, _ *Features) { i.Name = ".." },
		"a long name":              func(i *Import, _ *Features) { i.Name = strings.Repeat("a", importName+1) },
		"a set that is a path":     func(i *Import, _ *Features) { i.Set = "../cub" },
		"a variant that is a path": func(i *Import, _ *Features) { i.Variant = "a/b" },
		"no width":                 func(_ *Import, f *Features) { f.Width, f.Values = 0, nil },
		"values of another width":  func(_ *Import, f *Features) { f.Values = f.Values[1:]; f.IDs = f.IDs[:2] },
		"a text of two lines":      func(i *Import, _ *Features) { i.Features.Origin = "a\nb" },
		"a text that is no UTF-8":  func(i *Import, _ *Features) { i.Features.Preprocessing = "\xff" },
		"a long text":              func(i *Import, _ *Features) { i.Features.Origin = strings.Repeat("a", importText+1) },
		"a text that looks like a seal": func(i *Import, _ *Features) {
			i.Features.Origin = "sha256 of this file with zeros here: " + strings.Repeat("0", 64)
		},
	} {
		dir := t.TempDir()
		i, f := someImport(), someFeatures(3, 2)
		change(&i, &f)
		if err := WriteImport(dir, i, f); err == nil {
			t.Errorf("%s: no error", name)
		}
		if left := filesBelow(t, dir); len(left) > 0 {
			t.Errorf("%s: left %q", name, left)
		}
	}
}

func TestImportedBackbone(t *testing.T) {
	b, err := Named("file:dinov2")
	if err != nil || b.Name != "file:dinov2" || !b.Imported || b.Weights != "" || b.Features != 0 {
		t.Errorf("%+v, %v", b, err)
	}
	if err = b.CheckInput(0); err != nil {
		t.Error(err)
	}
	if err = b.CheckInput(224); err == nil || !strings.Contains(err.Error(), "takes no images") {
		t.Errorf("an input: %v", err)
	}
	for _, bad := range []string{"file:", "file:../x", "file:a b", "file:-a", "file:.a", "file:é"} {
		if _, err := Named(bad); err == nil || !strings.Contains(err.Error(), "such as dinov2") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	// file:NAME is file-NAME in paths: no network may have such a name.
	for _, b := range All() {
		if strings.HasPrefix(b.Name, folderPrefix) || b.Imported {
			t.Errorf("%s is a network and looks imported", b.Name)
		}
	}
}

func TestImportedChanges(t *testing.T) {
	a := &Imported{Digest: strings.Repeat("a", 64), Width: 8, Origin: "x"}
	b := &Imported{Digest: strings.Repeat("b", 64), Width: 9, Origin: "x", Preprocessing: "y"}
	for _, c := range []struct {
		was, is *Imported
		want    string
	}{
		{nil, nil, ""},
		{a, a, ""},
		{a, b, `SHA-256 aaaaaaaaaaaa -> bbbbbbbbbbbb, width 8 -> 9, preprocessing none -> "y"`},
		{a, nil, `SHA-256 aaaaaaaaaaaa -> none, width 8 -> 0, origin "x" -> none`},
	} {
		if got := c.was.Changes(c.is); got != c.want {
			t.Errorf("%+v to %+v: %q, want %q", c.was, c.is, got, c.want)
		}
	}
}

// FuzzImportFile reads files that may be anything.
func FuzzImportFile(f *testing.F) {
	dir := f.TempDir()
	if err := WriteImport(dir, someImport(), someFeatures(1, 1)); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(someImport().folder(dir), importFile))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte("{}"))
	f.Add([]byte(strings.Replace(string(whole), `"schema": 1`, `"schema": 2`, 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), importFile)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if i, err := readImportFile(path); err == nil && i.check() != nil {
			t.Errorf("%+v was read", i)
		}
	})
}
