package datasets

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// photo is a JPEG with the statistics of a photograph: smooth shapes and a little noise.
func photo(tb testing.TB, width, height int, seed uint64) []byte {
	tb.Helper()
	return jpegOf(tb, scene(width, height, seed))
}

func scene(width, height int, seed uint64) *image.RGBA {
	random := rand.New(rand.NewPCG(seed, 0))
	fx, fy, phase := random.Float64()*9, random.Float64()*9, random.Float64()*6
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			u, v := float64(x)/float64(width), float64(y)/float64(height)
			wave := math.Sin(fx*u+phase)*math.Cos(fy*v) + 0.1*math.Sin(60*u*v)
			noise := random.Float64() * 16
			m.SetRGBA(x, y, color.RGBA{uint8(120 + 100*wave + noise), uint8(110 + 60*wave*u + noise), uint8(100 + 90*v + noise), 255})
		}
	}
	return m
}

func jpegOf(tb testing.TB, m image.Image) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 90}); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func pngOf(tb testing.TB, m image.Image) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// gifOf is a GIF of two frames: m on a screen, and black.
func gifOf(tb testing.TB, m image.Image, screen image.Rectangle) []byte {
	tb.Helper()
	colours := color.Palette{color.RGBA{255, 0, 0, 255}, color.RGBA{0, 255, 0, 255}, color.RGBA{0, 0, 255, 255}, color.White, color.Black}
	first, second := image.NewPaletted(m.Bounds(), colours), image.NewPaletted(m.Bounds(), colours)
	draw.Draw(first, first.Bounds(), m, m.Bounds().Min, draw.Src)
	draw.Draw(second, second.Bounds(), image.Black, image.Point{}, draw.Src)
	var b bytes.Buffer
	all := &gif.GIF{
		Image: []*image.Paletted{first, second}, Delay: []int{10, 10},
		Config: image.Config{ColorModel: colours, Width: screen.Dx(), Height: screen.Dy()},
	}
	if err := gif.EncodeAll(&b, all); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// quarters is an image of four plain fields: red, green over blue, white.
func quarters(width, height int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			c := color.RGBA{255, 0, 0, 255}
			switch {
			case y < height/2 && x >= width/2:
				c = color.RGBA{0, 255, 0, 255}
			case y >= height/2 && x < width/2:
				c = color.RGBA{0, 0, 255, 255}
			case y >= height/2:
				c = color.RGBA{255, 255, 255, 255}
			}
			m.SetRGBA(x, y, c)
		}
	}
	return m
}

// exif is TIFF data with an orientation, behind another entry.
func exif(order binary.AppendByteOrder, orientation uint16) []byte {
	b := []byte("II*\x00")
	if order.String() == "BigEndian" {
		b = []byte("MM\x00*")
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 2)
	for _, e := range [][2]uint16{{0x0100, 77}, {0x0112, orientation}} {
		b = order.AppendUint16(b, e[0])
		b = order.AppendUint16(b, 3)
		b = order.AppendUint32(b, 1)
		b = order.AppendUint16(b, e[1])
		b = order.AppendUint16(b, 0)
	}
	return order.AppendUint32(b, 0)
}

// rotated puts an EXIF orientation into a JPEG or PNG.
func rotated(data []byte, order binary.AppendByteOrder, orientation uint16) []byte {
	tiff := exif(order, orientation)
	if data[0] == 0xff {
		segment := append([]byte("Exif\x00\x00"), tiff...)
		out := append([]byte{0xff, 0xd8, 0xff, 0xe1}, byte((len(segment)+2)>>8), byte(len(segment)+2))
		return append(append(out, segment...), data[2:]...)
	}
	chunk := append([]byte("eXIf"), tiff...)
	out := binary.BigEndian.AppendUint32(bytes.Clone(data[:33]), uint32(len(tiff))) // signature and IHDR
	out = binary.BigEndian.AppendUint32(append(out, chunk...), crc32.ChecksumIEEE(chunk))
	return append(out, data[33:]...)
}

// corners names the colour in each corner: left top, right top, left bottom, right bottom.
func corners(r raster) string {
	p := r.pixels()
	at := func(x, y int) byte {
		c := p[(y*r.width+x)*3:]
		switch red, green, blue := c[0] > 127, c[1] > 127, c[2] > 127; {
		case red && green && blue:
			return 'w'
		case red:
			return 'r'
		case green:
			return 'g'
		case blue:
			return 'b'
		}
		return '?'
	}
	x, y := r.width-3, r.height-3
	return string([]byte{at(2, 2), at(x, 2), at(2, y), at(x, y)})
}

func TestDecodeOrientation(t *testing.T) {
	// By hand from Exif 2.32: where the first row and the first column of the stored pixels lie.
	want := map[uint16]string{0: "rgbw", 1: "rgbw", 2: "grwb", 3: "wbgr", 4: "bwrg", 5: "rbgw", 6: "brwg", 7: "wgbr", 8: "gwrb", 9: "rgbw"}
	for orientation, corner := range want {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			for kind, data := range map[string][]byte{"jpeg": jpegOf(t, quarters(32, 48)), "png": pngOf(t, quarters(32, 48))} {
				p, err := decodeImage(rotated(data, order, orientation))
				if err != nil {
					t.Fatal(err)
				}
				if got := corners(p.raster); got != corner {
					t.Errorf("%s, orientation %d, %v: corners are %s, want %s", kind, orientation, order, got, corner)
				}
				wantW, wantH := 32, 48
				if orientation >= 5 && orientation <= 8 {
					wantW, wantH = 48, 32
				}
				if p.width != wantW || p.height != wantH {
					t.Errorf("%s, orientation %d: size is %d x %d", kind, orientation, p.width, p.height)
				}
				if keep := kind == "jpeg" && (orientation <= 1 || orientation > 8); p.jpeg != keep {
					t.Errorf("%s, orientation %d: can be stored as it is: %v, want %v", kind, orientation, p.jpeg, keep)
				}
			}
		}
	}
}

func TestDecodeColours(t *testing.T) {
	cmyk, err := os.ReadFile("testdata/cmyk.jpg")
	if err != nil {
		t.Fatal(err)
	}
	gray := image.NewGray(image.Rect(0, 0, 16, 24))
	gray16 := image.NewGray16(gray.Rect)
	deep := image.NewNRGBA64(gray.Rect)
	glass := image.NewNRGBA(gray.Rect)
	for y := range 24 {
		for x := range 16 {
			gray.SetGray(x, y, color.Gray{90})
			gray16.SetGray16(x, y, color.Gray16{0x5aff})
			deep.SetNRGBA64(x, y, color.NRGBA64{0x12ff, 0x8001, 0xfe00, 0xffff})
			glass.SetNRGBA(x, y, color.NRGBA{200, 0, 0, 128})
		}
	}
	for _, c := range []struct {
		name string
		data []byte
		y    int
		want [3]int
		off  int // tolerance
	}{
		// Pillow 11 on the file it wrote: Image.open(...).convert("RGB").getpixel; decoders round
		// differently.
		{"CMYK with Adobe's inversion, upper half", cmyk, 5, [3]int{245, 53, 34}, 4},
		{"CMYK, lower half", cmyk, 18, [3]int{19, 164, 195}, 4},
		{"grayscale JPEG is repeated in three channels", jpegOf(t, gray), 5, [3]int{90, 90, 90}, 1},
		{"16-bit gray PNG keeps the high byte", pngOf(t, gray16), 5, [3]int{0x5a, 0x5a, 0x5a}, 0},
		{"16-bit PNG keeps the high byte", pngOf(t, deep), 5, [3]int{0x12, 0x80, 0xfe}, 0},
		{"half transparent red lies over white", pngOf(t, glass), 5, [3]int{227, 127, 127}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := decodeImage(c.data)
			if err != nil {
				t.Fatal(err)
			}
			if p.jpeg {
				t.Error("counts as storable as it is")
			}
			got := p.pixels()[(c.y*p.width+8)*3:]
			for i := range 3 {
				if d := int(got[i]) - c.want[i]; d > c.off || d < -c.off {
					t.Fatalf("pixel is %v, want %v", got[:3], c.want)
				}
			}
		})
	}
}

// badImages are files that are quarantined, with a part of the reason.
func badImages(tb testing.TB) map[string]struct {
	data   []byte
	reason string
} {
	tb.Helper()
	whole := photo(tb, 60, 50, 3)
	wholePNG := pngOf(tb, quarters(60, 50))
	wholeGIF := gifOf(tb, quarters(60, 50), image.Rect(0, 0, 60, 50))
	huge := bytes.Clone(wholePNG)
	binary.BigEndian.PutUint32(huge[16:], 1<<20)
	binary.BigEndian.PutUint32(huge[20:], 1<<20)
	binary.BigEndian.PutUint32(huge[29:], crc32.ChecksumIEEE(huge[12:29]))
	return map[string]struct {
		data   []byte
		reason string
	}{
		"truncated JPEG":        {whole[:len(whole)*2/3], "image is truncated"},
		"JPEG without its end":  {whole[:len(whole)-2], "image is truncated"},
		"JPEG of its header":    {whole[:20], "image is truncated"},
		"truncated PNG":         {wholePNG[:len(wholePNG)-30], "image is truncated"},
		"empty file":            {nil, "file is empty"},
		"zero bytes":            {make([]byte, 5000), "file holds nothing but 5000 zero bytes"},
		"text named .jpg":       {[]byte("404 not found\n"), `file is text that starts with "404 not found\n", want a JPEG, PNG or GIF`},
		"GIF of its header":     {[]byte("GIF89a......"), "image is truncated"},
		"truncated GIF":         {wholeGIF[:len(wholeGIF)*2/3], "image is truncated"},
		"WebP":                  {[]byte("RIFF....WEBPVP8 "), "file is a RIFF file (WebP?), want a JPEG, PNG or GIF"},
		"noise":                 {[]byte{1, 2, 3, 4, 5, 6, 7, 8, 9}, "file starts with bytes 01 02 03 04 05 06 07 08, want a JPEG, PNG or GIF"},
		"1x1 JPEG":              {jpegOf(tb, quarters(1, 1)), "image is 1 x 1 pixels, want at least 8 x 8"},
		"1x1 PNG":               {pngOf(tb, quarters(1, 1)), "image is 1 x 1 pixels, want at least 8 x 8"},
		"a header that lies":    {huge, "image is 1048576 x 1048576 pixels, want at most"},
		"PNG with a wrong sum":  {append(bytes.Clone(wholePNG[:40]), append([]byte{wholePNG[40] ^ 1}, wholePNG[41:]...)...), "broken image: png: "},
		"JPEG with broken data": {append([]byte{0xff, 0xd8, 0xff, 0xdb, 0, 4, 0x55, 0x55}, whole[2:]...), "broken image: "},
	}
}

func TestDecodeBad(t *testing.T) {
	for name, c := range badImages(t) {
		t.Run(name, func(t *testing.T) {
			if _, err := decodeImage(c.data); err == nil || !strings.HasPrefix(err.Error(), c.reason) {
				t.Errorf("error is %v, want %s", err, c.reason)
			}
		})
	}
}

// The first frame of a GIF is read, whatever the file is called. What it does not cover is white.
func TestDecodeGIF(t *testing.T) {
	p, err := decodeImage(gifOf(t, quarters(40, 30), image.Rect(0, 0, 40, 30)))
	if err != nil || corners(p.raster) != "rgbw" || p.jpeg || p.width != 40 || p.height != 30 {
		t.Errorf("corners are %s of %d x %d, %v", corners(p.raster), p.width, p.height, err)
	}
	p, err = decodeImage(gifOf(t, quarters(40, 30), image.Rect(0, 0, 80, 60)))
	if err != nil || corners(p.raster) != "rwww" || p.width != 80 || p.height != 60 {
		t.Errorf("on a larger screen, corners are %s of %d x %d, %v", corners(p.raster), p.width, p.height, err)
	}
}

// A box is turned as its image is: the middle of each coloured quarter stays in its colour.
func TestTurnBox(t *testing.T) {
	for orientation := range uint16(9) {
		p, err := decodeImage(rotated(pngOf(t, quarters(32, 48)), binary.BigEndian, orientation))
		if err != nil {
			t.Fatal(err)
		}
		for want, b := range map[byte]Box{'r': {2, 3, 12, 20}, 'g': {20, 3, 30, 20}, 'b': {2, 30, 12, 45}, 'w': {20, 30, 30, 45}} {
			got := uprightBox(b, p.width, p.height, p.orientation)
			if got.X0 < 0 || got.Y0 < 0 || got.X1 > p.width || got.Y1 > p.height || (got.X1-got.X0)*(got.Y1-got.Y0) != (b.X1-b.X0)*(b.Y1-b.Y0) {
				t.Fatalf("orientation %d: %v became %v in %d x %d", orientation, b, got, p.width, p.height)
			}
			if c := corners(p.crop(got)); c != strings.Repeat(string(want), 4) {
				t.Errorf("orientation %d: %v became %v, whose corners are %s, want %c", orientation, b, got, c, want)
			}
		}
	}
}

func FuzzDecodeImage(f *testing.F) {
	f.Add(gifOf(f, quarters(9, 9), image.Rect(0, 0, 12, 9)))
	f.Add(photo(f, 16, 16, 1))
	f.Add(pngOf(f, quarters(9, 9)))
	f.Add(rotated(photo(f, 16, 16, 1), binary.BigEndian, 6))
	f.Add(rotated(pngOf(f, quarters(9, 9)), binary.LittleEndian, 5))
	f.Add([]byte("text"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := decodeImage(data)
		if err != nil {
			return
		}
		if p.width*p.height < 1<<20 && len(p.pixels()) != p.width*p.height*3 {
			t.Error("pixels do not fit the size")
		}
	})
}
