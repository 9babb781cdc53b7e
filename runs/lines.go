package runs

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
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
	line, err := json.Marshal(x)
	if err != nil {
		return fmt.Errorf("append step %d to %s: %w", x.step(), l.file.Name(), err)
	}
	// One write: a kill leaves a cut line at most.
	if _, err = l.file.Write(append(line, '\n')); err != nil {
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
		if err := json.Unmarshal(line, &x); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		lines = append(lines, x)
	}
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
		line, err := json.Marshal(x)
		if err != nil {
			return fmt.Errorf("keep lines of %s: %w", path, err)
		}
		kept.Write(line)
		kept.WriteByte('\n')
	}
	if bytes.Equal(kept.Bytes(), before) {
		return nil
	}
	return WriteFile(path, kept.Bytes(), 0o644)
}
