package cost

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"bierbench/models/cache"
	"bierbench/models/xla"
	"bierbench/pipeline/internal/claims"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// The works that are measured, each with its amount.
const (
	workFeatures = "features" // amount: images
	workTrain    = "train"    // amount: optimizer steps
	workInitial  = "initial"  // amount: images, with those that are held out
	workEmbed    = "embed"    // amount: images
	workEvaluate = "evaluate" // amount: multiply-adds of scores
	workOverhead = "overhead" // the rest of the time of a cell; amount: images of the data set
	workMemory   = "memory"   // no time; amount: bytes that grow with the data set
)

// The bases: what a measurement comes from.
const (
	BasisMeasured = "measured" // a cell that was done
	BasisProbe    = "probe"    // a probe of some steps and images
)

// A measurement is what one piece of work took on a machine.
type measurement struct {
	Work    string    `json:"work"`
	Kind    string    `json:"of"` // everything that changes what a unit of the work takes
	Amount  float64   `json:"amount"`
	Seconds float64   `json:"seconds,omitempty"` // for the whole amount, without Setup
	Setup   float64   `json:"setup,omitempty"`   // seconds of compiling and the like, once a cell
	Memory  int64     `json:"memory,omitempty"`  // most resident, bytes
	Basis   string    `json:"basis"`
	At      time.Time `json:"at"`
}

const (
	// keptMeasurements is how many measurements of a work, kind and amount count: the latest.
	keptMeasurements = 5
	// mostMeasurements is the largest number of measurements that a plan uses of a file.
	mostMeasurements = 4000
	// tidyBytes is the size of a file of measurements from which lines that count no more are
	// removed.
	tidyBytes = 256 << 10
	// likeMachines is the largest number of files of other machines that a plan reads.
	likeMachines = 8
)

// bucket returns the class of the amount: 20 classes for each factor of 10, which are about 12%
// wide.
func (m measurement) bucket() int { return int(math.Round(20 * math.Log10(max(m.Amount, 1)))) }

// keepLatest returns the latest measurements of every work, kind, basis and amount, in their order:
// keptMeasurements of each, and mostMeasurements in all.
func keepLatest(all []measurement) []measurement {
	type key struct {
		work, of, basis string
		bucket          int
	}
	seen := map[key]int{}
	var kept []measurement
	for _, m := range slices.Backward(all) {
		k := key{m.Work, m.Kind, m.Basis, m.bucket()}
		if seen[k]++; seen[k] <= keptMeasurements && len(kept) < mostMeasurements {
			kept = append(kept, m)
		}
	}
	slices.Reverse(kept)
	return kept
}

// measurements are what was measured on this machine and on others with the same hardware. The
// latter count where this machine has none of a kind.
type measurements struct {
	own, like map[[2]string][]measurement // by work and kind
	works     map[string][]measurement    // by work, of any kind, own ones last
}

// newMeasurements groups the measurements of this machine and of others like it.
func newMeasurements(own, like []measurement) *measurements {
	m := &measurements{own: map[[2]string][]measurement{}, like: map[[2]string][]measurement{}, works: map[string][]measurement{}}
	for _, x := range like {
		m.like[[2]string{x.Work, x.Kind}] = append(m.like[[2]string{x.Work, x.Kind}], x)
		m.works[x.Work] = append(m.works[x.Work], x)
	}
	for _, x := range own {
		m.own[[2]string{x.Work, x.Kind}] = append(m.own[[2]string{x.Work, x.Kind}], x)
		m.works[x.Work] = append(m.works[x.Work], x)
	}
	return m
}

// nearest returns the measurements of a kind of work whose amount is nearest to the given one; none
// where the kind was never measured.
func (m *measurements) nearest(work, of string, amount float64) []measurement {
	found := m.own[[2]string{work, of}]
	if len(found) == 0 {
		found = m.like[[2]string{work, of}]
	}
	return nearestAmounts(found, amount)
}

// nearestAmounts returns the latest measurements with the amount nearest to the given one. Those of
// cells that were done replace those of probes.
func nearestAmounts(found []measurement, amount float64) []measurement {
	if len(found) == 0 {
		return nil
	}
	wanted := measurement{Amount: amount}.bucket()
	distance := func(x measurement) int { return max(x.bucket()-wanted, wanted-x.bucket()) }
	best := distance(slices.MinFunc(found, func(a, b measurement) int { return cmp.Compare(distance(a), distance(b)) }))
	var out []measurement
	for _, x := range found {
		if distance(x) == best {
			out = append(out, x)
		}
	}
	if i := slices.IndexFunc(out, func(x measurement) bool { return x.Basis == BasisMeasured }); i >= 0 {
		out = slices.DeleteFunc(out, func(x measurement) bool { return x.Basis == BasisProbe })
	}
	return out[max(0, len(out)-keptMeasurements):]
}

// median returns the median of a number over measurements, 0 where there are none.
func median(found []measurement, of func(measurement) float64) float64 {
	if len(found) == 0 {
		return 0
	}
	values := make([]float64, len(found))
	for i, x := range found {
		values[i] = of(x)
	}
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}

// thisMachine returns what decides how long work takes on this machine, in words that need no open
// backend: the processor, the backend, its device and the number of devices. It also returns the
// name of the host.
func thisMachine(w *workspace.Workspace) (hardware, host string) {
	backend := w.Backend
	if backend == "" {
		backend = xla.CPU
		if cache.HasGPU() {
			backend = xla.CUDA
		}
	}
	device := ""
	if backend == xla.CUDA {
		if files, err := filepath.Glob("/proc/driver/nvidia/gpus/*/information"); err == nil && len(files) > 0 {
			for key, value := range workspace.ProcFields(files[0]) {
				if key == "Model" {
					device = value
				}
			}
		}
	}
	host, err := os.Hostname()
	if err != nil {
		host = workspace.Unknown
	}
	return fmt.Sprintf("%s, %s %s, %d devices", workspace.Processor(), backend, device, w.Devices), host
}

// measuredDir returns the folder of the measurements.
func measuredDir(w *workspace.Workspace) string { return filepath.Join(w.Dir, "models", "measured") }

// measuredFiles returns the file of the measurements of this machine, and the pattern of the files
// of all machines with the same hardware.
func measuredFiles(w *workspace.Workspace) (file, like string) {
	digest := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return hex.EncodeToString(sum[:6])
	}
	hardware, host := thisMachine(w)
	return filepath.Join(measuredDir(w), digest(hardware)+"-"+digest(host)+".jsonl"),
		filepath.Join(measuredDir(w), digest(hardware)+"-*.jsonl")
}

// readMeasured reads what was measured on this machine and on machines like it.
func readMeasured(w *workspace.Workspace) (*measurements, error) {
	file, pattern := measuredFiles(w)
	own, _, err := readMeasurements(file)
	if err != nil {
		return nil, err
	}
	others, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("measurements: %w", err)
	}
	others = slices.DeleteFunc(others, func(f string) bool { return f == file })
	changed := func(f string) int64 {
		info, err := os.Stat(f)
		if err != nil {
			return 0
		}
		return info.ModTime().UnixNano()
	}
	slices.SortFunc(others, func(a, b string) int { return cmp.Compare(changed(b), changed(a)) })
	var like []measurement
	for _, other := range others[:min(len(others), likeMachines)] {
		found, _, err := readMeasurements(other)
		if err != nil {
			return nil, err
		}
		like = append(like, found...)
	}
	return newMeasurements(keepLatest(own), keepLatest(like)), nil
}

// readMeasurements reads a file of measurements and counts its lines; where there is no file, both
// are empty. A broken line is left out: a power cut may leave one.
func readMeasurements(file string) (all []measurement, lines int, err error) {
	data, err := runs.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, fmt.Errorf("measurements: %w", err)
	}
	for line := range bytes.Lines(data) {
		lines++
		var m measurement
		if json.Unmarshal(line, &m) == nil && m.sound() {
			all = append(all, m)
		}
	}
	return all, lines, nil
}

// sound reports whether the numbers of a measurement can be used.
func (m measurement) sound() bool {
	for _, v := range []float64{m.Amount, m.Seconds, m.Seconds / m.Amount, m.Setup, float64(m.Memory)} {
		if v < 0 || math.IsNaN(v) || math.IsInf(v, 0) {
			return false
		}
	}
	return m.Work != "" && m.Kind != "" && m.Amount > 0 && (m.Basis == BasisMeasured || m.Basis == BasisProbe)
}

// addMeasured appends measurements to this machine's file.
func addMeasured(ctx context.Context, w *workspace.Workspace, found []measurement) error {
	var sound []measurement
	for _, m := range found {
		if m.At = time.Now().UTC().Truncate(time.Second); m.sound() {
			sound = append(sound, m)
		}
	}
	lines, err := measurementLines(sound)
	if err != nil || len(lines) == 0 {
		return err
	}
	file, _ := measuredFiles(w)
	held, err := claims.Open(measuredDir(w))
	if err != nil {
		return err
	}
	defer held.Close()
	if err = held.Take(ctx, filepath.Base(file)); err != nil {
		return err
	}
	size, err := appendLines(file, lines)
	if err == nil && size > tidyBytes {
		err = tidyMeasurements(file)
	}
	if err != nil {
		return fmt.Errorf("measurements: %w", err)
	}
	return nil
}

// measurementLines returns the measurements as lines of JSON.
func measurementLines(all []measurement) ([]byte, error) {
	var lines bytes.Buffer
	for _, m := range all {
		data, err := json.Marshal(m)
		if err != nil {
			return nil, fmt.Errorf("measurements: %w", err)
		}
		lines.Write(data)
		lines.WriteByte('\n')
	}
	return lines.Bytes(), nil
}

// appendLines appends whole lines to a file in one write and returns its size. Where the last line
// of the file is cut, it ends that line first.
func appendLines(file string, lines []byte) (size int64, err error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o666)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if size, err = f.Seek(0, io.SeekEnd); err != nil {
		return 0, err
	}
	if size > 0 {
		last := make([]byte, 1)
		if _, err = f.ReadAt(last, size-1); err != nil {
			return 0, err
		}
		if last[0] != '\n' {
			lines = append([]byte{'\n'}, lines...)
		}
	}
	n, err := f.Write(lines)
	return size + int64(n), err
}

// tidyMeasurements rewrites a file of which less than half the lines count. The caller holds the
// claim of the file.
func tidyMeasurements(file string) error {
	all, lines, err := readMeasurements(file)
	if err != nil {
		return err
	}
	kept := keepLatest(all)
	if 2*len(kept) > lines {
		return nil
	}
	text, err := measurementLines(kept)
	if err != nil {
		return err
	}
	return runs.WriteFile(file, text, 0o666)
}
