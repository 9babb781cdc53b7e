package chart

import (
	"fmt"
	"math"
	"strings"

	"bierbench/reports/internal/table"
)

// Matrix is a square matrix of values. A cell is darker the larger its absolute value is, from the
// smallest of the matrix to the largest.
type Matrix struct {
	What   string       // what a cell is
	Part   string       // what a row is: learner, block
	Names  []string     // of the rows, and of the columns
	Values [][]*float64 // [row][column], nil where there is none
	Text   bool         // the numbers are written into their cells
}

// darkestShade is the opacity of the darkest cell with text in it, in tenths: the text is still
// legible in a dark and in a light page.
const darkestShade = 5

func (c Matrix) draw() (d drawing, ok bool) {
	n := len(c.Values)
	bottom, top := math.Inf(1), 0.0 // of the scale
	for _, row := range c.Values {
		for _, v := range row {
			if v != nil && !math.IsNaN(*v) {
				ok = true
				bottom, top = min(bottom, math.Abs(*v)), max(top, math.Abs(*v))
			}
		}
	}
	if !ok {
		return d, false
	}
	const left, upper, side = 90.0, 28.0, 260.0
	cell := side / float64(n)
	levels := darkestShade
	if !c.Text {
		levels = 10
	}
	shades := make([][]pathStep, levels+1) // cells of one shade are one path
	for i, row := range c.Values {
		for from := 0; from < len(row); {
			shade := shadeOf(row[from], bottom, top, levels)
			to := from + 1
			for !c.Text && to < len(row) && shadeOf(row[to], bottom, top, levels) == shade {
				to++
			}
			if shade > 0 {
				shades[shade] = append(shades[shade], rectangle(left+float64(from)*cell, upper+float64(i)*cell, float64(to-from)*cell, cell)...)
			}
			from = to
		}
	}
	for shade, path := range shades {
		if path != nil {
			d.add(node{class: "cell", shade: shade, path: path})
		}
	}
	d.add(node{class: "axis", path: rectangle(left, upper, side, side)})
	for i, row := range c.Values {
		if n <= 12 || i == 0 || i == n-1 {
			center := (float64(i) + 0.5) * cell
			d.add(textNode("tick", shorten(c.Names[i], 12), "end", left-6, upper+center+4))
			d.add(textNode("tick", c.short(i), "middle", left+center, upper-8))
		}
		for j, v := range row {
			if c.Text {
				d.add(textNode("key", cellText(v), "middle", left+(float64(j)+0.5)*cell, upper+(float64(i)+0.5)*cell+4))
			}
		}
	}
	d.width, d.height = fullWidth, upper+side+10
	if !c.Text {
		d.add(textNode("label", fmt.Sprintf("dark: %.3f", top), "start", left+side+6, upper+12),
			textNode("label", fmt.Sprintf("light: %.3f", bottom), "start", left+side+6, upper+28))
	}
	return d, true
}

// short returns the name of a column: its number.
func (c Matrix) short(i int) string { return fmt.Sprint(i + 1) }

// shadeOf returns the shade of a cell, 1 for bottom to levels for top; 0 where there is no value.
func shadeOf(v *float64, bottom, top float64, levels int) int {
	switch {
	case v == nil || math.IsNaN(*v):
		return 0
	case top == bottom:
		return 1
	}
	return 1 + int(math.Round((math.Abs(*v)-bottom)/(top-bottom)*float64(levels-1)))
}

// cellText writes the value of a cell.
func cellText(v *float64) string {
	if v == nil || math.IsNaN(*v) {
		return table.Dash
	}
	return strings.Replace(fmt.Sprintf("%.3f", *v), "-", "−", 1)
}

func (c Matrix) describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d by %d.", c.What, len(c.Values), len(c.Values))
	if len(c.Values) > mostDescribed {
		b.WriteString(" The chart's CSV file has the numbers.")
		return b.String()
	}
	for i, row := range c.Values {
		var cells []string
		for _, v := range row {
			cells = append(cells, cellText(v))
		}
		fmt.Fprintf(&b, " %s: %s.", c.Names[i], strings.Join(cells, ", "))
	}
	return b.String()
}

func (c Matrix) data() *table.Table {
	t := dataTable(c.Part, "with "+c.Part, "value")
	for i, row := range c.Values {
		for j, v := range row {
			line := []any{c.Names[i], c.Names[j]}
			if v != nil && !math.IsNaN(*v) {
				line = append(line, *v)
			}
			t.AddValues(line...)
		}
	}
	return t
}
