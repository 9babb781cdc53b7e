package datasets

import (
	"errors"
	"slices"
)

// Inspection sums up a prepared data set.
type Inspection struct {
	Set         string         `json:"set"`
	Release     string         `json:"release"`
	Variant     string         `json:"variant"`
	Layout      string         `json:"layout"`
	Digest      string         `json:"digest"`
	Splits      []SplitSummary `json:"splits"`
	Missing     int            `json:"missing"`
	Quarantined int            `json:"quarantined"`
	Unlisted    int            `json:"unlisted"`
	Bytes       int64          `json:"bytes"` // of all parts
	Histograms  []Histogram    `json:"histograms"`
	Citation    string         `json:"citation"`
	Licence     string         `json:"licence"` // what the publisher's terms are about
}

// SplitSummary describes one split.
type SplitSummary struct {
	Split        Split `json:"split"`
	Images       int   `json:"images"`
	Classes      int   `json:"classes"`
	Superclasses int   `json:"superclasses"`
	PerClass     Range `json:"per_class"`    // images per class
	Width        Range `json:"width"`        // of the originals, pixels
	Height       Range `json:"height"`       // of the originals, pixels
	StoredBytes  Range `json:"stored_bytes"` // of a stored image
}

// Range is a distribution in three numbers. The median is the lower of the two middle values.
type Range struct {
	Min    int `json:"min"`
	Median int `json:"median"`
	Max    int `json:"max"`
}

// newRange returns the range of values, which it sorts.
func newRange(values []int) Range {
	if len(values) == 0 {
		return Range{}
	}
	slices.Sort(values)
	return Range{values[0], values[(len(values)-1)/2], values[len(values)-1]}
}

// Inspect sums up a data set. Splits without images are left out.
func Inspect(d *Dataset) (Inspection, error) {
	if d.Len() == 0 {
		return Inspection{}, errors.New("the data set holds no images")
	}
	m := d.Manifest
	in := Inspection{
		Set: m.Set, Release: m.Release, Variant: m.Variant, Layout: m.Layout, Digest: m.Digest,
		Missing: len(m.Missing), Quarantined: len(m.Quarantine), Unlisted: m.Unlisted,
	}
	if set, err := Lookup(m.Set); err == nil && set.Own() {
		in.Citation, in.Licence = "none: the images are your own", "that of your own images"
	}
	for _, a := range Addresses() {
		switch {
		case a.Set != m.Set:
		case m.Options.Custom == "":
			in.Citation, in.Licence = a.Citation, a.Licence
		default:
			in.Citation, in.Licence = a.Citation+" (of the layout)", "that of your own images, lists called "+m.Options.Custom
		}
	}
	for _, p := range m.Parts {
		in.Bytes += p.Bytes
	}
	for _, split := range splitOrder() {
		rows := d.Rows(split)
		if len(rows) == 0 {
			continue
		}
		classes, superclasses := map[int32]int{}, map[string]bool{}
		var perClass, width, height, bytes, shortest, kilobytes []int
		for _, i := range rows {
			s := d.rows[i]
			classes[s.row.Class]++
			if s.row.Superclass != "" {
				superclasses[s.row.Superclass] = true
			}
			width, height, bytes = append(width, s.width), append(height, s.height), append(bytes, s.size)
			shortest, kilobytes = append(shortest, min(s.width, s.height)), append(kilobytes, (s.size+999)/1000)
		}
		for _, n := range classes {
			perClass = append(perClass, n)
		}
		in.Histograms = append(in.Histograms,
			newHistogram(split, "images a class", perClass), newHistogram(split, "shortest side in pixels", shortest),
			newHistogram(split, "kB of a stored image", kilobytes))
		in.Splits = append(in.Splits, SplitSummary{
			Split: split, Images: len(rows), Classes: len(classes), Superclasses: len(superclasses),
			PerClass: newRange(perClass), Width: newRange(width), Height: newRange(height), StoredBytes: newRange(bytes),
		})
	}
	return in, nil
}
