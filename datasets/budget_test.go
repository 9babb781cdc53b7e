package datasets

import (
	"encoding/binary"
	"hash/crc32"
	"image"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"
)

// bombJPEG is a JPEG of some hundred bytes that declares so many pixels and components: a decoder takes
// memory for all of them before it finds that there is no data. kind is the second byte of its frame
// marker, 0xc0 for baseline and 0xc2 for progressive.
func bombJPEG(tb testing.TB, width, height, components int, kind byte) []byte {
	tb.Helper()
	whole := jpegOf(tb, quarters(16, 16)) // for its tables
	out := []byte{0xff, 0xd8}
	for at := 2; whole[at+1] != 0xda; {
		next := at + 2 + int(binary.BigEndian.Uint16(whole[at+2:]))
		if marker := whole[at+1]; marker == 0xdb || marker == 0xc4 {
			out = append(out, whole[at:next]...)
		}
		at = next
	}
	out = append(out, 0xff, kind, 0, byte(8+3*components), 8, byte(height>>8), byte(height), byte(width>>8), byte(width), byte(components))
	scan := []byte{0xff, 0xda, 0, byte(6 + 2*components), byte(components)}
	for c := range components {
		out = append(out, byte(c+1), 0x11, 0)
		scan = append(scan, byte(c+1), 0)
	}
	last := byte(63)
	if kind == 0xc2 {
		last = 0
	}
	return append(append(out, scan...), 0, last, 0, 1, 2, 3)
}

// What decoding is said to take is never less than what it takes.
func TestMemoryEstimates(t *testing.T) {
	cmyk, err := os.ReadFile("testdata/cmyk.jpg")
	if err != nil {
		t.Fatal(err)
	}
	big := image.Rect(0, 0, 801, 603)
	interlaced := pngOf(t, quarters(801, 603)) // the header is enough to say so
	interlaced[28] = 1
	binary.BigEndian.PutUint32(interlaced[29:], crc32.ChecksumIEEE(interlaced[12:29]))
	for name, data := range map[string][]byte{
		"photo":                   photo(t, 801, 603, 1),
		"gray JPEG":               jpegOf(t, image.NewGray(big)),
		"CMYK":                    cmyk,
		"baseline, 1 component":   bombJPEG(t, 999, 751, 1, 0xc0),
		"baseline, 3 components":  bombJPEG(t, 999, 751, 3, 0xc0),
		"progressive, 1":          bombJPEG(t, 999, 751, 1, 0xc2),
		"progressive, 3":          bombJPEG(t, 999, 751, 3, 0xc2),
		"progressive, 4":          bombJPEG(t, 999, 751, 4, 0xc2),
		"progressive, narrow":     bombJPEG(t, 9, 60001, 3, 0xc2),
		"RGB PNG":                 pngOf(t, quarters(801, 603)),
		"interlaced PNG":          interlaced,
		"gray PNG":                pngOf(t, image.NewGray(big)),
		"gray PNG of 16 bits":     pngOf(t, image.NewGray16(big)),
		"PNG of 16 bits, alpha":   pngOf(t, image.NewNRGBA64(big)),
		"GIF":                     gifOf(t, quarters(801, 603), big),
		"GIF on a larger screen":  gifOf(t, quarters(801, 603), image.Rect(0, 0, 900, 900)),
		"rotated photo":           rotated(photo(t, 801, 603, 1), binary.BigEndian, 6),
		"JPEG with a comment":     append([]byte{0xff, 0xd8, 0xff, 0xfe, 0, 4, 'a', 'b'}, photo(t, 801, 603, 1)[2:]...),
		"JPEG with junk in front": append([]byte{0xff, 0xd8, 0xff, 0xfe, 0, 4, 'a', 'b', 0, 0}, photo(t, 801, 603, 1)[2:]...),
	} {
		t.Run(name, func(t *testing.T) {
			_, _, _, said, err := checkImage(data)
			if err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			_, _ = decodeImage(data) // of a bomb: an error, when the memory is taken
			runtime.ReadMemStats(&after)
			const tables = 256 << 10 // of the decoders, and the palette
			if took := int64(after.TotalAlloc - before.TotalAlloc); took > said+tables {
				t.Errorf("took %d bytes, said %d", took, said)
			} else if said > 20*took+tables {
				t.Errorf("said %d bytes, took %d", said, took)
			}
		})
	}
}

// Images whose decoding takes too much memory are put into quarantine before they are decoded, and so is
// what is too long for a JPEG.
func TestAbsurdImages(t *testing.T) {
	for name, c := range map[string]struct {
		data   []byte
		reason string
	}{
		"four progressive components": {bombJPEG(t, 10200, 10200, 4, 0xc2), "image of 10200 x 10200 pixels takes 2381 MiB to decode, want at most 1024"},
		"a bomb that can be tried":    {bombJPEG(t, 800, 800, 3, 0xc2), "image is truncated"},
		"a line of a million pixels":  {pngOf(t, image.NewGray(image.Rect(0, 0, 8, 1_000_000))), "image of 8 x 1000000 pixels is stored as 8 x 1000000: jpeg: image is too large to encode"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newRawSet(t)
			s.write(t, s.rows[4].File, c.data)
			o := s.options(t)
			o.MaxQuarantine = 0.05
			m, _ := s.ingest(t, o)
			if len(m.Quarantine) != 1 || !strings.HasPrefix(m.Quarantine[0].Reason, c.reason) {
				t.Errorf("quarantine is %+v, want %s", m.Quarantine, c.reason)
			}
			if again, _ := s.ingest(t, o); again.Fresh {
				t.Error("the set was written again")
			}
		})
	}
}

// However many goroutines decode, what they take together is bounded.
func TestBudget(t *testing.T) {
	b := newBudget()
	var used, most atomic.Int64
	var group errgroup.Group
	for range 16 {
		group.Go(func() error {
			for k := range int64(5) {
				n := (k + 1) * memoryLimit / 4 // the last is more than there is, and runs alone
				err := b.decode(t.Context(), n, func() error {
					now := used.Add(min(n, memoryLimit))
					for {
						m := most.Load()
						if now <= m || most.CompareAndSwap(m, now) {
							break
						}
					}
					runtime.Gosched()
					used.Add(-min(n, memoryLimit))
					return nil
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if most.Load() > memoryLimit {
		t.Errorf("%d bytes at once, want at most %d", most.Load(), memoryLimit)
	}
	if got := waitingImages(Options{Size: 256}, 16); got != 64 {
		t.Errorf("%d images of 256 pixels may wait, want 64", got)
	}
	if got := waitingImages(Options{Size: 4096}, 16); got != 5 {
		t.Errorf("%d images of 4096 pixels may wait, want 5", got)
	}
}
