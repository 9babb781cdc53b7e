package backbones

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"bierbench/models/internal/sealed"
	"bierbench/models/xla"
)

// partImages is the least number of images in a part of an extraction, which is rounded up to whole
// batches. A killed extraction loses one part: 25 to 50 seconds at the 40 to 80 images/s of a
// backbone on two cores, about as much as a killed training loses. A part of 2,048 features of
// width 1,024 is a file of 8 MiB, and 120,000 images are 59 of them.
const partImages = 2048

// An Extraction says which features Cached reads or computes.
type Extraction struct {
	Path string  // of the cached file, whose folder exists
	Key  string  // FeaturesKey of the features
	IDs  []int64 // of all images

	// As Extract takes them.
	Net      Backbone
	Weights  string
	Input    int
	Batch    int
	Pixels   func(i int, dst []uint8) error
	Progress func(done int) // may be nil; images of finished parts count as done

	Log *slog.Logger // gets a warning for each broken file
}

// Cached reads the features at x.Path or computes and writes them. computed is the number of images
// that went through the network in this call.
//
// Every finished part lies as a sealed file in a folder beside x.Path, whose name ends in .parts
// instead of .arrow. A call after a cancelled, failed or killed one continues from these parts, to
// the bytes that an uninterrupted extraction gives: parts hold whole batches, and parts of other
// devices or of another batch size are computed again. The folder is removed when the file is
// written.
//
// All these files are a cache: a file that is broken, or does not hold what its name says, is
// removed with a warning and computed again. The caller holds a lock for the key; no other process
// reads or writes the files.
func Cached(ctx context.Context, b *xla.Backend, x Extraction) (f Features, computed int, err error) {
	parts := partsFolder(x.Path)
	found, err := x.read(x.Path, x.Key, 0, len(x.IDs))
	if err != nil {
		return f, 0, fmt.Errorf("features: %w", err)
	}
	if found != nil {
		if err = os.RemoveAll(parts); err != nil {
			return f, 0, fmt.Errorf("features: %w", err)
		}
		return *found, 0, nil
	}
	if err = sealed.RemoveLeftovers(filepath.Dir(x.Path), filepath.Base(x.Path)); err != nil {
		return f, 0, fmt.Errorf("features: %w", err)
	}
	if x.Batch < 1 {
		return f, 0, fmt.Errorf("features: batches of %d images; want at least 1", x.Batch)
	}
	f = Features{Key: x.Key, IDs: x.IDs, Width: x.Net.Features, Values: make([]float32, len(x.IDs)*x.Net.Features)}
	if computed, err = x.fill(ctx, b, parts, f); err != nil {
		return Features{}, computed, err
	}
	if err = WriteFeatures(x.Path, f); err != nil {
		return Features{}, computed, err
	}
	if err = os.RemoveAll(parts); err != nil {
		return Features{}, computed, fmt.Errorf("features: %w", err)
	}
	return f, computed, nil
}

// partsFolder returns the folder that holds the parts of the file at path.
func partsFolder(path string) string {
	return strings.TrimSuffix(path, ".arrow") + ".parts"
}

// fill reads the finished parts in folder into f's values and computes and
// writes the others.
func (x Extraction) fill(ctx context.Context, b *xla.Backend, folder string, f Features) (computed int, err error) {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return 0, fmt.Errorf("features: %w", err)
	}
	list := x.parts(b)
	if err := removeOthers(folder, list); err != nil {
		return 0, fmt.Errorf("features: %w", err)
	}
	done := 0
	progress := func(more int) {
		if x.Progress != nil {
			x.Progress(done + more)
		}
	}
	var missing []extractionPart
	for _, p := range list {
		found, err := x.read(filepath.Join(folder, p.name), p.key, p.lo, p.hi)
		if err != nil {
			return 0, fmt.Errorf("features: %w", err)
		}
		if found == nil {
			missing = append(missing, p)
			continue
		}
		copy(f.Values[p.lo*f.Width:], found.Values)
		done += p.hi - p.lo
	}
	if done > 0 {
		progress(0)
	}
	for _, p := range missing {
		values, err := Extract(ctx, b, x.Net, x.Weights, p.hi-p.lo, x.Input, x.Batch,
			func(i int, dst []uint8) error { return x.Pixels(p.lo+i, dst) }, progress)
		if err != nil {
			return computed, err
		}
		copy(f.Values[p.lo*f.Width:], values)
		err = WriteFeatures(filepath.Join(folder, p.name), Features{Key: p.key, IDs: f.IDs[p.lo:p.hi], Width: f.Width, Values: values})
		if err != nil {
			return computed, err
		}
		computed += p.hi - p.lo
		done += p.hi - p.lo
	}
	return computed, nil
}

// extractionPart is the range [lo, hi) of an extraction's images.
type extractionPart struct {
	name   string // of its file
	key    string // stored in its file
	lo, hi int
}

// parts divides the images into parts, whose keys name everything that decides their bits.
func (x Extraction) parts(b *xla.Backend) []extractionPart {
	batch := roundUp(x.Batch, max(b.Devices, 1))
	size := roundUp(partImages, batch)
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d\x00%d\x00%s\x00%s\x00%s", x.Key, batch, b.Devices, b.Config, b.Device, b.Plugin))
	key := hex.EncodeToString(sum[:16])
	var out []extractionPart
	for lo := 0; lo < len(x.IDs); lo += size {
		hi := min(lo+size, len(x.IDs))
		out = append(out, extractionPart{fmt.Sprintf("part-%09d.arrow", lo), fmt.Sprintf("%s %d %d", key, lo, hi), lo, hi})
	}
	return out
}

// read returns the features of images [lo, hi) from a file, or nil if there is no file or a broken
// one was removed.
func (x Extraction) read(path, key string, lo, hi int) (*Features, error) {
	f, err := ReadFeatures(path, key)
	if err == nil {
		if f.Width == x.Net.Features && slices.Equal(f.IDs, x.IDs[lo:hi]) {
			return &f, nil
		}
		err = fmt.Errorf("read features %s: %d images with features of width %d, want the data set's %d of width %d", path,
			len(f.IDs), f.Width, hi-lo, x.Net.Features)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	// A file that the system cannot read may be whole, so it is not removed.
	if unreadable := (*fs.PathError)(nil); errors.As(err, &unreadable) {
		return nil, err
	}
	x.Log.Warn("cached features removed, to be computed again", "error", err)
	return nil, os.Remove(path)
}

// removeOthers removes from a folder of parts everything that is not in list: temporary files of a
// killed process, parts of another size.
func removeOthers(folder string, list []extractionPart) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !slices.ContainsFunc(list, func(p extractionPart) bool { return p.name == e.Name() }) {
			if err := os.RemoveAll(filepath.Join(folder, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// roundUp returns the smallest multiple that is not below n.
func roundUp(n, multiple int) int { return (n + multiple - 1) / multiple * multiple }
