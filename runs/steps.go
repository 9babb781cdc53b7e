package runs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// AppendStep adds a line to train.jsonl. A line that an earlier process left
// unfinished is cut off first.
func AppendStep(path string, step TrainStep) (err error) {
	line, err := json.Marshal(step)
	if err != nil {
		return fmt.Errorf("append step %d to %s: %w", step.Step, path, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return fmt.Errorf("append step %d: %w", step.Step, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	end, err := wholeLines(f)
	if err != nil {
		return fmt.Errorf("append step %d to %s: %w", step.Step, path, err)
	}
	if err := f.Truncate(end); err != nil {
		return fmt.Errorf("append step %d: %w", step.Step, err)
	}
	// One write: a kill leaves a cut line at most.
	if _, err := f.WriteAt(append(line, '\n'), end); err != nil {
		return fmt.Errorf("append step %d: %w", step.Step, err)
	}
	return nil
}

// wholeLines returns the size of f up to and with its last newline.
func wholeLines(f *os.File) (int64, error) {
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	buf := make([]byte, 1, 4096)
	for end > 0 {
		n := min(int64(len(buf)), end)
		if _, err := f.ReadAt(buf[:n], end-n); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			return end - n + int64(i) + 1, nil
		}
		end -= n
		buf = buf[:cap(buf)]
	}
	return 0, nil
}

// ReadSteps reads train.jsonl; nil if there is none. A last line without its
// newline was cut by a kill and is ignored.
func ReadSteps(path string) ([]TrainStep, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read steps: %w", err)
	}
	var steps []TrainStep
	for n := 1; ; n++ {
		line, rest, found := bytes.Cut(data, []byte("\n"))
		if !found {
			return steps, nil
		}
		data = rest
		var s TrainStep
		if err := json.Unmarshal(line, &s); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		steps = append(steps, s)
	}
}

// KeepSteps drops the lines after a step, when training continues from a
// checkpoint that is older than the last line.
func KeepSteps(path string, last int) error {
	steps, err := ReadSteps(path)
	if err != nil || steps == nil {
		return err
	}
	var kept bytes.Buffer
	for _, s := range steps {
		if s.Step > last {
			continue
		}
		line, err := json.Marshal(s)
		if err != nil {
			return fmt.Errorf("keep steps of %s: %w", path, err)
		}
		kept.Write(line)
		kept.WriteByte('\n')
	}
	return writeFile(path, func(f *os.File) error {
		_, err := f.Write(kept.Bytes())
		return err
	})
}
