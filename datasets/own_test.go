package datasets

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ownOptions are the options of an ingest of a user's own data.
func ownOptions(tb testing.TB, raw, rule string) IngestOptions {
	tb.Helper()
	o := DefaultIngestOptions()
	o.Raw, o.Out, o.Custom, o.TrainClasses, o.Workers, o.Size = raw, tb.TempDir(), "mine", rule, 2, 48
	return o
}

// namedSet returns a set by its name.
func namedSet(tb testing.TB, name string) Set {
	tb.Helper()
	set, err := Lookup(name)
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

// writeTree writes files below a new folder: an image for a name that ends as one, else the given text.
func writeTree(tb testing.TB, files map[string]string) string {
	tb.Helper()
	root := tb.TempDir()
	for i, name := range slices.Sorted(maps.Keys(files)) {
		data := []byte(files[name])
		if len(data) == 0 {
			data = photo(tb, 40+i, 40, uint64(i))
		}
		at := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(at, data, 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	return root
}

// tree names files that writeTree fills with images.
func tree(names ...string) map[string]string {
	files := map[string]string{}
	for _, name := range names {
		files[name] = ""
	}
	return files
}

// rowsOf are the rows of a layout in words: id, name, class number and name, split.
func rowsOf(l *Layout) []string {
	var out []string
	for _, r := range l.Rows {
		text := fmt.Sprintf("%d %s %d=%s %s", r.ID, r.Name, r.Class, r.ClassName, r.Split)
		if r.Superclass != "" {
			text += " of " + r.Superclass
		}
		if r.Box != nil {
			text += fmt.Sprint(" ", *r.Box)
		}
		out = append(out, text)
	}
	return out
}

func TestFolderLayouts(t *testing.T) {
	pairs := tree("b/1.jpg", "b/2.JPG", "a/1.jpg", "a/x/2.jpg", "C/1.jpeg", "d/1.jpg")
	for _, c := range []struct {
		name, rule string
		files      map[string]string
		want       []string
		found      string
	}{
		{
			"classes are numbered by the bytes of their names, so capitals come first, and the first half of four trains", "first-half", pairs,
			[]string{"1 C/1.jpeg 1=C train", "2 a/1.jpg 2=a train", "3 a/x/2.jpg 2=a train", "4 b/1.jpg 3=b test", "5 b/2.JPG 3=b test", "6 d/1.jpg 4=d test"},
			"class folders",
		},
		{
			"30% of four classes are one", "30%", pairs,
			[]string{"1 C/1.jpeg 1=C train", "2 a/1.jpg 2=a test", "3 a/x/2.jpg 2=a test", "4 b/1.jpg 3=b test", "5 b/2.JPG 3=b test", "6 d/1.jpg 4=d test"},
			"class folders",
		},
		{
			"0% trains on none: untrained features can be scored", "0%", tree("a/1.jpg", "b/1.jpg"),
			[]string{"1 a/1.jpg 1=a test", "2 b/1.jpg 2=b test"},
			"class folders",
		},
		{
			"names that are whole numbers are the numbers, and 10 is behind 2", "first-half", tree("10/1.jpg", "2/1.jpg", "007/1.jpg", "0/1.jpg"),
			[]string{"1 0/1.jpg 0=0 train", "2 007/1.jpg 7=007 test", "3 10/1.jpg 10=10 test", "4 2/1.jpg 2=2 train"},
			"class folders",
		},
		{
			"1 and 01 would be one number: the order of bytes is used", "first-half", tree("01/1.jpg", "1/1.jpg"),
			[]string{"1 01/1.jpg 1=01 train", "2 1/1.jpg 2=1 test"},
			"class folders",
		},
		{
			"train and test above the classes", "", tree("train/a/1.jpg", "test/b/1.jpg"),
			[]string{"1 test/b/1.jpg 2=b test", "2 train/a/1.jpg 1=a train"},
			"class folders in test, train",
		},
		{
			"validation tests where there is no other test split", "", tree("Train/a/1.jpg", "val/b/1.jpg"),
			[]string{"1 Train/a/1.jpg 1=a train", "2 val/b/1.jpg 2=b test"},
			"class folders in Train, val",
		},
		{
			"query and gallery alone", "", tree("query/a/1.jpg", "gallery/a/2.jpg", "gallery/b/1.jpg"),
			[]string{"1 gallery/a/2.jpg 1=a gallery", "2 gallery/b/1.jpg 2=b gallery", "3 query/a/1.jpg 1=a query"},
			"class folders in gallery, query",
		},
		{
			"a rule divides the classes, and what tests keeps its part of the search", "first-half",
			tree("query/a/1.jpg", "gallery/a/2.jpg", "query/b/1.jpg", "gallery/b/2.jpg"),
			[]string{"1 gallery/a/2.jpg 1=a train", "2 gallery/b/2.jpg 2=b gallery", "3 query/a/1.jpg 1=a train", "4 query/b/1.jpg 2=b query"},
			"class folders in gallery, query",
		},
		{
			"a rule takes the place of a split of classification, in which all classes train and test", "first-half",
			tree("train/a/1.jpg", "train/b/1.jpg", "test/a/1.jpg", "test/b/1.jpg"),
			[]string{"1 test/a/1.jpg 1=a train", "2 test/b/1.jpg 2=b test", "3 train/a/1.jpg 1=a train", "4 train/b/1.jpg 2=b test"},
			"class folders in test, train",
		},
		{
			"a folder called train that holds images is a class", "first-half", tree("train/1.jpg", "car/1.jpg"),
			[]string{"1 car/1.jpg 1=car train", "2 train/1.jpg 2=train test"},
			"class folders",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, _, err := readClassFolders(t.Context(), ownOptions(t, writeTree(t, c.files), c.rule))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, rowsOf(l)); diff != "" {
				t.Error(diff)
			}
			if l.Found != c.found {
				t.Errorf("found %q, want %q", l.Found, c.found)
			}
		})
	}
}

// What other programs leave, and what is no image, is counted in the receipt; an image without an ending
// is one.
func TestFolderIgnored(t *testing.T) {
	files := tree("a/1.jpg", "b/1.jpg")
	for _, name := range []string{
		".DS_Store", "a/._1.jpg", "a/Thumbs.db", "__MACOSX/a/._1.jpg", "__MACOSX/a/._2.jpg", ".git/config", "b/desktop.ini",
	} {
		files[name] = "left by another program"
	}
	for _, name := range []string{"README.md", "a/list.txt", "b/labels.csv"} {
		files[name] = "text"
	}
	files["empty/notes.txt"] = "text"
	files["b/no-ending"] = string(photo(t, 40, 50, 9))
	m, dir, err := Ingest(t.Context(), folder(), ownOptions(t, writeTree(t, files), "first-half"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if d.Len() != 3 || d.Name(2) != "b/no-ending" {
		t.Errorf("%d images, the last is %s", d.Len(), d.Name(d.Len()-1))
	}
	// .git/config is no litter of macOS or Windows, but a file of another kind.
	if r := m.Receipt; r.Named != 3 || r.Litter != 6 || r.Other != 5 || r.Unnamed != 0 {
		t.Errorf("receipt is %+v", *r)
	}
}

// Links inside the folder are followed, those that lead out are an error that says what to do, circles
// end, and one that leads nowhere is a missing image.
func TestFolderLinks(t *testing.T) {
	link := func(t *testing.T, root, target, name string) {
		t.Helper()
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("inside", func(t *testing.T) {
		root := writeTree(t, tree("a/1.jpg", "b/1.jpg"))
		link(t, root, "../a/1.jpg", "b/2.jpg")
		l, _, err := readClassFolders(t.Context(), ownOptions(t, root, "0%"))
		if err != nil || len(l.Rows) != 3 {
			t.Errorf("got %v, %v", l, err)
		}
	})
	t.Run("out of the folder", func(t *testing.T) {
		root, other := writeTree(t, tree("a/1.jpg")), writeTree(t, tree("1.jpg"))
		link(t, root, other, "b")
		o := ownOptions(t, root, "0%")
		if _, _, err := readClassFolders(t.Context(), o); err == nil || !strings.Contains(err.Error(), "--follow-links") {
			t.Errorf("got %v", err)
		}
		o.FollowLinks = true
		if l, _, err := readClassFolders(t.Context(), o); err != nil || len(l.Rows) != 2 {
			t.Errorf("followed: got %v, %v", l, err)
		}
	})
	t.Run("in a circle", func(t *testing.T) {
		root := writeTree(t, tree("a/1.jpg", "b/1.jpg"))
		link(t, root, "../a", "a/again")
		if _, _, err := readClassFolders(t.Context(), ownOptions(t, root, "0%")); err == nil || !strings.Contains(err.Error(), "link to a folder that it lies in") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("nowhere", func(t *testing.T) {
		root := writeTree(t, tree("a/1.jpg", "b/1.jpg"))
		link(t, root, "gone.jpg", "b/2.jpg")
		o := ownOptions(t, root, "0%")
		if _, _, err := Ingest(t.Context(), folder(), o); err == nil || !strings.Contains(err.Error(), "no b/2.jpg") {
			t.Errorf("got %v", err)
		}
		o.AllowMissing = true
		m, _, err := Ingest(t.Context(), folder(), o)
		if err != nil || len(m.Missing) != 1 || m.ProtocolSuffix() != "+subset+mine" {
			t.Errorf("got %v, %v", m, err)
		}
	})
}

func TestFolderErrors(t *testing.T) {
	list := writeTree(t, map[string]string{"unknown.txt": "a\nelephant\n", "twice.txt": "a\r\na\r\n", "all.txt": "a\nb\n"})
	for _, c := range []struct {
		name, rule, want string
		files            map[string]string
	}{
		{"no rule", "", "--train-classes does, with first-half, N%", tree("a/1.jpg", "b/1.jpg")},
		{"image beside the class folders", "first-half", "1.jpg lies in no class folder", tree("1.jpg", "a/1.jpg")},
		{"one folder too high", "first-half", "all images are of one class, \"images\"", tree("images/a/1.jpg", "images/b/1.jpg")},
		{"split beside classes", "first-half", "b beside it is no split", tree("train/a/1.jpg", "b/1.jpg")},
		{"shared class", "", `class "a" both trains (train/a/1.jpg) and tests`, tree("train/a/1.jpg", "test/a/2.jpg", "test/b/1.jpg")},
		{"training images alone", "", "none is left to test with", tree("train/a/1.jpg", "train/b/1.jpg")},
		{"query without gallery", "", "there is no gallery", tree("train/a/1.jpg", "query/b/1.jpg")},
		{"gallery without query", "", "there is no query", tree("train/a/1.jpg", "gallery/b/1.jpg")},
		{"test beside query and gallery", "", "want one way for all", tree("test/a/1.jpg", "query/b/1.jpg", "gallery/b/2.jpg")},
		{"two test splits", "", "leave out one of them", tree("train/a/1.jpg", "val/b/1.jpg", "test/c/1.jpg")},
		{"class that is not there", filepath.Join(list, "unknown.txt"), `unknown.txt:2: no class is called "elephant"; the 2 classes are "a", "b"`, tree("a/1.jpg", "b/1.jpg")},
		{"class that is listed twice", filepath.Join(list, "twice.txt"), "twice.txt:2: class \"a\" is listed twice, first in line 1", tree("a/1.jpg", "b/1.jpg")},
		{"all classes train", filepath.Join(list, "all.txt"), "all classes train", tree("a/1.jpg", "b/1.jpg")},
		{"neither rule nor file", "random", "want first-half, N%", tree("a/1.jpg", "b/1.jpg")},
		{"no image", "first-half", "there is no image", map[string]string{"a/readme.txt": "text"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := writeTree(t, c.files)
			if _, _, err := Ingest(t.Context(), folder(), ownOptions(t, root, c.rule)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestTrainRule(t *testing.T) {
	for rule, want := range map[string]string{
		"": "", "first-half": "first-half", "50%": "first-half", "0%": "0%", "99%": "99%", "some/list.txt": "list", "./first-half": "list",
	} {
		o := ownOptions(t, "raw", rule)
		if err := o.Validate(); err != nil || o.options().TrainClasses != want {
			t.Errorf("%q: got %q, %v", rule, o.options().TrainClasses, err)
		}
	}
	for _, rule := range []string{"100%", "-1%", "1.5%", "050%", "%"} {
		if err := ownOptions(t, "raw", rule).Validate(); err == nil || !strings.Contains(err.Error(), "0% to 99%") {
			t.Errorf("%q: got %v", rule, err)
		}
	}
}

// Options that do not fit a set begin with their name, as the command shows them.
func TestValidateFor(t *testing.T) {
	for _, c := range []struct {
		set, want string
		change    func(*IngestOptions)
	}{
		{"folder", "custom: folder reads data of your own", func(o *IngestOptions) { o.Custom = "" }},
		{"cub", "train-classes: the lists of cub", func(o *IngestOptions) { o.TrainClasses = "first-half" }},
		{"folder", "images: folder", func(o *IngestOptions) { o.Images = "x" }},
		{"csv", "precropped: ", func(o *IngestOptions) { o.Precropped = true }},
	} {
		o := ownOptions(t, "raw", "")
		c.change(&o)
		if err := o.ValidateFor(namedSet(t, c.set)); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.set, err, c.want)
		}
	}
}

// A table in the ways in which programs write it.
func TestCSV(t *testing.T) {
	images := tree("i/1.jpg", "i/2.jpg", "i/a,b.jpg", "i/4.jpg")
	plain := []string{"1 i/1.jpg 1=1 train", "2 i/2.jpg 2=2 test", "3 i/a,b.jpg 2=2 test"}
	for _, c := range []struct {
		name, rule, table string
		want              []string
		found             string
	}{
		{"quotes", "first-half", "path,label\ni/1.jpg,1\n\"i/2.jpg\",2\n\"i/a,b.jpg\",2\n", plain, "a table"},
		{"CRLF, byte order mark, blanks, ./, no last end", "first-half", "\ufeffpath, label\r\n./i/1.jpg,1\r\ni/2.jpg ,2\r\n\"i/a,b.jpg\",2", plain, "a table"},
		{"semicolons", "first-half", "path;label\ni/1.jpg;1\ni/2.jpg;2\ni/a,b.jpg;2\n", plain, "a table"},
		{
			"tabs, other order, index and other columns", "first-half", "\tlabel\tsequence\tpath\n0\t1\tx\ti/1.jpg\n1\t2\ty\ti/2.jpg\n2\t2\tz\ti/a,b.jpg\n", plain,
			"a table (columns that are not used: sequence)",
		},
		{
			"open-metric-learning, 1 against the rest, boxes of some, as pandas writes it", "",
			"label,path,split,is_query,is_gallery,category,x_1,x_2,y_1,y_2\n" +
				"7,i/1.jpg,train,,,shoes,,,,\n9,i/2.jpg,validation,True,True,hats,1.0,30.0,2.0,31.0\n9,i/4.jpg,validation,1,1.0,,,,,\n",
			[]string{"1 i/1.jpg 7=7 train of shoes", "2 i/2.jpg 9=9 test of hats {1 2 30 31}", "3 i/4.jpg 9=9 test"},
			"a table",
		},
		{
			"open-metric-learning, query and gallery", "",
			"path,label,split,is_query,is_gallery\ni/1.jpg,a,train,None,None\ni/2.jpg,b,validation,True,False\ni/4.jpg,b,validation,False,True\n",
			[]string{"1 i/1.jpg 1=a train", "2 i/2.jpg 2=b query", "3 i/4.jpg 2=b gallery"},
			"a table",
		},
		{"ids of the user's own", "0%", "id,path,label\n30,i/1.jpg,a\n10,i/2.jpg,b\n", []string{"30 i/1.jpg 1=a test", "10 i/2.jpg 2=b test"}, "a table"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := maps.Clone(images)
			files["table.csv"] = c.table
			l, _, err := readCSV(t.Context(), ownOptions(t, writeTree(t, files), c.rule))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, rowsOf(l)); diff != "" {
				t.Error(diff)
			}
			if l.Found != c.found || l.Rows[0].Line != "table.csv:2" || l.Lists[0].Name != "table.csv" || l.Lists[0].Rows != len(c.want) {
				t.Errorf("found %q, first row in %s, lists %v", l.Found, l.Rows[0].Line, l.Lists)
			}
		})
	}
}

// Absolute paths below the folder of the images are those below it, so that the place of the data is no
// content.
func TestCSVAbsolute(t *testing.T) {
	root := writeTree(t, tree("1.jpg", "2.jpg"))
	other := writeTree(t, map[string]string{"t.tsv": "path\tlabel\n" + filepath.Join(root, "1.jpg") + "\ta\n2.jpg\tb\n"})
	o := ownOptions(t, filepath.Join(other, "t.tsv"), "first-half")
	if _, _, err := readCSV(t.Context(), o); err == nil || !strings.Contains(err.Error(), "t.tsv:2: path") || !strings.Contains(err.Error(), "--images") {
		t.Errorf("got %v", err)
	}
	o.Images = root
	l, _, err := readCSV(t.Context(), o)
	if err != nil || l.Rows[0].Name != "1.jpg" || l.Root != root {
		t.Errorf("got %v, %v", l, err)
	}
}

func TestCSVErrors(t *testing.T) {
	long := strings.Repeat("x", maxRecordBytes+8192)
	for _, c := range []struct{ name, table, want string }{
		{"empty", "", "table.csv:1: table is empty"},
		{"no rows", "path,label\n", "no row below"},
		{"no header", "i/1.jpg,1\ni/2.jpg,2\n", "table.csv:1: want the names of columns in the first line, path and label among them"},
		{"column twice", "path,label,label\n", "table.csv:1: column \"label\" is there twice"},
		{"too few columns", "path,label\n1.jpg\n", "table.csv:2: want 2 columns"},
		{"bare quote", "path,label\n1\"2.jpg,3\n", "table.csv:2: column 2"},
		{"open quote", "path,label\n\"" + long + "\n", "is a quote not closed?"},
		{"UTF-16", "\xff\xfep\x00", "save it in UTF-8"},
		{"control character", "path,label\n1.jpg,\x1b[31m\n", "table.csv:2: not text"},
		{"not UTF-8", "path,label\n1.jpg,\xe4\n", "table.csv:2: not text"},
		{"no label", "path,label\n1.jpg,\n", "table.csv:2: the image has no label"},
		{"label -1", "path,label\n1.jpg,-1\n", "table.csv:2: label is -1"},
		{"leaves the folder", "path,label\n../1.jpg,a\n", "table.csv:2: path \"../1.jpg\" leaves"},
		{"no path", "path,label\n,a\n", "table.csv:2: path \"\" is not a clean path"},
		{"twice", "path,label\n1.jpg,a\n1.jpg,b\n", "table.csv:3: image \"1.jpg\" is listed twice, first in table.csv:2"},
		{"split", "path,label,split\n1.jpg,a,trian\n", "table.csv:2: split, want train"},
		{"split of some", "path,label,split\n1.jpg,a,train\n2.jpg,b,\n", "table.csv:3: the image has no split"},
		{"flag", "path,label,is_query,is_gallery\n1.jpg,a,perhaps,1\n", "table.csv:2: is_query, want True"},
		{"train and query", "path,label,split,is_query,is_gallery\n1.jpg,a,train,1,0\n", "table.csv:2: split \"train\" does not fit"},
		{"neither", "path,label,split,is_query,is_gallery\n1.jpg,a,validation,0,0\n", "table.csv:2: the image tests, but is neither"},
		{"mixed searches", "path,label,split,is_query,is_gallery\n1.jpg,a,validation,1,1\n2.jpg,b,validation,1,0\n3.jpg,b,validation,0,1\n", "want one way for all"},
		{"half a box", "path,label,x_1,y_1,x_2,y_2\n1.jpg,a,1,,3,4\n", "table.csv:2: box, want x_1"},
		{"empty box", "path,label,x_1,y_1,x_2,y_2\n1.jpg,a,3,2,3,4\n", "table.csv:2: box, want x_1 < x_2"},
		{"half a pixel", "path,label,x_1,y_1,x_2,y_2\n1.jpg,a,1.5,2,3,4\n", "table.csv:2: box, want whole numbers"},
		{"id", "id,path,label\nx,1.jpg,a\n", "table.csv:2: id, want whole numbers"},
		{"no id", "id,path,label\n,1.jpg,a\n", "table.csv:2: the image has no id"},
		{"id twice", "id,path,label,split\n4,1.jpg,a,train\n4,2.jpg,b,test\n", "table.csv:3: id 4 is taken by table.csv:2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := writeTree(t, map[string]string{"table.csv": c.table + " "})
			if err := os.WriteFile(filepath.Join(root, "table.csv"), []byte(c.table), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, _, err := Ingest(t.Context(), csvTable(), ownOptions(t, root, "")); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	root := writeTree(t, map[string]string{"a.csv": "path,label\n", "b.tsv": "path\tlabel\n"})
	if _, _, err := Ingest(t.Context(), csvTable(), ownOptions(t, root, "")); err == nil || !strings.Contains(err.Error(), "name one of them") {
		t.Errorf("two tables: got %v", err)
	}
}

// An image may be there once for each of its boxes when it is cropped to them, and else only once.
func TestCSVBoxes(t *testing.T) {
	files := tree("1.jpg", "2.jpg")
	files["t.csv"] = "path,label,split,x_1,y_1,x_2,y_2\n1.jpg,a,test,0,0,20,20\n1.jpg,b,test,20,0,40,30\n2.jpg,a,test,1,1,30,30\n"
	o := ownOptions(t, writeTree(t, files), "")
	if _, _, err := Ingest(t.Context(), csvTable(), o); err == nil || !strings.Contains(err.Error(), "with --crop box") {
		t.Errorf("got %v", err)
	}
	o.Crop = CropBox
	m, dir, err := Ingest(t.Context(), csvTable(), o)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if protocols, failed := m.Protocols(); failed != nil || len(protocols) != 1 || protocols[0].ID+m.ProtocolSuffix() != "csv-loo+box+mine" {
		t.Errorf("protocols are %v, %v", protocols, failed)
	}
	if box := d.Box(2); d.Len() != 3 || box == nil || *box != (Box{20, 0, 40, 30}) {
		t.Errorf("%d rows, box %v", d.Len(), box)
	}
	o.Raw = writeTree(t, map[string]string{"t.csv": "path,label,split\n1.jpg,a,test\n2.jpg,b,test\n", "1.jpg": "", "2.jpg": ""})
	if _, _, err = Ingest(t.Context(), csvTable(), o); err == nil || !strings.Contains(err.Error(), "the data have no boxes") {
		t.Errorf("got %v", err)
	}
}

// The same images and classes give the same rows and images from class folders and from a table: what an
// evaluation depends on is equal. The digests differ, because the names of the sets do.
func TestOwnSetsAgree(t *testing.T) {
	files := tree("a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg", "c/1.jpg", "c/2.jpg", "d/1.jpg", "d/2.jpg")
	root := writeTree(t, files)
	table := "path,label\n"
	for _, name := range slices.Sorted(maps.Keys(files)) {
		table += name + "," + filepath.Dir(name) + "\n"
	}
	if err := os.WriteFile(filepath.Join(root, "a", "t.csv"), []byte(table), 0o644); err != nil {
		t.Fatal(err)
	}
	o := ownOptions(t, root, "first-half")
	_, a, err := Ingest(t.Context(), folder(), o)
	if err != nil {
		t.Fatal(err)
	}
	o.Raw, o.Images = filepath.Join(root, "a", "t.csv"), root
	_, b, err := Ingest(t.Context(), csvTable(), o)
	if err != nil {
		t.Fatal(err)
	}
	var tests, digests []string
	for _, dir := range []string{a, b} {
		d, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		tests, digests = append(tests, d.TestHash(d.Rows(Test))), append(digests, d.Digest())
		if err = d.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err = Verify(t.Context(), dir, nil); err != nil {
			t.Error(err)
		}
	}
	if tests[0] != tests[1] || digests[0] == digests[1] {
		t.Errorf("test hashes %v, digests %v", tests, digests)
	}
}

// A second ingest writes nothing; what is only ignored is counted again; another rule writes the set again.
func TestOwnUpToDate(t *testing.T) {
	root := writeTree(t, tree("a/1.jpg", "b/1.jpg", "c/1.jpg", "d/1.jpg"))
	o := ownOptions(t, root, "first-half")
	first, dir, err := Ingest(t.Context(), folder(), o)
	if err != nil || !first.Fresh {
		t.Fatal(first, err)
	}
	if err = os.WriteFile(filepath.Join(root, "a", "notes.txt"), []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	again, _, err := Ingest(t.Context(), folder(), o)
	if err != nil || again.Fresh || again.Digest != first.Digest || again.Receipt.Other != 1 {
		t.Errorf("again: %+v, %v", again, err)
	}
	if m, failed := ReadManifest(dir); failed != nil || m.Receipt.Other != 1 {
		t.Errorf("manifest: %v, %v", m, failed)
	}
	o.TrainClasses = "30%"
	third, _, err := Ingest(t.Context(), folder(), o)
	if err != nil || !third.Fresh || third.Digest == first.Digest || third.Counts["train"] != 1 {
		t.Errorf("another rule: %+v, %v", third, err)
	}
}

// The bytes of a manifest of an earlier version, with its seal and its digest, are those of this one: the
// options of own data leave no trace in it.
func TestOwnOptionsAreNotInPublishedSets(t *testing.T) {
	s := newRawSet(t)
	m, _, err := ingestSet(t.Context(), s.set(), s.options(t), standardLimits())
	if err != nil {
		t.Fatal(err)
	}
	data, err := m.encode()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(data, []byte("train_classes")) {
		t.Error("manifest has train_classes")
	}
	const before = "4ca09374d4e4a31f60b0d13c0d32efd2f5b0194ef2a396fc00b017b2d688aeac" // as the version before own data wrote it for the same images
	if m.Digest != before {
		t.Errorf("digest is %s, want %s", m.Digest, before)
	}
}

func FuzzCSV(f *testing.F) {
	for _, seed := range []string{
		"path,label\n1.jpg,a\n2.jpg,b\n", "\ufeffpath;label;split\r\n\"1;.jpg\";a;train\r\n2.jpg;b;test\r\n",
		"path\tlabel\tis_query\tis_gallery\tx_1\ty_1\tx_2\ty_2\tid\n1.jpg\t1\tTrue\tFalse\t1\t2\t3\t4\t9\n", "path,label\n\"", "\xff\xfe",
	} {
		f.Add([]byte(seed), "first-half")
	}
	f.Fuzz(func(t *testing.T, data []byte, rule string) {
		file := filepath.Join(t.TempDir(), "t.csv")
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		o := ownOptions(t, file, rule)
		if o.Validate() != nil || strings.ContainsAny(rule, "/\x00") {
			return
		}
		l, _, err := readCSV(t.Context(), o)
		if err != nil {
			return
		}
		for _, r := range l.Rows {
			if badPath(r.File) != "" || r.ClassName == "" || r.Class < 0 || r.ID < 1 || splitRank(r.Split) > 3 {
				t.Errorf("row %+v", r)
			}
		}
	})
}

func FuzzTrainClasses(f *testing.F) {
	f.Add([]byte("a\nb\n"))
	f.Add([]byte("\ufeffb\r\n"))
	f.Add([]byte("elephant"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file := filepath.Join(t.TempDir(), "classes.txt")
		if err := os.WriteFile(file, data, 0o644); err != nil {
			t.Fatal(err)
		}
		rule := &trainRule{percent: -1, file: file}
		train, lists, err := rule.pick(t.Context(), []string{"a", "b", "c"})
		if err == nil && (len(train) != lists[0].Rows || len(train) == 0) {
			t.Errorf("%d classes of %v", len(train), lists)
		}
	})
}
