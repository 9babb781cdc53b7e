package sealed

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// A sealed file holds the SHA-256 of its own bytes, with zeros in place of the digest: Mark and 64
// hexadecimal digits, once or several times within sealReach bytes of its start or end. Arrow keeps
// a schema's metadata, and so the seal, at both ends; a checkpoint has its metadata at the start.
const (
	Mark      = "sha256 of this file with zeros here: "
	sealReach = 64 << 10
	sealWidth = 2 * sha256.Size
	Field     = "bierbench.seal" // key of the seal in a file's metadata
)

// Placeholder returns the text that stands in a file until Seal writes the digest there: Mark and
// 64 zeros.
func Placeholder() string {
	return Mark + strings.Repeat("0", sealWidth)
}

// Seal writes the digest of f into every seal in it. A file without one is an error.
func Seal(f *os.File) error {
	digest, places, err := sealDigest(f)
	if err != nil {
		return err
	}
	for _, at := range places {
		if _, err := f.WriteAt([]byte(digest), at); err != nil {
			return err
		}
	}
	return nil
}

// Check returns an error unless every seal in f holds the digest of the file's bytes.
func Check(f *os.File) error {
	want, places, err := sealDigest(f)
	if err != nil {
		return err
	}
	for _, at := range places {
		got := make([]byte, sealWidth)
		if _, err := f.ReadAt(got, at); err != nil {
			return err
		}
		if string(got) != want {
			return fmt.Errorf("offset %d: SHA-256 %s, want %s: the file has changed since it was written", at, got, want)
		}
	}
	return nil
}

// sealDigest returns the SHA-256 of f with zeros in place of its digests, and where those are, in
// ascending order.
func sealDigest(f *os.File) (digest string, places []int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return "", nil, err
	}
	size := info.Size()
	if size <= 2*sealReach {
		places, err = sealPlaces(f, 0, size)
	} else {
		var tail []int64
		if places, err = sealPlaces(f, 0, sealReach); err == nil {
			tail, err = sealPlaces(f, size-sealReach, size)
		}
		places = append(places, tail...)
	}
	if err != nil {
		return "", nil, err
	}
	if len(places) == 0 {
		return "", nil, errors.New("the file has no seal: it is truncated, not written by bierbench, or written by a " +
			"version that did not seal its files")
	}
	hash := sha256.New()
	start := int64(0)
	for _, at := range places {
		if _, err := io.Copy(hash, io.NewSectionReader(f, start, at-start)); err != nil {
			return "", nil, err
		}
		_, _ = hash.Write([]byte(strings.Repeat("0", sealWidth))) // a hash returns no error
		start = at + sealWidth
	}
	if _, err := io.Copy(hash, io.NewSectionReader(f, start, size-start)); err != nil {
		return "", nil, err
	}
	return hex.EncodeToString(hash.Sum(nil)), places, nil
}

// sealPlaces returns the offsets of the digests in bytes [lo, hi) of f.
func sealPlaces(f *os.File, lo, hi int64) ([]int64, error) {
	data := make([]byte, hi-lo)
	if _, err := io.ReadFull(io.NewSectionReader(f, lo, hi-lo), data); err != nil {
		return nil, err
	}
	var places []int64
	for at := 0; ; {
		i := bytes.Index(data[at:], []byte(Mark))
		if i < 0 || at+i+len(Mark)+sealWidth > len(data) {
			return places, nil
		}
		at += i + len(Mark)
		places = append(places, lo+int64(at))
		at += sealWidth
	}
}
