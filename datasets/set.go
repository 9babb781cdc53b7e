package datasets

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Split is the part of a data set that an image belongs to.
type Split string

// The splits, in the order in which prepared files are sorted. Sets that are evaluated by leaving
// one out have train and test; In-Shop has train, query and gallery.
const (
	Train   Split = "train"
	Test    Split = "test"
	Query   Split = "query"
	Gallery Split = "gallery"
)

// Box is a rectangle in pixels of the original image, 0-based and half-open: X0 <= x < X1 and Y0 <=
// y < Y1. As read from a list, it is in pixels of the file and may lie partly outside its image; as
// stored, it is turned upright with the image and clipped to it.
type Box struct{ X0, Y0, X1, Y1 int }

// Row is one image of the official lists.
type Row struct {
	ID         int64  // the number in the list or, where it has none, the 1-based row
	Name       string // the list's path or name, leading zeros kept
	File       string // image file, slash path relative to Layout.Root
	Class      int32  // the class number in the list
	ClassName  string // never empty
	Superclass string // empty where the set has none
	Split      Split
	List       uint8  // VehicleID's test lists as bits: 1 = 800, 2 = 1600, 4 = 2400; else 0
	Box        *Box   // nil where the lists give none; not clipped to the image
	Line       string // "file:line" or "file:row n" of the list, relative to Layout.Root
}

// List is a list file that was read.
type List struct {
	Name   string `json:"name"`   // slash path relative to Layout.Root
	SHA256 string `json:"sha256"` // of the file's bytes, hexadecimal
	Rows   int    `json:"rows"`   // rows of data, without header lines
}

// Layout is what the official lists of a data set say.
type Layout struct {
	Set      string // name of the set
	Root     string // name of the source that List.Name and Row.File are relative to
	Found    string // the layout that was found, in words
	Release  string // "official", VehicleID "papers" or "public", or the custom name
	Lists    []List
	Rows     []Row // in the order of the lists
	Unlisted int   // VehicleID: images that are in no split list and so are not in Rows
	unlisted []Row // these images

	HighRes bool // In-Shop: the images are of high resolution, and not those of 256x256 that the boxes refer to
	most    int  // pixels of the longest side of the published images that the boxes refer to; 0 where it is not known
}

// Protocol is one way in which a set's test images are searched.
type Protocol struct {
	ID      string // such as "cub-loo"
	Kind    string // KindLeaveOneOut, KindQueryGallery or KindOneGallery
	List    uint8  // bit of Row.List that a test image must have; 0 stands for all test images
	Recalls []int  // the K of R@K, ascending
}

// The kinds of protocol.
const (
	// KindLeaveOneOut searches each test image among all other test images.
	KindLeaveOneOut = "loo"
	// KindQueryGallery searches the query images in the gallery images.
	KindQueryGallery = "qg"
	// KindOneGallery draws one image of each class as the gallery; the others are queries.
	KindOneGallery = "1gallery"
)

// Set is one of the benchmarks, or a way in which users have data of their own.
type Set struct {
	Name      string     // on the command line and in suites
	Title     string     // in texts
	Folders   []string   // published top folder names, such as "CUB_200_2011", the usual one first; none of own data
	Protocols []Protocol // of own data, those that some data set of the kind has; Manifest.Protocols are those of one

	// Read reads the official lists in src. With an empty custom every count is checked
	// against the published releases. With a custom name these counts are not checked, but
	// everything else is. It opens no image.
	Read func(ctx context.Context, src *Source, custom string) (*Layout, error)

	// Looks reports whether the top of src looks like this set's top folder.
	Looks func(src *Source) bool

	// archives are those that the set is published in: they are read where they lie in a raw folder.
	archives []published

	// readOwn reads data of the user's own, in place of Read and Looks, which are nil then. It returns the
	// source that holds the images, too.
	readOwn func(ctx context.Context, o IngestOptions) (*Layout, *Source, error)
}

// Own reports whether the set is a way in which users have data of their own. All its data sets are
// custom releases.
func (s Set) Own() bool { return s.readOwn != nil }

// All returns the sets in the order of reports.
func All() []Set {
	return []Set{
		cub(),
		cars196(),
		sop(),
		inshop(),
		vehicleid(),
		folder(),
		csvTable(),
		parquetFiles(),
	}
}

// Published returns the benchmarks among All.
func Published() []Set { return slices.DeleteFunc(All(), Set.Own) }

// Lookup returns the set of that name.
func Lookup(name string) (Set, error) {
	var known []string
	for _, s := range All() {
		if s.Name == name {
			return s, nil
		}
		known = append(known, s.Name)
	}
	return Set{}, fmt.Errorf("unknown data set %q, want one of %s", name, strings.Join(known, ", "))
}

// LookupVariant takes a name such as "sop/grocery" apart: the set, and which of its prepared
// variants is meant. The variant is empty where the name is that of the set alone, which means the
// published release.
func LookupVariant(name string) (set Set, variant string, err error) {
	base, variant, _ := strings.Cut(name, "/")
	set, err = Lookup(base)
	return set, variant, err
}

// FormatError is an error in the input, with its place.
type FormatError struct {
	File string
	Line int // 1-based; 0 where the whole file is meant
	Msg  string
}

// Error returns "file:line: msg".
func (e *FormatError) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Msg
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg)
}

// releaseName returns the name of a layout's release: the custom name, or official.
func releaseName(custom string) string {
	if custom != "" {
		return custom
	}
	return "official"
}
