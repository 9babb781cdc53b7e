package backbones

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/google/go-cmp/cmp"

	"bierbench/models/internal/modelstest"
	"bierbench/models/internal/sealed"
)

func someFeatures(rows, width int) Features {
	f := Features{Key: "0123", Width: width}
	for i := range rows {
		f.IDs = append(f.IDs, int64(3*i+1))
		for j := range width {
			f.Values = append(f.Values, float32(i)-float32(j)/8)
		}
	}
	return f
}

func TestFeaturesRoundTrip(t *testing.T) {
	cases := []struct {
		name        string
		rows, width int
	}{
		{"no image at all", 0, 4},
		{"one", 1, 1},
		{"more rows than a record batch takes", featuresBatch + 5, 3},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			want := someFeatures(c.rows, c.width)
			path := filepath.Join(t.TempDir(), "f.arrow")
			for range 2 { // the second time over the first
				if err := WriteFeatures(path, want); err != nil {
					t.Fatal(err)
				}
			}
			got, err := ReadFeatures(path, want.Key)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("features (-want +got):\n%s", d)
			}
			if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
				t.Errorf("files left beside the written one: %v, %v", left, err)
			}
		})
	}
}

func TestFeaturesThatDoNotFit(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f.arrow")
	f := someFeatures(10, 3)
	if err := WriteFeatures(path, f); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFeatures(path, "other"); !errors.Is(err, ErrOtherFeatures) {
		t.Errorf("another key: %v", err)
	}
	if _, err := ReadFeatures(filepath.Join(dir, "absent"), f.Key); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	for _, bad := range []Features{
		{Key: "k", IDs: []int64{1, 2}, Width: 2, Values: []float32{1, 2, 3}},
		{Key: "k"},
	} {
		if err := WriteFeatures(filepath.Join(dir, "bad"), bad); err == nil {
			t.Errorf("%d values for %d ids of width %d were written", len(bad.Values), len(bad.IDs), bad.Width)
		}
	}
	broken := filepath.Join(dir, "broken")
	check := func(what string, data []byte) {
		t.Helper()
		if err := os.WriteFile(broken, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadFeatures(broken, f.Key); err == nil || !strings.Contains(err.Error(), broken) {
			t.Errorf("%s: error %v, want one that names the file", what, err)
		}
	}
	check("another file", []byte("this is a text file"))
	for n := 0; n < len(whole); n += 7 {
		check("cut", whole[:n])
		changed := slices.Clone(whole)
		changed[n] ^= 0x41
		check("a changed byte", changed)
	}
}

func TestFeaturesKey(t *testing.T) {
	net := convnet()
	key := FeaturesKey("data", "weights", net, 64)
	if key != FeaturesKey("data", "weights", net, 64) || len(key) != 32 {
		t.Errorf("key %q is not stable or not 32 digits", key)
	}
	for what, other := range map[string]string{
		"data":    FeaturesKey("datb", "weights", net, 64),
		"weights": FeaturesKey("data", "weightt", net, 64),
		"network": FeaturesKey("data", "weights", lite0(), 64),
		"input":   FeaturesKey("data", "weights", net, 96),
	} {
		if other == key {
			t.Errorf("another %s gives the same key", what)
		}
	}
}

func TestExtract(t *testing.T) {
	const (
		n    = 5
		side = 16
		size = side * side * 3
	)
	rgb := modelstest.PatternImages(n, side)
	pixels := func(i int, dst []uint8) error {
		if len(dst) != size {
			t.Errorf("image %d: %d bytes, want %d", i, len(dst), size)
		}
		copy(dst, rgb[i*size:])
		return nil
	}
	var progress []int
	got, err := Extract(t.Context(), modelstest.Backend(t), convnet(), "", n, side, 2, pixels, func(done int) { progress = append(progress, done) })
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(progress, []int{2, 4, 5}) {
		t.Errorf("progress %v, want 2, 4 and, after the part-filled batch, 5", progress)
	}
	again, err := Extract(t.Context(), modelstest.Backend(t), convnet(), "", n, side, 2, pixels, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, again) {
		t.Error("the second time gave other bits")
	}
	// Image 4 shared its batch with filling only, images 0 and 1 with each other:
	// what an image gives does not depend on its neighbours.
	turned, err := Extract(t.Context(), modelstest.Backend(t), convnet(), "", n, side, 2, func(i int, dst []uint8) error { return pixels(n-1-i, dst) }, nil)
	if err != nil {
		t.Fatal(err)
	}
	width := convnet().Features
	for i := range n {
		want := make([]float64, width)
		for j, v := range got[i*width : (i+1)*width] {
			want[j] = float64(v)
		}
		modelstest.WantClose(t, "in another order", turned[(n-1-i)*width:(n-i)*width], want, layerTolerance)
	}
}

func TestExtractFeaturesStops(t *testing.T) {
	b := modelstest.Backend(t)
	unreadable := errors.New("image 3 is unreadable")
	_, err := Extract(t.Context(), b, convnet(), "", 8, 16, 2, func(i int, _ []uint8) error {
		if i == 3 {
			return unreadable
		}
		return nil
	}, nil)
	if !errors.Is(err, unreadable) {
		t.Errorf("error %v, want that of the image", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var asked atomic.Int64
	_, err = Extract(ctx, b, convnet(), "", 1000, 16, 2, func(int, []uint8) error { asked.Add(1); return nil }, func(int) { cancel() })
	if !errors.Is(err, context.Canceled) || asked.Load() > 10 {
		t.Errorf("error %v after %d images, want it to stop within a few batches", err, asked.Load())
	}
	if _, err = Extract(t.Context(), b, lite0(), "", 1, 100, 2, nil, nil); err == nil || !strings.Contains(err.Error(), "multiple of 32") {
		t.Errorf("an input of 100 pixels: %v", err)
	}
	if _, err = Extract(t.Context(), b, convnet(), "", 1, 16, 0, nil, nil); err == nil || !strings.Contains(err.Error(), "1 images in batches of 0; want") {
		t.Errorf("batches of none: %v", err)
	}
	absent := filepath.Join(t.TempDir(), "absent.pth")
	if _, err = Extract(t.Context(), b, lite0(), absent, 1, 32, 2, nil, nil); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), absent) {
		t.Errorf("weights that are not there: %v", err)
	}
	got, err := Extract(t.Context(), b, convnet(), "", 0, 16, 2, nil, nil)
	if err != nil || len(got) != 0 {
		t.Errorf("no images: %d values, error %v", len(got), err)
	}
}

// Features are the same bits on one, two and four devices, which take six
// batches, the last one part-filled.
func TestExtractFeaturesDevices(t *testing.T) {
	const n, side, batch = 21, 32, 4
	rgb := modelstest.PatternImages(n, side)
	size := len(rgb) / n
	var want []float32
	for _, devices := range []int{1, 2, 4} {
		done := 0
		got, err := Extract(t.Context(), modelstest.OnDevices(t, devices), convnet(), "", n, side, batch, func(i int, dst []uint8) error {
			copy(dst, rgb[i*size:(i+1)*size])
			return nil
		}, func(n int) {
			if n <= done {
				t.Errorf("%d devices: %d images reported after %d", devices, n, done)
			}
			done = n
		})
		if err != nil {
			t.Fatal(err)
		}
		if done != n {
			t.Errorf("%d devices: %d images reported, want %d", devices, done, n)
		}
		if devices == 1 {
			want = got
		} else if !slices.Equal(got, want) {
			t.Errorf("the features of %d devices are other bits", devices)
		}
	}
}

// Whole files with the right key whose columns or rows are not those of features.
func TestFeaturesOfOtherColumns(t *testing.T) {
	id := arrow.Field{Name: "id", Type: arrow.PrimitiveTypes.Int64}
	feature := arrow.Field{Name: "feature", Type: arrow.FixedSizeListOf(3, arrow.PrimitiveTypes.Float32)}
	const types = "want id int64 and feature fixed_size_list<float32>"
	for _, tt := range []struct {
		name   string
		fields []arrow.Field
		want   string
	}{
		{"a column more", []arrow.Field{id, feature, id}, "3 columns, want id and feature"},
		{"ids of 32 bits", []arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int32}, feature}, types},
		{"features of 64 bits", []arrow.Field{id, {Name: "feature", Type: arrow.FixedSizeListOf(3, arrow.PrimitiveTypes.Float64)}}, types},
		{"lists of any length", []arrow.Field{id, {Name: "feature", Type: arrow.ListOf(arrow.PrimitiveTypes.Float32)}}, types},
		{"an id that is null", []arrow.Field{id, feature}, "record batch 0: 1 ids and 3 values, want 3 values an id and no nulls"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			metadata := arrow.NewMetadata([]string{featuresKeyField, sealed.Field}, []string{"0123", sealed.Placeholder()})
			schema := arrow.NewSchema(tt.fields, &metadata)
			path := filepath.Join(t.TempDir(), "f.arrow")
			err := sealed.Replace(path, func(w *os.File) error {
				file, err := ipc.NewFileWriter(w, ipc.WithSchema(schema))
				if err != nil {
					return err
				}
				builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
				defer builder.Release()
				for _, column := range builder.Fields() {
					if list, ok := column.(*array.FixedSizeListBuilder); ok {
						list.Append(true)
						for range 3 {
							list.ValueBuilder().AppendEmptyValue()
						}
					} else {
						column.AppendNull()
					}
				}
				record := builder.NewRecord()
				defer record.Release()
				return errors.Join(file.Write(record), file.Close(), sealed.Seal(w))
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err = ReadFeatures(path, "0123"); err == nil || !strings.Contains(err.Error(), path+": ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v; want %q and the file", err, tt.want)
			}
		})
	}
}
