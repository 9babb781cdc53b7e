package datasets

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"strconv"
	"strings"
)

const (
	minSide    = 8         // pixels of a side: a smaller image shows nothing and is quarantined
	pixelLimit = 100 << 20 // pixels of one image: a larger one is taken for a damaged header
	byteLimit  = 256 << 20 // bytes of one image file

	// memoryLimit is the memory in bytes that decoding takes at most: that of one image, and of all
	// that are decoded at once. A photograph of 60 megapixels takes 330 MB, and 690 MB where it is
	// progressive.
	memoryLimit = 1 << 30

	storedQuality = 95 // quality of the JPEGs that are stored
)

// A picture is a decoded source image, turned upright.
type picture struct {
	raster
	jpeg        bool // the file is a JPEG of three components and upright: it can be stored as it is
	orientation int  // EXIF orientation of the file, 1 to 8; 0 where it has none
}

// A codec is a format of source images.
type codec struct {
	decode      func(io.Reader) (image.Image, error)
	config      func(io.Reader) (image.Config, error)
	orientation func(data []byte) int
	bytes       func(data []byte, pixels int64) int64 // the most memory that decode takes
}

// codecOf returns the format of a file by its first bytes, whatever its name is: six images of
// Stanford Online Products are GIF files that are named JPG.
func codecOf(data []byte) (c codec, isJPEG, known bool) {
	switch {
	case bytes.HasPrefix(data, []byte{0xff, 0xd8, 0xff}):
		return codec{jpeg.Decode, jpeg.DecodeConfig, orientationJPEG, memoryJPEG}, true, true
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")):
		return codec{png.Decode, png.DecodeConfig, orientationPNG, memoryPNG}, false, true
	case bytes.HasPrefix(data, []byte("GIF87a")), bytes.HasPrefix(data, []byte("GIF89a")):
		none := func([]byte) int { return 0 }
		return codec{decodeGIF, gif.DecodeConfig, none, memoryGIF}, false, true
	}
	return codec{}, false, false
}

// checkImage reads the header of an image. It returns the size of the image as it is in the file, its
// orientation, and the most memory that decoding and turning it takes, in bytes. An image that is too
// small, or that takes too much, is an error.
func checkImage(data []byte) (width, height, orientation int, memory int64, err error) {
	c, _, known := codecOf(data)
	if !known {
		return 0, 0, 0, 0, errors.New(describeForeign(data))
	}
	config, err := c.config(bytes.NewReader(data))
	if err != nil {
		return 0, 0, 0, 0, decodeError(err)
	}
	width, height = config.Width, config.Height
	pixels := int64(width) * int64(height)
	switch {
	case pixels > pixelLimit:
		return 0, 0, 0, 0, fmt.Errorf("image is %d x %d pixels, want at most %d", width, height, pixelLimit)
	case width < minSide || height < minSide:
		return 0, 0, 0, 0, fmt.Errorf("image is %d x %d pixels, want at least %d x %d", width, height, minSide, minSide)
	}
	memory = c.bytes(data, pixels)
	if orientation = c.orientation(data); orientation > 1 {
		memory += 2 * 3 * pixels
	}
	if memory > memoryLimit {
		return 0, 0, 0, 0, fmt.Errorf("image of %d x %d pixels takes %d MiB to decode, want at most %d", width, height, memory>>20, memoryLimit>>20)
	}
	return width, height, orientation, memory, nil
}

// decodeImage reads a JPEG, a PNG or the first frame of a GIF and turns it upright by its EXIF
// orientation. The error says what is wrong with the data.
func decodeImage(data []byte) (picture, error) {
	_, _, orientation, _, err := checkImage(data)
	if err != nil {
		return picture{}, err
	}
	c, isJPEG, _ := codecOf(data)
	m, err := c.decode(bytes.NewReader(data))
	if err != nil {
		return picture{}, decodeError(err)
	}
	p := picture{raster: imageRaster(m), orientation: orientation}
	if orientation > 1 {
		p.raster = turnUpright(p.raster, orientation)
	}
	if isJPEG && orientation <= 1 {
		switch m.(type) {
		case *image.YCbCr, *image.RGBA: // a JPEG holds RGB where its Adobe marker says so
			p.jpeg = true
		}
	}
	return p, nil
}

// decodeGIF returns the first frame of a GIF on its screen. What the frame does not cover is
// transparent.
func decodeGIF(r io.Reader) (image.Image, error) {
	var file bytes.Buffer
	config, err := gif.DecodeConfig(io.TeeReader(r, &file))
	if err != nil {
		return nil, err
	}
	frame, err := gif.Decode(io.MultiReader(&file, r))
	if err != nil {
		return nil, err
	}
	screen := image.Rect(0, 0, config.Width, config.Height)
	if frame.Bounds() == screen {
		return frame, nil
	}
	m := image.NewNRGBA(screen)
	draw.Draw(m, screen, frame, image.Point{}, draw.Src)
	return m, nil
}

// decodeError returns an error of a decoder in plain words.
func decodeError(err error) error {
	short := strings.HasSuffix(err.Error(), "short Huffman data") || strings.HasSuffix(err.Error(), "not enough pixel data") ||
		strings.HasSuffix(err.Error(), "not enough image data") || strings.HasSuffix(err.Error(), "unexpected EOF")
	if short || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return errors.New("image is truncated")
	}
	return fmt.Errorf("broken image: %w", err)
}

// describeForeign says what data is that is no JPEG, PNG or GIF.
func describeForeign(data []byte) string {
	if len(data) == 0 {
		return "file is empty"
	}
	head := data[:min(len(data), 64)]
	if len(bytes.Trim(data, "\x00")) == 0 {
		return fmt.Sprintf("file holds nothing but %d zero bytes", len(data))
	}
	for _, known := range []struct{ magic, name string }{
		{"BM", "a BMP"},
		{"RIFF", "a RIFF file (WebP?)"},
		{"II*\x00", "a TIFF"},
		{"MM\x00*", "a TIFF"},
		{"%PDF", "a PDF"},
		{"PK\x03\x04", "a ZIP archive"},
		{"\x1f\x8b", "a gzip file"},
	} {
		if bytes.HasPrefix(data, []byte(known.magic)) {
			return fmt.Sprintf("file is %s, want a JPEG, PNG or GIF", known.name)
		}
	}
	if !bytes.ContainsFunc(head, func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffd }) {
		return fmt.Sprintf("file is text that starts with %s, want a JPEG, PNG or GIF", strconv.Quote(string(head[:min(len(head), 24)])))
	}
	return fmt.Sprintf("file starts with bytes % x, want a JPEG, PNG or GIF", head[:min(len(head), 8)])
}

// orientationJPEG returns the EXIF orientation, 1 to 8, or 0 where there is none.
func orientationJPEG(data []byte) int {
	for at := 2; at+4 <= len(data) && data[at] == 0xff; {
		marker := data[at+1]
		if marker == 0xff { // a fill byte
			at++
			continue
		}
		if marker == 0xda || marker == 0xd9 {
			return 0
		}
		end := at + 2 + int(binary.BigEndian.Uint16(data[at+2:]))
		if end > len(data) || end < at+4 {
			return 0
		}
		if body, found := bytes.CutPrefix(data[at+4:end], []byte("Exif\x00\x00")); marker == 0xe1 && found {
			return orientationTIFF(body)
		}
		at = end
	}
	return 0
}

// orientationPNG returns the orientation of an eXIf chunk, 1 to 8, or 0 where there is none.
func orientationPNG(data []byte) int {
	for at := 8; at+12 <= len(data); {
		size := int64(binary.BigEndian.Uint32(data[at:]))
		if size > int64(len(data)-at-12) {
			return 0
		}
		if string(data[at+4:at+8]) == "eXIf" {
			return orientationTIFF(data[at+8 : at+8+int(size)])
		}
		at += 12 + int(size)
	}
	return 0
}

// orientationTIFF reads tag 0x0112 of the first directory of EXIF data (Exif 2.32, section 4.6).
func orientationTIFF(data []byte) int {
	if len(data) < 8 {
		return 0
	}
	var order binary.ByteOrder
	switch string(data[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 0
	}
	at := int64(order.Uint32(data[4:]))
	if at+2 > int64(len(data)) {
		return 0
	}
	entries := int(order.Uint16(data[at:]))
	for i := range entries {
		entry := at + 2 + int64(12*i)
		if entry+12 > int64(len(data)) {
			return 0
		}
		if order.Uint16(data[entry:]) != 0x0112 {
			continue
		}
		if v := int(order.Uint16(data[entry+8:])); v >= 1 && v <= 8 {
			return v
		}
		return 0
	}
	return 0
}

// turnBox turns a box in the pixels of a file of width x height pixels as turnUpright turns the image.
func turnBox(b Box, width, height, orientation int) Box {
	switch orientation {
	case 2:
		return Box{width - b.X1, b.Y0, width - b.X0, b.Y1}
	case 3:
		return Box{width - b.X1, height - b.Y1, width - b.X0, height - b.Y0}
	case 4:
		return Box{b.X0, height - b.Y1, b.X1, height - b.Y0}
	case 5:
		return Box{b.Y0, b.X0, b.Y1, b.X1}
	case 6:
		return Box{height - b.Y1, b.X0, height - b.Y0, b.X1}
	case 7:
		return Box{height - b.Y1, width - b.X1, height - b.Y0, width - b.X0}
	case 8:
		return Box{b.Y0, width - b.X1, b.Y1, width - b.X0}
	}
	return b
}

// turnUpright undoes an EXIF orientation of 2 to 8. The orientation says where the first row and
// the first column of the stored pixels lie: 2 top right, 3 bottom right, 4 bottom left, 5 left
// top, 6 right top, 7 right bottom, 8 left bottom.
func turnUpright(r raster, orientation int) raster {
	in := r.pixels()
	width, height := r.width, r.height
	if orientation >= 5 {
		width, height = height, width
	}
	out := make([]uint8, len(in))
	for y := range height {
		for x := range width {
			u, v := x, y // of the stored pixel shown at x, y
			switch orientation {
			case 2:
				u = r.width - 1 - x
			case 3:
				u, v = r.width-1-x, r.height-1-y
			case 4:
				v = r.height - 1 - y
			case 5:
				u, v = y, x
			case 6:
				u, v = y, r.height-1-x
			case 7:
				u, v = r.width-1-y, r.height-1-x
			case 8:
				u, v = r.width-1-y, x
			}
			copy(out[(y*width+x)*3:][:3], in[(v*r.width+u)*3:][:3])
		}
	}
	return rgbRaster(out, width, height)
}

// encodeJPEG returns pixels [height][width][3] as a JPEG.
func encodeJPEG(pixels []uint8, width, height, quality int) ([]byte, error) {
	m := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range width * height {
		out, in := m.Pix[4*i:4*i+4:4*i+4], pixels[3*i:3*i+3:3*i+3]
		out[0], out[1], out[2], out[3] = in[0], in[1], in[2], 0xff
	}
	var b bytes.Buffer
	err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality})
	return b.Bytes(), err
}
