package datasets

import (
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// The values of the options Crop and Store.
const (
	CropNone = "none" // Crop: the whole image
	CropBox  = "box"  // Crop: the lists' box, clipped to the image

	StoreJPEG = "jpeg" // Store: a JPEG, which is decoded at each use
	StoreRGB  = "rgb"  // Store: raw pixels [Size][Size][3], which are larger and faster to use
)

// IngestOptions say what Ingest reads and how it stores images. Start from DefaultIngestOptions.
type IngestOptions struct {
	Raw string // the published top folder, a folder that holds it, or an archive; the folder or file of own data
	Out string // the workspace's datasets folder; the data set goes to Out/<set>/<variant>

	AllowMissing  bool    // ingest the images that exist and list the rest
	FollowLinks   bool    // read images through symbolic links that lead out of the folder
	MaxQuarantine float64 // share of the images that may be broken

	// TrainClasses says which classes of own data train, where the data do not say it or are not asked:
	// TrainFirstHalf, a share such as "30%" of the classes in their order, or the name of a file with a
	// class name in each line.
	TrainClasses string
	Images       string // csv: the folder that paths are relative to; empty stands for that of the table

	Custom     string // name of a release that is not published
	Precropped bool   // the images are already cropped to their boxes, so that the boxes of the lists do not apply
	Crop       string // CropNone or CropBox

	// Size in pixels: an image whose shortest side is longer is reduced to it. No image is
	// enlarged.
	Size int
	// Pad scales the longest side to Size instead, up or down, and centres the image on a white
	// square.
	Pad bool
	// Store is StoreJPEG or StoreRGB. Raw pixels have one size for all images, so StoreRGB needs
	// Pad: cutting images to a square would lose pixels.
	Store string

	// Report is a folder for the receipt of every row and file as CSV, <set>.<variant>.csv; empty: none.
	Report string

	Workers     int                   // goroutines that decode; the result does not depend on it
	Progress    func(done, total int) // nil: none. Called from one goroutine at a time
	ToolVersion string                // is stored in the files and is not part of the digest
}

// DefaultIngestOptions returns the options for whole images, reduced to a shortest side of 256
// pixels, as JPEG.
func DefaultIngestOptions() IngestOptions {
	return IngestOptions{Crop: CropNone, Size: 256, Store: StoreJPEG, Workers: runtime.GOMAXPROCS(0), MaxQuarantine: 0.001}
}

var customName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$`)

// Validate returns an error for the first option that is out of its range. The error says what the
// option may be.
func (o IngestOptions) Validate() error {
	switch {
	case o.Raw == "":
		return fmt.Errorf("raw: want the folder or the archive of the published data set")
	case o.Out == "":
		return fmt.Errorf("out: want the workspace's datasets folder")
	case o.Workers < 1:
		return fmt.Errorf("workers: want at least 1, got %d", o.Workers)
	case !(o.MaxQuarantine >= 0 && o.MaxQuarantine <= 1):
		return fmt.Errorf("max-quarantine: want a share from 0 to 1, got %g", o.MaxQuarantine)
	}
	if _, err := parseTrainRule(o.TrainClasses); err != nil {
		return err
	}
	return o.options().validate()
}

// ValidateFor returns an error for the first option that does not fit a set. It begins with the name of
// the option.
func (o IngestOptions) ValidateFor(set Set) error {
	switch {
	case set.Own() && o.Custom == "":
		return fmt.Errorf("custom: %s reads data of your own: give them a name with --custom NAME, which goes into every record", set.Name)
	case !set.Own() && o.TrainClasses != "":
		return fmt.Errorf("train-classes: the lists of %s say which classes train; the option is for %s", set.Name, strings.Join(ownNames(), ", "))
	case set.Name != csvName && o.Images != "":
		return fmt.Errorf("images: %s has its images where its layout says; the option is for %s", set.Name, csvName)
	case set.Own() && o.Precropped:
		return fmt.Errorf("precropped: the option is for published data sets")
	}
	return nil
}

// ownNames returns the names of the sets of own data.
func ownNames() []string {
	var names []string
	for _, s := range All() {
		if s.Own() {
			names = append(names, s.Name)
		}
	}
	return names
}

// validate is Validate of the options that decide what is stored.
func (o Options) validate() error {
	switch {
	case o.Crop != CropNone && o.Crop != CropBox:
		return fmt.Errorf("crop: want none or box, got %q", o.Crop)
	case o.Store != StoreJPEG && o.Store != StoreRGB:
		return fmt.Errorf("store: want jpeg or rgb, got %q", o.Store)
	case o.Size < 32 || o.Size > 4096:
		return fmt.Errorf("size: want 32 to 4096 pixels, got %d", o.Size)
	case o.Precropped && o.Crop == CropBox:
		return fmt.Errorf("crop: images that are precropped cannot be cropped to their box again")
	case o.Store == StoreRGB && !o.Pad:
		return fmt.Errorf("store: rgb needs --pad, because raw pixels have one size for all images")
	case o.Custom != "" && !customName.MatchString(o.Custom):
		return fmt.Errorf("custom: want up to 32 letters, digits, _ and -, got %q", o.Custom)
	case slices.Contains(append(publishedReleases(), "testdata", "internal"), strings.ToLower(o.Custom)):
		return fmt.Errorf("custom: %q is taken, choose another name", o.Custom)
	}
	return nil
}

// publishedReleases returns the names of the releases that are not custom ones.
func publishedReleases() []string { return []string{"official", "papers", "public"} }

// options returns the part of o that decides what is stored.
func (o IngestOptions) options() Options {
	rule, _ := parseTrainRule(o.TrainClasses) // Validate has checked it
	return Options{
		TrainClasses: rule.option(),
		Custom:       o.Custom, Crop: o.Crop, Precropped: o.Precropped, Size: o.Size, Pad: o.Pad, Store: o.Store,
		Preprocessing: preprocessing,
	}
}

// variant returns the name of the folder of a release that is ingested with options o:
// <release>[+highres][+box][+pad]-s<size>-<store>.
func (o Options) variant(release string) string {
	v := release
	if o.HighRes {
		v += "+highres"
	}
	if o.Precropped || o.Crop == CropBox {
		v += "+box"
	}
	if o.Pad {
		v += "+pad"
	}
	return fmt.Sprintf("%s-s%d-%s", v, o.Size, o.Store)
}
