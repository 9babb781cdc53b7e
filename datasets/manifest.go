package datasets

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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

	Digest      string `json:"digest"` // of content and options, not of paths, times, workers or the version of the tool
	Subset      bool   `json:"subset"` // images were missing or quarantined
	ToolVersion string `json:"tool_version"`

	Fresh bool `json:"-"` // the folder was written now; else it was up to date
}

// Options are the choices that decide what is stored.
type Options struct {
	Custom        string `json:"custom,omitempty"` // name of a release that is not published
	Crop          string `json:"crop"`             // none or box
	Precropped    bool   `json:"precropped"`       // the source images were box crops already
	Size          int    `json:"size"`             // pixels
	Pad           bool   `json:"pad"`
	Store         string `json:"store"`         // jpeg or rgb
	Preprocessing int    `json:"preprocessing"` // version of the pixel arithmetic
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

// listRecord is List as it is in manifest.json.
type listRecord struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Rows   int    `json:"rows"`
}

// MarshalJSON writes the list with the manifest's lower-case keys.
func (l List) MarshalJSON() ([]byte, error) { return json.Marshal(listRecord(l)) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (l *List) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, (*listRecord)(l)) }

// ProtocolSuffix returns what follows the name of a protocol, so that only results on equal data
// are compared: "+box" for box crops, "+subset" where images are missing, "+NAME" for a custom
// release.
func (m Manifest) ProtocolSuffix() string {
	suffix := ""
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

// ReadManifest reads the manifest of the data set in dir.
func ReadManifest(dir string) (*Manifest, error) {
	path := filepath.Join(dir, manifestName)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no prepared data set in %s (it has no %s); run \"bierbench ingest\" first: %w", dir, manifestName, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	var m Manifest
	if err = json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if m.Schema != schemaVersion {
		return nil, fmt.Errorf("%s: schema is %d, want %d; ingest again", path, m.Schema, schemaVersion)
	}
	rows := 0
	for _, p := range append([]Part{m.Index}, m.Parts...) {
		if !filepath.IsLocal(p.Name) || p.Name != filepath.Base(p.Name) {
			return nil, fmt.Errorf("%s: part name %q is not a plain file name", path, p.Name)
		}
		rows += p.Rows
	}
	if m.Rows <= 0 || m.Index.Rows != m.Rows || rows != 2*m.Rows {
		return nil, fmt.Errorf("%s: rows is %d, index has %d, parts have %d, want the same", path, m.Rows, m.Index.Rows, rows-m.Index.Rows)
	}
	return &m, nil
}

// write puts the manifest into dir.
func (m Manifest) write(dir string) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, manifestName), append(data, '\n'))
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
