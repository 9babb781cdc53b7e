package backbones

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"bierbench/models/internal/modelstest"
	"bierbench/models/xla"
)

// partsTest is an extraction of two whole parts and one of 100 images.
type partsTest struct {
	Extraction
	asked  atomic.Int64 // images whose pixels were asked for
	lowest atomic.Int64 // the first of them
	log    bytes.Buffer
}

const partsRows = 2*partImages + 100

// averages is a network whose features are the mean colour: what becomes of parts and
// files does not depend on the network, and convnet takes seconds for as many images.
func averages() Backbone {
	return Backbone{
		Name: "averages", Features: 3, Multiple: 1, Minimum: 4, Normalize: centeredRGB,
		Forward: func(_ *model.Scope, x *Node) *Node { return ReduceMean(x, 1, 2) },
		Create:  func(*rand.Rand) []InitialValue { return nil },
	}
}

func newPartsTest(net Backbone, path string) *partsTest {
	x := &partsTest{}
	x.lowest.Store(partsRows)
	x.Extraction = Extraction{
		Path: path, Key: "0123", Net: net, Input: net.Minimum, Batch: 32,
		Log: slog.New(slog.NewTextHandler(&x.log, nil)),
		Pixels: func(i int, dst []uint8) error {
			x.asked.Add(1)
			for low := x.lowest.Load(); int64(i) < low && !x.lowest.CompareAndSwap(low, int64(i)); low = x.lowest.Load() {
			}
			for j := range dst {
				dst[j] = uint8(i*31 + j*j*(1+i%7))
			}
			return nil
		},
	}
	for i := range partsRows {
		x.IDs = append(x.IDs, int64(3*i+1))
	}
	return x
}

// cancelled runs an extraction that is cancelled in the part after the first.
func cancelled(t *testing.T, net Backbone, path string) {
	t.Helper()
	x := newPartsTest(net, path)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	x.Progress = func(done int) {
		if done > partImages {
			cancel()
		}
	}
	_, computed, err := Cached(ctx, modelstest.Backend(t), x.Extraction)
	if !errors.Is(err, context.Canceled) || computed != partImages {
		t.Fatalf("%d computed, error %v; want one part of %d and a cancelled context", computed, err, partImages)
	}
}

// uninterrupted is the file that an extraction in one go without parts gives.
func uninterrupted(t *testing.T, net Backbone) []byte {
	t.Helper()
	x := newPartsTest(net, filepath.Join(t.TempDir(), "0123.arrow"))
	values, err := Extract(t.Context(), modelstest.Backend(t), x.Net, "", partsRows, x.Input, x.Batch, x.Pixels, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err = WriteFeatures(x.Path, Features{Key: x.Key, IDs: x.IDs, Width: x.Net.Features, Values: values}); err != nil {
		t.Fatal(err)
	}
	return content(t, x.Path)
}

func content(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// flip changes one bit in the middle of a file.
func flip(t *testing.T, path string) {
	t.Helper()
	data := content(t, path)
	data[len(data)/2] ^= 8
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCached(t *testing.T) { checkCached(t, averages()) } // TestIntegrationCached has convnet

// checkCached extracts a network's features over what earlier extractions left.
func checkCached(t *testing.T, net Backbone) {
	t.Helper()
	want := uninterrupted(t, net)
	finished := func(change func(t *testing.T, path string)) func(t *testing.T, x *partsTest) {
		return func(t *testing.T, x *partsTest) {
			t.Helper()
			if err := os.WriteFile(x.Path, want, 0o600); err != nil {
				t.Fatal(err)
			}
			change(t, x.Path)
		}
	}
	rest := partsRows - partImages
	cases := []struct {
		name    string
		before  func(t *testing.T, x *partsTest)
		lowest  int    // image that is asked for
		images  int    // that are computed
		warning string // in the log; empty for a silent one
	}{
		{"nothing is there", func(*testing.T, *partsTest) {}, 0, partsRows, ""},
		{"a cancelled one is continued", func(t *testing.T, x *partsTest) { t.Helper(); cancelled(t, net, x.Path) }, partImages, rest, ""},
		{"a broken part is computed again", func(t *testing.T, x *partsTest) {
			t.Helper()
			cancelled(t, net, x.Path)
			flip(t, filepath.Join(partsFolder(x.Path), "part-000000000.arrow"))
		}, 0, partsRows, "part-000000000.arrow"},
		{"a part that is there under another's name", func(t *testing.T, x *partsTest) {
			t.Helper()
			cancelled(t, net, x.Path)
			folder := partsFolder(x.Path)
			if err := os.Rename(filepath.Join(folder, "part-000000000.arrow"), filepath.Join(folder, "part-000002048.arrow")); err != nil {
				t.Fatal(err)
			}
		}, 0, partsRows, "part-000002048.arrow"},
		{"what a killed process left", func(t *testing.T, x *partsTest) {
			t.Helper()
			cancelled(t, net, x.Path)
			for _, name := range []string{
				filepath.Join(partsFolder(x.Path), ".part-000002048.arrow.1.tmp"),
				filepath.Join(partsFolder(x.Path), "part-000000512.arrow"), // of parts of another size
				filepath.Join(filepath.Dir(x.Path), ".0123.arrow.77.tmp"),
			} {
				if err := os.WriteFile(name, want[:999], 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}, partImages, rest, ""},
		// A batch of 64 may give other bits, so its parts do not mix with those of 32.
		{"parts of another batch", func(t *testing.T, x *partsTest) {
			t.Helper()
			cancelled(t, net, x.Path)
			x.Batch = 64
		}, 0, partsRows, ErrOtherFeatures.Error()},
		{"the file is there", finished(func(*testing.T, string) {}), partsRows, 0, ""},
		{"the file is there and so are its parts", finished(func(t *testing.T, path string) {
			t.Helper()
			if err := os.Mkdir(partsFolder(path), 0o777); err != nil {
				t.Fatal(err)
			}
		}), partsRows, 0, ""},
		{"the file is broken", finished(flip), 0, partsRows, "0123.arrow"},
		{"the file is cut", finished(func(t *testing.T, path string) {
			t.Helper()
			if err := os.Truncate(path, int64(len(want)/2)); err != nil {
				t.Fatal(err)
			}
		}), 0, partsRows, "has changed"},
		{"the file is of other images", finished(func(t *testing.T, path string) {
			t.Helper()
			if err := WriteFeatures(path, Features{Key: "0123", IDs: []int64{4}, Width: net.Features, Values: make([]float32, net.Features)}); err != nil {
				t.Fatal(err)
			}
		}), 0, partsRows, "1 images"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			x := newPartsTest(net, filepath.Join(t.TempDir(), "0123.arrow"))
			c.before(t, x)
			var progress []int
			x.Progress = func(done int) { progress = append(progress, done) }
			f, computed, err := Cached(t.Context(), modelstest.Backend(t), x.Extraction)
			if err != nil {
				t.Fatal(err)
			}
			if computed != c.images || int(x.asked.Load()) != c.images || int(x.lowest.Load()) != c.lowest {
				t.Errorf("%d images computed, %d asked for from %d; want %d from %d", computed, x.asked.Load(), x.lowest.Load(), c.images, c.lowest)
			}
			if x.Batch == 32 && !bytes.Equal(content(t, x.Path), want) {
				t.Error("other bytes than in one go")
			}
			read, err := ReadFeatures(x.Path, x.Key)
			if err != nil || !slices.Equal(read.Values, f.Values) || !slices.Equal(read.IDs, f.IDs) || f.Width != net.Features || f.Key != "0123" {
				t.Errorf("what is returned is not what was written (%v)", err)
			}
			if left, err := os.ReadDir(filepath.Dir(x.Path)); err != nil || len(left) != 1 {
				t.Errorf("left beside the file: %v, %v", left, err)
			}
			if c.images > 0 && (!slices.IsSorted(progress) || progress[len(progress)-1] != partsRows || c.lowest == partImages && progress[0] != partImages) {
				t.Errorf("progress %v, want it to rise to %d", progress, partsRows)
			}
			if log := x.log.String(); (c.warning == "") != (log == "") || !strings.Contains(log, c.warning) {
				t.Errorf("log %q, want %q in it", log, c.warning)
			}
		})
	}
}

// Parts hold whole batches of all devices, and what may change their bits
// changes their key.
func TestFeatureParts(t *testing.T) {
	x := newPartsTest(averages(), "x.arrow")
	base := x.parts(&xla.Backend{Devices: 1})
	if len(base) != 3 || base[1].lo != 2048 || base[1].hi != 4096 || base[2].hi != partsRows {
		t.Errorf("parts %v, want two of 2048 and the rest", base)
	}
	if again := x.parts(&xla.Backend{}); again[0].lo != 0 || again[1].lo != 2048 {
		t.Errorf("parts %v of a backend that does not say its devices", again)
	}
	three := x.parts(&xla.Backend{Devices: 3})
	if three[1].lo != 2079 { // 63 batches of 33, the next that three devices share
		t.Errorf("the second part of three devices begins with image %d, want 2079", three[1].lo)
	}
	for name, b := range map[string]*xla.Backend{
		"devices": {Devices: 2},
		"config":  {Devices: 1, Config: xla.Go},
		"device":  {Devices: 1, Device: "1 x H100"},
		"plugin":  {Devices: 1, Plugin: "other"},
	} {
		if other := x.parts(b); other[0].key == base[0].key {
			t.Errorf("another %s gives parts of the same key", name)
		}
	}
	x.Key = "4567"
	if other := x.parts(&xla.Backend{Devices: 1}); other[0].key == base[0].key {
		t.Error("other features have parts of the same key")
	}
}

// A failed extraction keeps its parts, as a cancelled one does; a file that
// cannot be read is left alone.
func TestCachedFails(t *testing.T) {
	x := newPartsTest(averages(), filepath.Join(t.TempDir(), "0123.arrow"))
	pixels := x.Pixels
	unreadable := errors.New("image is unreadable")
	x.Pixels = func(i int, dst []uint8) error {
		if i == 2*partImages+50 {
			return unreadable
		}
		return pixels(i, dst)
	}
	_, computed, err := Cached(t.Context(), modelstest.Backend(t), x.Extraction)
	if !errors.Is(err, unreadable) || computed != 2*partImages {
		t.Errorf("%d computed, error %v; want two parts and the image's error", computed, err)
	}
	if left := modelstest.FileNames(t, partsFolder(x.Path)); !slices.Equal(left, []string{"part-000000000.arrow", "part-000002048.arrow"}) {
		t.Errorf("parts %v", left)
	}
	if fileExists(x.Path) {
		t.Error("the file was written")
	}

	x = newPartsTest(averages(), filepath.Join(t.TempDir(), "0123.arrow"))
	if err = os.Mkdir(x.Path, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, _, err = Cached(t.Context(), modelstest.Backend(t), x.Extraction); err == nil || !folderExists(x.Path) || x.asked.Load() > 0 {
		t.Errorf("a folder in the file's place: error %v after %d images, want one before the first", err, x.asked.Load())
	}
	x = newPartsTest(averages(), filepath.Join(t.TempDir(), "0123.arrow"))
	x.Batch = 0
	if _, _, err = Cached(t.Context(), modelstest.Backend(t), x.Extraction); err == nil || !strings.Contains(err.Error(), "batches of 0 images") {
		t.Errorf("batches of none: %v", err)
	}
}

// What is in the way of the parts is an error before the first image, and is left alone.
func TestCachedInTheWay(t *testing.T) {
	for _, tt := range []struct {
		name string
		put  func(parts string) error
		want string
	}{
		{"a file in the folder's place", func(parts string) error { return os.WriteFile(parts, nil, 0o600) }, "features: mkdir "},
		{"a folder in a part's place", func(parts string) error {
			return os.MkdirAll(filepath.Join(parts, "part-000000000.arrow"), 0o777)
		}, "part-000000000.arrow"},
	} {
		x := newPartsTest(averages(), filepath.Join(t.TempDir(), "0123.arrow"))
		parts := partsFolder(x.Path)
		if err := tt.put(parts); err != nil {
			t.Fatal(err)
		}
		before, err := os.Stat(parts)
		if err != nil {
			t.Fatal(err)
		}
		_, computed, err := Cached(t.Context(), modelstest.Backend(t), x.Extraction)
		if err == nil || !strings.Contains(err.Error(), tt.want) || computed > 0 || x.asked.Load() > 0 {
			t.Errorf("%s: %v after %d images, want %q before the first", tt.name, err, x.asked.Load(), tt.want)
		}
		if after, err := os.Stat(parts); err != nil || !os.SameFile(before, after) {
			t.Errorf("%s: it is gone (%v)", tt.name, err)
		}
	}
}

// folderExists reports whether there is a folder at a path.
func folderExists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
