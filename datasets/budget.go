package datasets

import (
	"context"
	"encoding/binary"
	"runtime"

	"golang.org/x/sync/semaphore"
)

// A budget bounds the bytes that are in use at once, whatever the number of goroutines: those of source
// files, and those that decoding takes. Each is taken once by an image, the file's first, so that
// nobody waits for one who waits.
type budget struct{ files, decoding *semaphore.Weighted }

// newBudget returns the budget of an ingest or of an open data set.
func newBudget() budget {
	return budget{semaphore.NewWeighted(2 * byteLimit), semaphore.NewWeighted(memoryLimit)}
}

// decode runs work, which takes n bytes at most.
func (b budget) decode(ctx context.Context, n int64, work func() error) error {
	n = min(n, memoryLimit)
	if err := b.decoding.Acquire(ctx, n); err != nil {
		return err
	}
	defer b.decoding.Release(n)
	err := work()
	// What a large image leaves behind is collected before the next one, or there would be two.
	const large = 128 << 20
	if n >= large {
		runtime.GC()
	}
	return err
}

// memoryJPEG returns the most memory that decoding a JPEG takes: a byte a sample, four more for each
// coefficient where it is progressive, and four a pixel of an image in RGB or CMYK. A header that is not
// found stands for the worst.
func memoryJPEG(data []byte, pixels int64) int64 {
	const worst = 4*(1+4) + 4
	frame := frameJPEG(data)
	if len(frame) < 8 {
		return pixels * worst
	}
	body := frame[2:] // behind the marker: length, precision, height, width, components
	components := int(body[7])
	if len(body) < 8+3*components || components == 0 {
		return pixels * worst
	}
	most, samples := [2]int64{1, 1}, int64(0)
	for i := range components {
		h, v := int64(body[8+3*i+1]>>4), int64(body[8+3*i+1]&15)
		most[0], most[1] = max(most[0], h), max(most[1], v)
		samples += h * v
	}
	width, height := int64(binary.BigEndian.Uint16(body[5:])), int64(binary.BigEndian.Uint16(body[3:]))
	blocks := ((width + 8*most[0] - 1) / (8 * most[0])) * ((height + 8*most[1] - 1) / (8 * most[1])) // of most[0] x most[1]
	if components == 1 {                                                                             // its blocks are single ones, whatever its sampling says
		blocks, samples = ((width+7)/8)*((height+7)/8), 1
	}
	total := blocks * 64 * samples
	if frame[1] == 0xc2 {
		total *= 1 + 4
	}
	if components >= 3 { // in RGB or CMYK, it is put together in the end
		total += 4 * pixels
	}
	return total
}

// frameJPEG returns a JPEG from its frame header on: markers SOF0, SOF1 and SOF2. It returns nil where
// there is none before the image.
func frameJPEG(data []byte) []byte {
	for at := 2; at+4 <= len(data) && data[at] == 0xff; {
		marker := data[at+1]
		switch {
		case marker == 0xff: // a fill byte
			at++
			continue
		case marker == 0xda || marker == 0xd9:
			return nil
		case marker >= 0xc0 && marker <= 0xc2:
			return data[at:]
		}
		at += 2 + int(binary.BigEndian.Uint16(data[at+2:]))
	}
	return nil
}

// memoryPNG returns the most memory that decoding a PNG takes: a pixel of 1 to 8 bytes, and all pixels
// again in the passes of an interlaced one.
func memoryPNG(data []byte, pixels int64) int64 {
	const depth, colour, interlace = 24, 25, 28 // offsets in the file, whose first chunk is IHDR
	if len(data) <= interlace {
		return 8 * pixels
	}
	pixel := int64(4) // a gray one with a transparent colour has four channels too
	if data[colour] == 3 {
		pixel = 1
	}
	if data[depth] == 16 {
		pixel *= 2
	}
	if data[interlace] != 0 {
		pixel *= 2
	}
	return pixel * pixels
}

// memoryGIF returns the most memory that decoding a GIF takes: the frame, and the screen that it is
// drawn on.
func memoryGIF(_ []byte, pixels int64) int64 { return (1 + 4) * pixels }
