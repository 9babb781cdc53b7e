package backbones

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// The most operations of a pickle, of which the published state dict has about 20,000. Each may
// allocate a hundred bytes.
const mostOperations = 400_000

// pickleLength returns how many bytes the pickle at the start of r has, of at most size. It is an
// error if one of its operations, of any protocol up to 5, says that more bytes follow it than do:
// the unpickler allocates them before it reads.
func pickleLength(r io.Reader, size int64) (int64, error) {
	in := bufio.NewReader(r)
	at := int64(0)
	next := func() (byte, error) {
		if at >= size {
			return 0, fmt.Errorf("offset %d: the pickle does not end", at)
		}
		at++
		return in.ReadByte()
	}
	skip := func(n uint64) error {
		if n > uint64(size-at) {
			return fmt.Errorf("offset %d: %d bytes, want at most the %d that follow", at, n, size-at)
		}
		m, err := io.CopyN(io.Discard, in, int64(n))
		at += m
		return err
	}
	for range mostOperations {
		operation, err := next()
		if err != nil {
			return 0, err
		}
		if operation == '.' {
			return at, nil
		}
		kind, ok := pickleOperands(operation)
		if !ok {
			return 0, fmt.Errorf("offset %d: %#x is no operation of a pickle", at-1, operation)
		}
		for range kind.lines {
			for b := byte(0); b != '\n'; {
				if b, err = next(); err != nil {
					return 0, err
				}
			}
		}
		n := uint64(kind.bytes)
		if kind.counted > 0 {
			var count [8]byte
			for i := range kind.counted {
				if count[i], err = next(); err != nil {
					return 0, err
				}
			}
			n = binary.LittleEndian.Uint64(count[:])
		}
		if operation == pickleFrame { // its operations follow
			if n > uint64(size-at) {
				return 0, fmt.Errorf("offset %d: a frame of %d bytes, want at most the %d that follow", at, n, size-at)
			}
			continue
		}
		if err = skip(n); err != nil {
			return 0, err
		}
	}
	return 0, fmt.Errorf("offset %d: a pickle of more than %d operations", at, mostOperations)
}

const pickleFrame = 0x95

// A pickleOperand is what follows the code of an operation: lines, a number of bytes, or bytes after
// a count of so many bytes.
type pickleOperand struct{ lines, bytes, counted int }

// pickleOperands returns what follows an operation
// (https://github.com/python/cpython/blob/3.13/Lib/pickletools.py).
func pickleOperands(operation byte) (pickleOperand, bool) {
	switch operation {
	case '(', '0', '1', '2', 'N', 'Q', 'R', 'a', 'b', 'd', '}', 'e', 'l', ']', 'o', 's', 't', ')', 'u',
		0x81, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8f, 0x90, 0x91, 0x92, 0x93, 0x94, 0x97, 0x98:
		return pickleOperand{}, true
	case 'F', 'I', 'L', 'P', 'S', 'V', 'g', 'p':
		return pickleOperand{lines: 1}, true
	case 'c', 'i':
		return pickleOperand{lines: 2}, true
	case 'K', 'h', 'q', 0x80, 0x82:
		return pickleOperand{bytes: 1}, true
	case 'M', 0x83:
		return pickleOperand{bytes: 2}, true
	case 'J', 'j', 'r', 0x84:
		return pickleOperand{bytes: 4}, true
	case 'G':
		return pickleOperand{bytes: 8}, true
	case 'U', 'C', 0x8a, 0x8c:
		return pickleOperand{counted: 1}, true
	case 'T', 'X', 'B', 0x8b:
		return pickleOperand{counted: 4}, true
	case 0x8d, 0x8e, 0x96, pickleFrame:
		return pickleOperand{counted: 8}, true
	}
	return pickleOperand{}, false
}

// readFloats reads count little-endian float32 from r.
func readFloats(r io.Reader, count int) ([]float32, error) {
	values := make([]float32, count)
	buffer := make([]byte, min(4*count, 64<<10))
	for done := 0; done < count; {
		part := buffer[:min(4*(count-done), len(buffer))]
		if _, err := io.ReadFull(r, part); err != nil {
			return nil, errors.Join(err, io.ErrUnexpectedEOF)
		}
		for i := 0; i < len(part); i += 4 {
			values[done] = math.Float32frombits(binary.LittleEndian.Uint32(part[i:]))
			done++
		}
	}
	return values, nil
}
