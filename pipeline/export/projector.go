package export

import (
	"bufio"
	"context"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"io"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/sync/errgroup"

	"bierbench/runs"
)

// The files that Project writes.
const (
	ProjectorConfig  = "projector_config.pbtxt"
	projectorVectors = "tensors.tsv"
	projectorLabels  = "metadata.tsv"
	projectorSprite  = "sprite.png"
)

// ProjectorFiles returns the names of all files that Project writes.
func ProjectorFiles() []string {
	return []string{ProjectorConfig, projectorVectors, projectorLabels, projectorSprite}
}

// The sprite has at most spriteSide pixels per side, the largest texture that browsers take
// everywhere. Its pictures have the larger side where all of them fit, else the smaller.
const (
	spriteSide   = 8192
	pictureLarge = 64
	pictureSmall = 32

	// MostPoints is the number of pictures of the smaller side that fit, and so of points.
	MostPoints = (spriteSide / pictureSmall) * (spriteSide / pictureSmall)
)

// A Projection is what TensorBoard's embedding projector shows of a cell: a point for each image.
type Projection struct {
	Name       string // of the tensor
	Embeddings runs.Embeddings

	// Labels returns the names of the class and the super class of an image; nil leaves the number of
	// the class.
	Labels func(i int) (class, superclass string)
	// Picture returns an image with a longest side of at most side pixels; nil leaves the sprite out.
	Picture func(i, side int) (image.Image, error)
}

// Points returns the images that become points: all, or of more than MostPoints as many, evenly over
// their order. That is by split and class, so classes keep their shares.
func (p Projection) Points() []int { return evenly(len(p.Embeddings.IDs), MostPoints) }

// evenly returns at most most of n indices, ascending: index k*n/most for every k.
func evenly(n, most int) []int {
	most = min(n, most)
	out := make([]int, most)
	for k := range out {
		out[k] = k * n / most
	}
	return out
}

// Project writes the files of the embedding projector into a folder, the configuration last:
// tensors.tsv, metadata.tsv, sprite.png and projector_config.pbtxt. The same projection gives the
// same bytes.
// https://github.com/tensorflow/tensorboard/blob/master/tensorboard/plugins/projector/projector_config.proto
func Project(ctx context.Context, dir string, p Projection) error {
	points := p.Points()
	config := fmt.Sprintf("embeddings {\n  tensor_name: %s\n  tensor_shape: %d\n  tensor_shape: %d\n  tensor_path: %s\n  metadata_path: %s\n",
		protoText(p.Name), len(points), p.Embeddings.Width, protoText(projectorVectors), protoText(projectorLabels))
	write := func(name string, content func(w *bufio.Writer) error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return runs.WriteFileFunc(filepath.Join(dir, name), 0o644, func(w io.Writer) error {
			out := bufio.NewWriterSize(w, 1<<20)
			if err := content(out); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return out.Flush()
		})
	}
	if err := write(projectorVectors, func(w *bufio.Writer) error { return p.writeVectors(ctx, w, points) }); err != nil {
		return err
	}
	if err := write(projectorLabels, func(w *bufio.Writer) error { p.writeLabels(w, points); return nil }); err != nil {
		return err
	}
	if p.Picture != nil {
		sprite, side, err := p.sprite(ctx, points)
		if err != nil {
			return err
		}
		if err = write(projectorSprite, func(w *bufio.Writer) error { return png.Encode(w, sprite) }); err != nil {
			return err
		}
		config += fmt.Sprintf("  sprite {\n    image_path: %s\n    single_image_dim: %d\n    single_image_dim: %d\n  }\n",
			protoText(projectorSprite), side, side)
	}
	return write(ProjectorConfig, func(w *bufio.Writer) error { _, err := w.WriteString(config + "}\n"); return err })
}

// writeVectors writes a line of numbers for each point.
func (p Projection) writeVectors(ctx context.Context, w *bufio.Writer, points []int) error {
	width := p.Embeddings.Width
	var line []byte
	for _, i := range points {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		line = line[:0]
		for j, v := range p.Embeddings.Values[i*width : (i+1)*width] {
			if j > 0 {
				line = append(line, '\t')
			}
			line = strconv.AppendFloat(line, float64(v), 'g', -1, 32)
		}
		_, _ = w.Write(append(line, '\n')) // Flush returns the error
	}
	return nil
}

// writeLabels writes the names of the columns and a line of labels for each point.
func (p Projection) writeLabels(w *bufio.Writer, points []int) {
	fmt.Fprintln(w, "class\tsuperclass\tsplit\tid")
	for _, i := range points {
		class, superclass := strconv.Itoa(int(p.Embeddings.Classes[i])), ""
		if p.Labels != nil {
			class, superclass = p.Labels(i)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\n", tableText(class), tableText(superclass), tableText(p.Embeddings.Splits[i]), p.Embeddings.IDs[i])
	}
}

// sprite draws the picture of every point into a square grid, row by row, and returns the side of a
// picture.
func (p Projection) sprite(ctx context.Context, points []int) (*image.NRGBA, int, error) {
	columns := 1
	for columns*columns < len(points) {
		columns++
	}
	side := pictureLarge
	if columns*side > spriteSide {
		side = pictureSmall
	}
	rows := (len(points) + columns - 1) / columns
	sheet := image.NewNRGBA(image.Rect(0, 0, columns*side, max(rows, 1)*side))
	draw.Draw(sheet, sheet.Bounds(), image.White, image.Point{}, draw.Src)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for k, i := range points {
		group.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			picture, err := p.Picture(i, side)
			if err != nil {
				return fmt.Errorf("%s: image %d: %w", projectorSprite, p.Embeddings.IDs[i], err)
			}
			size := picture.Bounds().Size()
			cell := image.Rect(0, 0, side, side).Add(image.Pt(k%columns*side, k/columns*side))
			at := cell.Min.Add(image.Pt((side-size.X)/2, (side-size.Y)/2))
			draw.Draw(sheet, image.Rectangle{at, at.Add(size)}.Intersect(cell), picture, picture.Bounds().Min, draw.Src)
			return nil
		})
	}
	return sheet, side, group.Wait()
}

// tableText escapes a text for a table of values between tabs: what would end a value or a line, and
// what does not print, becomes a Go escape.
func tableText(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\\':
			b.WriteString(`\\`)
		case r != unicode.ReplacementChar && unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

// protoText returns a string of the text format of protocol buffers: bytes that are not printable
// ASCII are octal escapes.
func protoText(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// ProjectorOwner returns the name of the tensor that a configuration of Project names; it is empty
// for another text.
func ProjectorOwner(config string) string {
	for line := range strings.Lines(config) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "tensor_name: "); ok {
			if text, err := strconv.Unquote(name); err == nil { // Go has the same octal escapes
				return text
			}
		}
	}
	return ""
}
