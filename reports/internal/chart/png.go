package chart

import (
	"fmt"
	"image/color"
	"image/png"
	"io"
	"strconv"

	"git.sr.ht/~sbinet/gg"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
)

// pixelScale is how many pixels of a PNG one pixel of a chart takes, so that it is sharp on paper.
const pixelScale = 2

// Painter draws charts as pixels, one at a time.
type Painter struct {
	face   font.Face
	looks  map[string]look
	colors map[string]color.NRGBA
}

// NewPainter returns a painter with the Go font and the colours of a light page.
func NewPainter() (*Painter, error) {
	parsed, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, fmt.Errorf("read the Go font: %w", err)
	}
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: 12 * pixelScale, DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		return nil, fmt.Errorf("scale the Go font: %w", err)
	}
	p := &Painter{face: face, looks: map[string]look{}, colors: map[string]color.NRGBA{}}
	for _, l := range nodeLooks() {
		p.looks[l.class] = l
	}
	for name, text := range LightColors() {
		v, err := strconv.ParseUint(text[1:], 16, 32)
		if err != nil {
			return nil, fmt.Errorf("colour %s: %w", name, err)
		}
		p.colors[name] = color.NRGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), 255}
	}
	return p, nil
}

// PNG writes a chart in the colours of a light page, at twice its size.
func (p *Painter) PNG(w io.Writer, c Chart) error {
	d, _ := c.Plot.draw()
	dc := gg.NewContext(int(d.width*pixelScale), int(d.height*pixelScale))
	dc.SetColor(p.colors["page"])
	dc.Clear()
	dc.SetFontFace(p.face)
	p.paint(dc, d.nodes)
	return (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(w, dc.Image())
}

// paint draws nodes in their order.
func (p *Painter) paint(dc *gg.Context, nodes []node) {
	for _, n := range nodes {
		l := p.looks[n.class]
		switch {
		case n.parts != nil:
			p.paint(dc, n.parts)
		case n.path != nil:
			p.paintPath(dc, n, l)
		default:
			p.paintText(dc, n, l)
		}
	}
}

// paintPath draws a path: first its fill, then its stroke.
func (p *Painter) paintPath(dc *gg.Context, n node, l look) {
	for _, s := range n.path {
		switch s.kind {
		case 'M':
			dc.MoveTo(s.x*pixelScale, s.y*pixelScale)
		case 'L':
			dc.LineTo(s.x*pixelScale, s.y*pixelScale)
		case 'Z':
			dc.ClosePath()
		}
	}
	if l.fill != "" {
		opacity := l.opacity
		if n.shade > 0 {
			opacity *= float64(n.shade) / 10
		}
		dc.SetColor(p.color(l.fill, n.color, opacity))
		dc.FillPreserve()
	}
	if l.stroke != "" {
		dc.SetColor(p.color(l.stroke, n.color, l.opacity))
		dc.SetLineWidth(l.width * pixelScale)
		dc.SetLineCapButt()
		scaled := make([]float64, len(n.dashes))
		for i, v := range n.dashes {
			scaled[i] = v * pixelScale
		}
		dc.SetDash(scaled...)
		dc.StrokePreserve()
	}
	dc.ClearPath()
}

// paintText draws a text.
func (p *Painter) paintText(dc *gg.Context, n node, l look) {
	dc.SetColor(p.color(l.fill, n.color, l.opacity))
	x, y := n.x*pixelScale, n.y*pixelScale
	anchor := map[string]float64{"middle": 0.5, "end": 1}[n.anchor]
	dc.Push()
	if n.upright {
		dc.RotateAbout(gg.Radians(-90), x, y)
	}
	dc.DrawStringAnchored(n.text, x, y, anchor, 0)
	dc.Pop()
}

// color returns a colour by its name. series is 1 more than the index of the node's own.
func (p *Painter) color(name string, series int, opacity float64) color.NRGBA {
	if name == "series" {
		name = fmt.Sprintf("c%d", max(series-1, 0))
	}
	c := p.colors[name]
	c.A = uint8(opacity*255 + 0.5)
	return c
}
