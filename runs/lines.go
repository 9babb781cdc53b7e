package runs

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
)

// stepLine is a line of a JSON-lines file that grows while a model trains.
type stepLine interface {
	// step is the optimizer step that the line is about.
	step() int
}

// lineLog appends to such a file. It keeps the file open, because a small step is as fast as
// opening a file.
type lineLog struct{ file *os.File }

// openLines opens a file to continue after a step, 0 for a new training. It drops lines of later
// steps, which exist when training continues from a checkpoint older than the last line, and a line
// that an earlier process left unfinished.
func openLines[T stepLine](path string, last int) (*lineLog, error) {
	if err := keepLines[T](path, last); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lines: %w", err)
	}
	return &lineLog{f}, nil
}

// add appends a line.
func (l *lineLog) add(x stepLine) error {
	line, err := checkedLine(x)
	if err != nil {
		return fmt.Errorf("append step %d to %s: %w", x.step(), l.file.Name(), err)
	}
	// One write: a kill leaves a cut line at most.
	if _, err = l.file.Write(line); err != nil {
		return fmt.Errorf("append step %d: %w", x.step(), err)
	}
	return nil
}

// Close closes the file.
func (l *lineLog) Close() error { return l.file.Close() }

// readLines reads a file of lines; nil if there is none. A last line without its newline was cut by
// a kill and is ignored. The file is compared with a SHA-256, hex, unless that is empty.
func readLines[T stepLine](path, digest string) ([]T, error) {
	data, err := ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read lines: %w", err)
	}
	if sum := sha256.Sum256(data); digest != "" && hex.EncodeToString(sum[:]) != digest {
		return nil, digestError(path, hex.EncodeToString(sum[:]), digest)
	}
	return parseLines[T](path, data)
}

// parseLines decodes the whole lines of a file.
func parseLines[T stepLine](path string, data []byte) ([]T, error) {
	var lines []T
	for n := 1; ; n++ {
		line, rest, found := bytes.Cut(data, []byte("\n"))
		if !found {
			return lines, nil
		}
		data = rest
		var x T
		if err := parseLine(line, &x); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		if len(lines) > 0 && x.step() <= lines[len(lines)-1].step() {
			return nil, fmt.Errorf("%s:%d: step %d after step %d", path, n, x.step(), lines[len(lines)-1].step())
		}
		lines = append(lines, x)
	}
}

// A line ends in its checksum, ,"crc":"<8 hex digits>"}: the CRC-32 (IEEE) of what is before it, so
// that a changed digit is noticed while the file still grows and no record has its digest. Older lines
// have none.
const (
	crcBefore = `,"crc":"`
	crcAfter  = `"}`
	crcDigits = 8
)

// checkedLine returns a value as a line with its checksum and a line break.
func checkedLine(x any) ([]byte, error) {
	object, err := json.Marshal(x)
	if err != nil {
		return nil, err
	}
	body := object[:len(object)-1]
	return fmt.Appendf(nil, "%s%s%08x%s\n", body, crcBefore, crc32.ChecksumIEEE(body), crcAfter), nil
}

// parseLine decodes a line without its line break, and compares it with its checksum.
func parseLine(line []byte, x any) error {
	if err := json.Unmarshal(line, x); err != nil {
		return err
	}
	at := bytes.LastIndex(line, []byte(crcBefore))
	if at < 0 {
		return nil
	}
	digits, ok := bytes.CutSuffix(line[at+len(crcBefore):], []byte(crcAfter))
	if !ok || string(digits) != fmt.Sprintf("%0*x", crcDigits, crc32.ChecksumIEEE(line[:at])) {
		return errors.New("the line does not match its checksum: it was changed or damaged after it was written")
	}
	return nil
}

// keepLines rewrites the file without the lines after a step and without an unfinished one, if it
// has such lines.
func keepLines[T stepLine](path string, last int) error {
	before, err := ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("keep lines: %w", err)
	}
	lines, err := parseLines[T](path, before)
	if err != nil {
		return err
	}
	var kept bytes.Buffer
	for _, x := range lines {
		if x.step() > last {
			continue
		}
		line, err := checkedLine(x)
		if err != nil {
			return fmt.Errorf("keep lines of %s: %w", path, err)
		}
		kept.Write(line)
	}
	if bytes.Equal(kept.Bytes(), before) {
		return nil
	}
	return WriteFile(path, kept.Bytes(), 0o644)
}
