package datasets

import (
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// The sizes of the contact sheet, in pixels and in images.
const (
	sheetCell    = 128 // side of an image's cell
	sheetGap     = 6
	sheetColumns = 8  // images of a class
	sheetClasses = 12 // of all splits, unless another number is asked for
	sheetLabel   = 20 // height of a class's line
)

// ContactSheet writes a PNG with a few images of so many classes, 0 for 12 of them. A line of text above each class
// says its split, number, name and number of images. The sheet of a data set is the same every
// time.
func ContactSheet(d *Dataset, classes int, w io.Writer) error {
	rows := d.sheetRows(cmp.Or(classes, sheetClasses))
	width := sheetGap + sheetColumns*(sheetCell+sheetGap)
	band := sheetLabel + sheetCell + sheetGap
	sheet := image.NewRGBA(image.Rect(0, 0, width, sheetLabel+len(rows)*band+sheetGap))
	draw.Draw(sheet, sheet.Bounds(), image.White, image.Point{}, draw.Src)
	m := d.Manifest
	drawLabel(sheet, sheetGap, 15, fmt.Sprintf("%s %s: %d images, digest %.12s", m.Set, m.Variant, m.Rows, m.Digest), width)
	for n, class := range rows {
		top := sheetLabel + n*band
		first := class.show[0]
		drawLabel(sheet, sheetGap, top+15, fmt.Sprintf("%s, class %d, %s: %d images",
			d.Split(first), d.Class(first), d.ClassName(first), class.images), width)
		for k, i := range class.show {
			if err := d.drawCell(sheet, i, sheetGap+k*(sheetCell+sheetGap), top+sheetLabel); err != nil {
				return err
			}
		}
	}
	return png.Encode(w, sheet)
}

// sheetRow is a class on the sheet.
type sheetRow struct {
	show   []int // rows of the data set
	images int   // number of images of the class
}

// sheetRows picks classes evenly over the data set, so that every split and every region of the
// lists is on the sheet, and images evenly over each class.
func (d *Dataset) sheetRows(most int) []sheetRow {
	var classes [][]int
	for i := range d.Len() {
		if i == 0 || d.Split(i) != d.Split(i-1) || d.Class(i) != d.Class(i-1) {
			classes = append(classes, nil)
		}
		last := len(classes) - 1
		classes[last] = append(classes[last], i)
	}
	n := min(most, len(classes))
	rows := make([]sheetRow, n)
	for k := range rows {
		all := classes[(2*k+1)*len(classes)/(2*n)]
		rows[k].images = len(all)
		columns := min(sheetColumns, len(all))
		for j := range columns {
			rows[k].show = append(rows[k].show, all[j*len(all)/columns])
		}
	}
	return rows
}

// drawCell draws the whole image of row i, its longest side sheetCell, into the cell at x, y.
func (d *Dataset) drawCell(sheet *image.RGBA, i, x, y int) error {
	r, err := d.decodeRow(i)
	if err != nil {
		return err
	}
	pixels := padToSquare(r, sheetCell)
	for v := range sheetCell {
		for u := range sheetCell {
			p := pixels[(v*sheetCell+u)*3:]
			sheet.SetRGBA(x+u, y+v, color.RGBA{p[0], p[1], p[2], 0xff})
		}
	}
	return nil
}

// drawLabel draws a line of text with its base line at y. The font has only ASCII: other letters
// become "?".
func drawLabel(sheet draw.Image, x, y int, text string, width int) {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, text)
	face := basicfont.Face7x13
	if most := (width - 2*x) / face.Advance; len(text) > most {
		text = text[:most-3] + "..."
	}
	line := font.Drawer{Dst: sheet, Src: image.Black, Face: face, Dot: fixed.P(x, y)}
	line.DrawString(text)
}
