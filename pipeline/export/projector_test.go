package export

import (
	"context"
	"errors"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bierbench/runs"
)

// fivePoints is a projection with names that would end values, lines and strings.
func fivePoints() Projection {
	classes := []string{"red\tbird", "a\\b", "c\nd", "Möwe", "\x1b[1m"}
	return Projection{
		Name: "run/cub.mini \"\\\né",
		Embeddings: runs.Embeddings{
			IDs: []int64{11, 12, 13, 14, 15}, Classes: []int32{1, 1, 2, 2, 3}, Lists: make([]uint8, 5), Width: 2,
			Splits: []string{"test", "test", "query", "gallery", "test"},
			Values: []float32{0.1, -1, 1e-20, 0, 0.333333343, 3, 4, 5, 6, 7},
		},
		Labels: func(i int) (class, superclass string) { return classes[i], []string{"", "above"}[i%2] },
		Picture: func(i, side int) (image.Image, error) {
			// As wide as a cell and half as high, of a colour of its own.
			picture := image.NewNRGBA(image.Rect(0, 0, side, side/2))
			draw.Draw(picture, picture.Bounds(), image.NewUniform(color.NRGBA{uint8(40 * i), 1, 2, 255}), image.Point{}, draw.Src)
			return picture, nil
		},
	}
}

// By the projector's description: a line for each point, the names of the columns first, and the
// pictures row by row in a square.
func TestProject(t *testing.T) {
	dir := t.TempDir()
	if err := Project(t.Context(), dir, fivePoints()); err != nil {
		t.Fatal(err)
	}
	got := files(t, dir)
	sprite := got["sprite.png"]
	delete(got, "sprite.png")
	want := map[string]string{
		"tensors.tsv": "0.1\t-1\n1e-20\t0\n0.33333334\t3\n4\t5\n6\t7\n",
		"metadata.tsv": "class\tsuperclass\tsplit\tid\nred\\tbird\t\ttest\t11\na\\\\b\tabove\ttest\t12\nc\\nd\t\tquery\t13\n" +
			"Möwe\tabove\tgallery\t14\n\\x1b[1m\t\ttest\t15\n",
		"projector_config.pbtxt": `embeddings {
  tensor_name: "run/cub.mini \"\\\012\303\251"
  tensor_shape: 5
  tensor_shape: 2
  tensor_path: "tensors.tsv"
  metadata_path: "metadata.tsv"
  sprite {
    image_path: "sprite.png"
    single_image_dim: 64
    single_image_dim: 64
  }
}
`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("files (-want +got):\n%s", d)
	}
	if owner := ProjectorOwner(got["projector_config.pbtxt"]); owner != fivePoints().Name {
		t.Errorf("the configuration is of %q", owner)
	}
	f, err := os.Open(filepath.Join(dir, "sprite.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sheet, err := png.Decode(f)
	if err != nil || sheet.Bounds().Size() != image.Pt(3*64, 2*64) {
		t.Fatalf("sprite of %v, %v; want 3 columns and 2 rows of 64 pixels", sheet.Bounds(), err)
	}
	for _, tt := range []struct {
		x, y int
		want color.NRGBA
		what string
	}{
		{32, 32, color.NRGBA{0, 1, 2, 255}, "the middle of the first picture"},
		{64 + 32, 64 + 32, color.NRGBA{160, 1, 2, 255}, "the middle of the fifth"},
		{64 + 32, 64 + 2, color.NRGBA{255, 255, 255, 255}, "above the fifth"},
		{2*64 + 32, 64 + 32, color.NRGBA{255, 255, 255, 255}, "the cell after the last"},
	} {
		if got := color.NRGBAModel.Convert(sheet.At(tt.x, tt.y)); got != tt.want {
			t.Errorf("%s is %v, want %v", tt.what, got, tt.want)
		}
	}
	again := t.TempDir()
	if err = Project(t.Context(), again, fivePoints()); err != nil || files(t, again)["sprite.png"] != sprite {
		t.Errorf("a second time another sprite, %v", err)
	}
}

// Without a data set there are numbers of classes, and no sprite.
func TestProjectWithoutData(t *testing.T) {
	p, dir := fivePoints(), t.TempDir()
	p.Labels, p.Picture = nil, nil
	if err := Project(t.Context(), dir, p); err != nil {
		t.Fatal(err)
	}
	got := files(t, dir)
	if want := "class\tsuperclass\tsplit\tid\n1\t\ttest\t11\n1\t\ttest\t12\n2\t\tquery\t13\n2\t\tgallery\t14\n3\t\ttest\t15\n"; got["metadata.tsv"] != want {
		t.Errorf("labels %q, want %q", got["metadata.tsv"], want)
	}
	if _, there := got["sprite.png"]; there || len(got) != 3 {
		t.Errorf("files %v", got)
	}
	broken := errors.New("broken image")
	p.Picture = func(int, int) (image.Image, error) { return nil, broken }
	if err := Project(t.Context(), t.TempDir(), p); !errors.Is(err, broken) {
		t.Errorf("a broken image: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Project(ctx, t.TempDir(), p); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// Of too many images the points are evenly spread over their order; the largest sprite is as large
// as allowed.
func TestPoints(t *testing.T) {
	for _, tt := range []struct {
		n, most int
		want    []int
	}{
		{3, 5, []int{0, 1, 2}},
		{5, 5, []int{0, 1, 2, 3, 4}},
		{10, 4, []int{0, 2, 5, 7}}, // 0, 2.5, 5, 7.5
		{0, 4, []int{}},
	} {
		if got := evenly(tt.n, tt.most); !slices.Equal(got, tt.want) {
			t.Errorf("%d of %d: %v, want %v", tt.most, tt.n, got, tt.want)
		}
	}
	if MostPoints != 65536 {
		t.Errorf("%d points at most, want 256 x 256 of 32 pixels", MostPoints)
	}
}

// Whatever a tensor is called, the configuration is one and says whose it is.
func FuzzProjectorOwner(f *testing.F) {
	for _, name := range []string{fivePoints().Name, "run/cell", "", "a\nb\rc\x00\xff", `\012"`} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		text := protoText(name)
		for _, r := range []byte(text) {
			if r < ' ' || r > '~' {
				t.Fatalf("%q has the byte %#x", text, r)
			}
		}
		if got := ProjectorOwner("embeddings {\n  tensor_name: " + text + "\n  tensor_shape: 5\n}\n"); got != name {
			t.Errorf("%q comes back as %q", name, got)
		}
		_ = ProjectorOwner(name) // any text: no panic
	})
}
