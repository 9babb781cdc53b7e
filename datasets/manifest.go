package datasets

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// manifestName is the file that is written last: a folder without it is no data set.
	manifestName = "manifest.json"
	// indexName is the Arrow file that holds every column but the images, and where each image lies.
	indexName = "index.arrow"
	// schemaVersion is the version of the folder's layout and columns.
	schemaVersion = 1
	// preprocessing is the version of what is done to pixels; it rises when the same options give
	// other pixels.
	preprocessing = 1
	// maxManifestBytes is the largest manifest that is read. A million names of missing images fit.
	maxManifestBytes = 128 << 20
	// leastRowBytes is less than the bytes of a row in the index: two digests, and six numbers.
	leastRowBytes = 2*32 + 6*4
)

// Manifest describes a prepared data set: the content of manifest.json.
type Manifest struct {
	Schema  int     `json:"schema"`
	Set     string  `json:"set"`
	Release string  `json:"release"` // "official", VehicleID "papers" or "public", or the custom name
	Variant string  `json:"variant"` // name of the folder: release, crop, padding, size, storage
	Layout  string  `json:"layout"`  // the published layout that was found, in words
	Options Options `json:"options"`
	Lists   []List  `json:"lists"` // the list files that were read

	Rows     int            `json:"rows"`
	Counts   map[string]int `json:"counts"`   // images per split
	Classes  map[string]int `json:"classes"`  // classes per split
	Unlisted int            `json:"unlisted"` // images that are in no split list and were left out

	Parts      []Part        `json:"parts"`
	Index      Part          `json:"index"`      // index.arrow: the columns without the images
	Missing    []string      `json:"missing"`    // names of listed images that do not exist
	Quarantine []Quarantined `json:"quarantine"` // images that could not be read

	Receipt *Receipt `json:"receipt,omitempty"` // of all rows and files; earlier versions wrote none

	Digest      string `json:"digest"` // of content and options, not of paths, times, workers or the version of the tool
	Subset      bool   `json:"subset"` // images were missing or quarantined
	ToolVersion string `json:"tool_version"`

	// Seal is the SHA-256 of everything before it in the file. It is the last key. Manifests of
	// earlier versions have none.
	Seal string `json:"seal,omitempty"`

	Fresh   bool `json:"-"` // the folder was written now; else it was up to date
	Resumed int  `json:"-"` // rows that an interrupted ingest had dealt with
}

// Options are the choices that decide what is stored.
type Options struct {
	Custom        string `json:"custom,omitempty"` // name of a release that is not published
	Crop          string `json:"crop"`             // none or box
	Precropped    bool   `json:"precropped"`       // the source images were box crops already
	Size          int    `json:"size"`             // pixels
	Pad           bool   `json:"pad"`
	HighRes       bool   `json:"highres,omitempty"`       // In-Shop: the source images were those of high resolution
	Store         string `json:"store"`                   // jpeg or rgb
	Preprocessing int    `json:"preprocessing"`           // version of the pixel arithmetic
	TrainClasses  string `json:"train_classes,omitempty"` // own data: the rule that divided the classes
}

// Part is an Arrow file of a data set.
type Part struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
	Rows   int    `json:"rows"`
}

// Quarantined is an image that is listed but could not be read.
type Quarantined struct {
	Name   string `json:"name"`
	Line   string `json:"line"` // of the list that names it
	Reason string `json:"reason"`
	SHA256 string `json:"sha256"` // of the broken file: when the file changes, the data set is out of date
}

// ProtocolSuffix returns what follows the name of a protocol, so that only results on equal data
// are compared: "+highres" for In-Shop's images of high resolution, "+box" for box crops, "+subset" where images are missing, "+NAME" for a custom
// release.
func (m Manifest) ProtocolSuffix() string {
	suffix := ""
	if m.Options.HighRes {
		suffix += "+highres"
	}
	if m.Options.Precropped || m.Options.Crop == CropBox {
		suffix += "+box"
	}
	if m.Subset {
		suffix += "+subset"
	}
	if m.Options.Custom != "" {
		suffix += "+" + m.Options.Custom
	}
	return suffix
}

// Protocols returns the protocols that the data set is evaluated by: those of its set for which it has
// images.
func (m Manifest) Protocols() ([]Protocol, error) {
	set, err := Lookup(m.Set)
	if err != nil || !set.Own() {
		return set.Protocols, err
	}
	return slices.DeleteFunc(set.Protocols, func(p Protocol) bool {
		if p.Kind == KindQueryGallery {
			return m.Counts[string(Query)] == 0 || m.Counts[string(Gallery)] == 0
		}
		return m.Counts[string(Test)] == 0
	}), nil
}

// ReadManifest reads the manifest of the data set in dir. It compares the manifest with its seal, and
// what it says with itself; Open compares it with the index too.
func ReadManifest(dir string) (*Manifest, error) {
	folder, err := openFolder(dir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	return readManifest(folder)
}

// openFolder opens the folder of a data set.
func openFolder(dir string) (*os.File, error) {
	folder, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noManifestError(dir)
	}
	return folder, err
}

// readManifest is ReadManifest in an open folder.
func readManifest(folder *os.File) (*Manifest, error) {
	f, size, err := openIn(folder, manifestName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noManifestError(folder.Name())
	}
	if err != nil {
		return nil, err
	}
	data, err := readAll(f, f.Name(), size, maxManifestBytes)
	if err != nil {
		return nil, err
	}
	m, err := parseManifest(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	return m, nil
}

// noManifestError is the error of a folder that is no data set.
func noManifestError(dir string) error {
	return fmt.Errorf("no prepared data set in %s (it has no %s); run \"bierbench ingest\" first: %w", dir, manifestName, fs.ErrNotExist)
}

// parseManifest reads the bytes of a manifest.
func parseManifest(data []byte) (*Manifest, error) {
	var version struct {
		Schema int    `json:"schema"`
		Seal   string `json:"seal"`
	}
	if err := json.Unmarshal(data, &version); err != nil {
		return nil, err
	}
	if version.Schema != schemaVersion {
		return nil, fmt.Errorf("schema is %d, want %d; ingest again", version.Schema, schemaVersion)
	}
	if version.Seal != "" {
		if err := checkSeal(data, version.Seal); err != nil {
			return nil, err
		}
	}
	var m Manifest
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields() // a key that is misspelt by a flipped bit is not one that is left out
	if err := d.Decode(&m); err != nil {
		return nil, err
	}
	return &m, m.check()
}

// check compares what a manifest says with itself.
func (m Manifest) check() error {
	rows, images := 0, 0
	for i, p := range append([]Part{m.Index}, m.Parts...) {
		if !filepath.IsLocal(p.Name) || p.Name != filepath.Base(p.Name) {
			return fmt.Errorf("part name %q is not a plain file name", p.Name)
		}
		if p.Rows < 1 || p.Bytes < 1 || int64(p.Rows) > p.Bytes/leastRowBytes && i == 0 || p.Rows > m.Rows {
			return fmt.Errorf("%s has %d rows in %d bytes, which cannot be", p.Name, p.Rows, p.Bytes)
		}
		rows += p.Rows
	}
	for split, n := range m.Counts {
		if !slices.Contains(splitOrder(), Split(split)) || n < 1 || n > m.Rows {
			return fmt.Errorf("counts are %v, want images of the splits %v", m.Counts, splitOrder())
		}
		images += n
	}
	switch left := len(m.Missing) + len(m.Quarantine); {
	case m.Rows <= 0 || m.Index.Rows != m.Rows || rows != 2*m.Rows:
		return fmt.Errorf("rows is %d, index has %d, parts have %d, want the same", m.Rows, m.Index.Rows, rows-m.Index.Rows)
	case images != m.Rows:
		return fmt.Errorf("counts are %v, want %d images in all", m.Counts, m.Rows)
	case m.Subset != (left > 0):
		return fmt.Errorf("subset is %t, but %d images are missing or in quarantine", m.Subset, left)
	case m.Variant != m.Options.variant(m.Release):
		return fmt.Errorf("variant is %q, want %q of release and options", m.Variant, m.Options.variant(m.Release))
	case m.Options.Custom == "" && !slices.Contains(publishedReleases(), m.Release), m.Options.Custom != "" && m.Release != m.Options.Custom:
		return fmt.Errorf("release is %q, but option custom is %q", m.Release, m.Options.Custom)
	}
	texts := append([]string{m.Set, m.Release, m.Layout, m.ToolVersion, m.Digest, m.Options.TrainClasses}, m.Missing...)
	for _, q := range m.Quarantine {
		texts = append(texts, q.Name, q.Line, q.Reason)
	}
	if m.Receipt != nil {
		texts = append(texts, m.Receipt.FirstUnnamed...)
	}
	for _, text := range texts { // they are printed
		if strings.ContainsFunc(text, isControl) {
			return fmt.Errorf("%s has control characters", quote(text))
		}
	}
	if err := m.Options.validate(); err != nil {
		return fmt.Errorf("options: %w", err)
	}
	if m.Receipt != nil {
		return m.Receipt.check(m)
	}
	return nil
}

// encode returns the bytes of manifest.json with their seal.
func (m Manifest) encode() ([]byte, error) {
	m.Seal = ""
	return sealJSON(m)
}

// sealJSON returns an object as JSON with a seal as its last key.
func sealJSON(v any) ([]byte, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, err
	}
	sealed := bytes.TrimSuffix(data, []byte("\n}"))
	return append(sealed, sealLine(hashOf(sealed))...), nil
}

// sealLine is what follows the sealed bytes of a manifest.
func sealLine(seal string) string { return fmt.Sprintf(",\n  \"seal\": %q\n}\n", seal) }

// checkSeal compares the bytes of a manifest with the seal that they have.
func checkSeal(data []byte, seal string) error {
	sealed, last := bytes.CutSuffix(data, []byte(sealLine(seal)))
	if !last || hashOf(sealed) != seal {
		return errors.New("file does not fit its seal: it was changed after it was written; ingest again")
	}
	return nil
}

// hashOf returns the SHA-256 of data, hexadecimal.
func hashOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// write puts the manifest into dir.
func (m Manifest) write(dir string) error {
	data, err := m.encode()
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, manifestName), data)
}

// Entry is a prepared data set in a workspace.
type Entry struct{ Set, Variant, Dir string }

// Prepared returns the data sets in a workspace's datasets folder, sorted by set and variant. A
// folder without a manifest is not a data set. A datasets folder that does not exist holds none.
func Prepared(dir string) ([]Entry, error) {
	var entries []Entry
	sets, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, set := range sets {
		if _, unknown := Lookup(set.Name()); unknown != nil {
			continue
		}
		variants, err := os.ReadDir(filepath.Join(dir, set.Name()))
		if err != nil {
			return nil, err
		}
		for _, variant := range variants {
			path := filepath.Join(dir, set.Name(), variant.Name())
			if variant.Name()[0] == '.' {
				continue // left by an interrupted ingest
			}
			if _, err = os.Stat(filepath.Join(path, manifestName)); err == nil {
				entries = append(entries, Entry{set.Name(), variant.Name(), path})
			}
		}
	}
	return entries, nil
}
