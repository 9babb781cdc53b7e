package backbones

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"bierbench/models/internal/sealed"
)

// A backbone of the name file:NAME stands for features that were made elsewhere. Each data set has
// features of its own under the name, in a folder of the feature cache:
//
//	file-NAME/<set>.<variant>/import.json       what they are (Import), with a seal; written last
//	file-NAME/<set>.<variant>/<digest>.arrow    the features, as cached ones are; the first 32 digits
const (
	filePrefix   = "file:"
	folderPrefix = "file-" // a colon is no part of a folder's name on every system
	importFile   = "import.json"
	importSchema = 1
	importText   = 2000 // most bytes of a text about features
	importName   = 100  // of a name
	importBytes  = 16 << 10
	// MaxImportWidth is the largest width of an imported feature.
	MaxImportWidth = 1 << 16
)

// Imported says which features made elsewhere a cell is trained on.
type Imported struct {
	Digest        string `json:"digest"` // SHA-256, hex: Features.Digest
	Width         int    `json:"width"`
	Origin        string `json:"origin,omitempty"`        // what made them, in the words of the user
	Preprocessing string `json:"preprocessing,omitempty"` // of the images, likewise
}

// An Import is the features of one data set that were made elsewhere.
type Import struct {
	Name     string   `json:"name"` // NAME of file:NAME
	Set      string   `json:"set"`
	Variant  string   `json:"variant"`
	Data     string   `json:"data"`   // digest of the data set whose images they are of
	Images   int      `json:"images"` // number
	Features Imported `json:"features"`
}

// Backbone returns the name of the backbone.
func (i Import) Backbone() string { return filePrefix + i.Name }

// ImportName returns the name of imported features, dinov2 of the backbone file:dinov2. ok is false
// for any other backbone.
func ImportName(backbone string) (name string, ok bool) {
	return strings.CutPrefix(backbone, filePrefix)
}

// CheckImportName returns an error unless features may have the name: letters, digits and -_.+, the
// first one a letter or a digit.
func CheckImportName(name string) error {
	plain := func(r rune) bool { return r <= unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) }
	other := func(r rune) bool { return !plain(r) && !strings.ContainsRune("-_.+", r) }
	if name == "" || len(name) > importName || strings.ContainsFunc(name, other) || !plain(rune(name[0])) {
		return fmt.Errorf("%q is no name of features; want up to %d letters, digits and -_.+, such as dinov2", name, importName)
	}
	return nil
}

// importedBackbone returns the backbone of imported features. Their width is not known before a data
// set is: it is 0.
func importedBackbone(name string) (Backbone, error) {
	if err := CheckImportName(name); err != nil {
		return Backbone{}, fmt.Errorf("backbone: %s: %w", filePrefix+name, err)
	}
	return Backbone{
		Name: filePrefix + name, Imported: true,
		Card: Card{Network: "none: the features were made elsewhere, see features; only what was trained on them is in the file"},
	}, nil
}

// Digest returns the SHA-256 of the ids and the values, hex.
func (f Features) Digest() string {
	hash := sha256.New()
	fmt.Fprintf(hash, "features %d %d\n", len(f.IDs), f.Width)
	var row []byte
	for i, id := range f.IDs {
		row = binary.LittleEndian.AppendUint64(row[:0], uint64(id))
		for _, v := range f.Values[i*f.Width : (i+1)*f.Width] {
			row = binary.LittleEndian.AppendUint32(row, math.Float32bits(v))
		}
		_, _ = hash.Write(row) // a hash returns no error
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// check returns an error unless the import may be stored.
func (i Import) check() error {
	if err := CheckImportName(i.Name); err != nil {
		return err
	}
	for _, part := range []string{i.Set, i.Variant} {
		if part == "" || part != filepath.Base(part) || strings.HasPrefix(part, ".") {
			return fmt.Errorf("data set %s/%s: want names of folders", i.Set, i.Variant)
		}
	}
	if d, err := hex.DecodeString(i.Features.Digest); err != nil || len(d) != sha256.Size {
		return fmt.Errorf("digest %q is no SHA-256", i.Features.Digest)
	}
	if w := i.Features.Width; w < 1 || w > MaxImportWidth {
		return fmt.Errorf("width %d; want 1 to %d", w, MaxImportWidth)
	}
	return i.Features.CheckTexts()
}

// CheckTexts returns an error unless origin and preprocessing are lines of text.
func (i Imported) CheckTexts() error {
	for _, t := range []struct{ what, text string }{{"origin", i.Origin}, {"preprocessing", i.Preprocessing}} {
		switch {
		case len(t.text) > importText:
			return fmt.Errorf("%s: %d bytes; want at most %d", t.what, len(t.text), importText)
		case !utf8.ValidString(t.text) || strings.ContainsFunc(t.text, unicode.IsControl):
			return fmt.Errorf("%s: %q; want one line of text", t.what, t.text)
		case strings.Contains(t.text, sealed.Mark):
			return fmt.Errorf("%s: %q marks the seal of a file; want other words", t.what, sealed.Mark)
		}
	}
	return nil
}

// Changes names what differs between the features of a record and those that are there now, in
// words. Nil stands for none.
func (i *Imported) Changes(now *Imported) string {
	var was, is Imported
	if i != nil {
		was = *i
	}
	if now != nil {
		is = *now
	}
	var changes []string
	differ := func(what, a, b string) {
		if a != b {
			changes = append(changes, fmt.Sprintf("%s %s -> %s", what, cmp.Or(a, "none"), cmp.Or(b, "none")))
		}
	}
	differ("SHA-256", was.Digest[:min(12, len(was.Digest))], is.Digest[:min(12, len(is.Digest))])
	differ("width", fmt.Sprint(was.Width), fmt.Sprint(is.Width))
	quoted := func(text string) string {
		if text == "" {
			return ""
		}
		return fmt.Sprintf("%q", text)
	}
	differ("origin", quoted(was.Origin), quoted(is.Origin))
	differ("preprocessing", quoted(was.Preprocessing), quoted(is.Preprocessing))
	return strings.Join(changes, ", ")
}

// ImportDir returns the folder of imported features, inside dir, that of the feature cache.
func ImportDir(dir, name string) string { return filepath.Join(dir, folderPrefix+name) }

// folder returns the folder of an import.
func (i Import) folder(dir string) string {
	return filepath.Join(ImportDir(dir, i.Name), i.Set+"."+i.Variant)
}

// Path returns the file of the features, inside dir, that of the feature cache.
func (i Import) Path(dir string) string {
	return filepath.Join(i.folder(dir), i.Features.Digest[:min(32, len(i.Features.Digest))]+".arrow")
}

// ErrImportDamaged is the error of imported features that are not as they were written. Importing
// them again mends them.
var ErrImportDamaged = errors.New("the imported features are damaged")

// WriteImport stores the features of a data set, in the place of earlier ones of the same name. They
// appear whole or not at all. The caller holds a lock; no other process writes into the folder.
func WriteImport(dir string, i Import, f Features) error {
	i.Features.Digest, i.Features.Width, i.Images = f.Digest(), f.Width, len(f.IDs)
	if err := i.check(); err != nil {
		return fmt.Errorf("store the features %s: %w", i.Backbone(), err)
	}
	folder := i.folder(dir)
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return fmt.Errorf("store the features %s: %w", i.Backbone(), err)
	}
	f.Key = i.Features.Digest
	if err := WriteFeatures(i.Path(dir), f); err != nil {
		return err
	}
	if err := writeImportFile(filepath.Join(folder, importFile), i); err != nil {
		return err
	}
	entries, err := os.ReadDir(folder) // earlier features, and what killed processes left
	if err != nil {
		return fmt.Errorf("store the features %s: %w", i.Backbone(), err)
	}
	for _, e := range entries {
		if e.Name() == importFile || e.Name() == filepath.Base(i.Path(dir)) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(folder, e.Name())); err != nil {
			return fmt.Errorf("store the features %s: %w", i.Backbone(), err)
		}
	}
	return nil
}

// storedImport is import.json.
type storedImport struct {
	Schema int    `json:"schema"`
	Seal   string `json:"seal"`
	Import
}

func writeImportFile(path string, i Import) error {
	data, err := json.MarshalIndent(storedImport{importSchema, sealed.Placeholder(), i}, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return sealed.Replace(path, func(w *os.File) error {
		if _, err := w.Write(append(data, '\n')); err != nil {
			return err
		}
		return sealed.Seal(w)
	})
}

// ReadImport returns what is known of the features of a name for a data set, without reading them.
// If there are none, the error is fs.ErrNotExist.
func ReadImport(dir, name, set, variant string) (Import, error) {
	want := Import{Name: name, Set: set, Variant: variant}
	path := filepath.Join(want.folder(dir), importFile)
	i, err := readImportFile(path)
	if err == nil && (i.Name != name || i.Set != set || i.Variant != variant) {
		err = fmt.Errorf("%w: it is of %s for %s/%s", ErrImportDamaged, i.Backbone(), i.Set, i.Variant)
	}
	if err == nil {
		if _, gone := os.Stat(i.Path(dir)); errors.Is(gone, fs.ErrNotExist) {
			err = fmt.Errorf("%w: there is no %s", ErrImportDamaged, filepath.Base(i.Path(dir)))
		}
	}
	if err != nil {
		return Import{}, fmt.Errorf("read %s: %w", path, err)
	}
	return i, nil
}

func readImportFile(path string) (i Import, err error) {
	f, err := sealed.Open(path)
	if err != nil {
		return i, err
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, importBytes+1))
	if err != nil {
		return i, err
	}
	if len(data) > importBytes {
		return i, fmt.Errorf("%w: more than %d bytes", ErrImportDamaged, importBytes)
	}
	if err = sealed.Check(f); err != nil {
		return i, fmt.Errorf("%w: %w", ErrImportDamaged, err)
	}
	var stored storedImport
	if err = json.Unmarshal(data, &stored); err != nil {
		return i, fmt.Errorf("%w: %w", ErrImportDamaged, err)
	}
	if stored.Schema != importSchema {
		return i, fmt.Errorf("schema version %d, want %d: another version of bierbench wrote it", stored.Schema, importSchema)
	}
	return stored.Import, stored.check()
}

// ReadImported reads the features of an import. No byte of them has changed since they were written.
func ReadImported(dir string, i Import) (Features, error) {
	f, err := ReadFeatures(i.Path(dir), i.Features.Digest)
	switch unreadable := (*fs.PathError)(nil); {
	case err == nil && f.Width == i.Features.Width:
		return f, nil
	case err == nil:
		err = fmt.Errorf("read features %s: width %d, want %d", i.Path(dir), f.Width, i.Features.Width)
	case errors.As(err, &unreadable): // the system cannot read it: it may be whole
		return Features{}, err
	}
	return Features{}, fmt.Errorf("%w: %w", ErrImportDamaged, err)
}

// Imports returns what is imported, by name and data set. What cannot be read is an error of broken,
// and hides nothing else.
func Imports(dir string) (all []Import, broken []error, err error) {
	names, err := foldersIn(dir, folderPrefix)
	if err != nil {
		return nil, nil, fmt.Errorf("list imported features: %w", err)
	}
	for _, name := range names {
		name = strings.TrimPrefix(name, folderPrefix)
		sets, err := foldersIn(ImportDir(dir, name), "")
		if err != nil {
			return nil, nil, fmt.Errorf("list imported features: %w", err)
		}
		for _, folder := range sets {
			set, variant, _ := strings.Cut(folder, ".")
			i, err := ReadImport(dir, name, set, variant)
			switch {
			case errors.Is(err, fs.ErrNotExist): // a killed process had not finished it
			case err != nil:
				broken = append(broken, err)
			default:
				all = append(all, i)
			}
		}
	}
	slices.SortFunc(all, func(a, b Import) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Set, b.Set), cmp.Compare(a.Variant, b.Variant))
	})
	return all, broken, nil
}

// foldersIn returns the names of the folders in dir that begin with prefix; none where there is no
// dir. A link to a folder is one.
func foldersIn(dir, prefix string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) && (e.IsDir() || e.Type()&fs.ModeSymlink != 0) {
			names = append(names, e.Name())
		}
	}
	return names, err
}
