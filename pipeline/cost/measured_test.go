package cost

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"bierbench/models/xla"
	"bierbench/pipeline/workspace"
)

// measuring returns a workspace with the given measurements.
func measuring(t *testing.T, found ...measurement) *workspace.Workspace {
	t.Helper()
	w := workspace.New(workspace.Workspace{Dir: t.TempDir(), Backend: xla.CPU})
	if err := addMeasured(t.Context(), w, found); err != nil {
		t.Fatal(err)
	}
	return w
}

// A cut or broken line is left out, and takes no other line with it.
func TestMeasurementsBrokenLines(t *testing.T) {
	one := measurement{Work: workTrain, Kind: "a", Amount: 10, Seconds: 5, Basis: BasisMeasured}
	w := measuring(t, one)
	file, _ := measuredFiles(w)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, before string
		want         int // measurements after one more was added
	}{
		{"whole", string(whole), 2},
		{"the last line is cut", string(whole) + string(whole[:len(whole)/2]), 2},
		{"a cut line alone", string(whole[:len(whole)/2]), 1},
		{"zeros, as a power cut leaves", string(whole) + strings.Repeat("\x00", 100) + "\n", 2},
		{"a negative time", `{"work":"train","of":"a","amount":1,"seconds":-1,"basis":"measured"}` + "\n", 1},
		{"an amount of nothing, which would divide by zero", `{"work":"train","of":"a","amount":0,"seconds":1,"basis":"measured"}` + "\n", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(file, []byte(c.before), 0o666); err != nil {
				t.Fatal(err)
			}
			if err := addMeasured(t.Context(), w, []measurement{one}); err != nil {
				t.Fatal(err)
			}
			m, err := readMeasured(w)
			if err != nil || len(m.nearest(workTrain, "a", 10)) != c.want {
				t.Errorf("%d measurements, %v; want %d", len(m.nearest(workTrain, "a", 10)), err, c.want)
			}
		})
	}
}

// The latest five of a kind count, those of other kinds stay, and the file
// stays small however many cells are done.
func TestMeasurementsTidy(t *testing.T) {
	w := measuring(t, measurement{Work: workFeatures, Kind: "once", Amount: 100, Seconds: 1, Basis: BasisMeasured})
	for i := range 20 {
		var many []measurement
		for j := range 1000 {
			many = append(many, measurement{Work: workTrain, Kind: "a", Amount: 10, Seconds: float64(1 + 1000*i + j), Basis: BasisMeasured})
		}
		if err := addMeasured(t.Context(), w, many); err != nil {
			t.Fatal(err)
		}
	}
	file, _ := measuredFiles(w)
	info, err := os.Stat(file)
	if err != nil || info.Size() > 2*tidyBytes {
		t.Errorf("%d bytes, %v; 20,000 lines of one kind are to be tidied", info.Size(), err)
	}
	m, err := readMeasured(w)
	if err != nil {
		t.Fatal(err)
	}
	var got []float64
	for _, x := range m.nearest(workTrain, "a", 10) {
		got = append(got, x.Seconds)
	}
	if fmt.Sprint(got) != "[19996 19997 19998 19999 20000]" {
		t.Errorf("%v; want the latest five", got)
	}
	if len(m.nearest(workFeatures, "once", 100)) != 1 {
		t.Error("the measurement of another kind is gone")
	}
	left, err := filepath.Glob(filepath.Join(measuredDir(w), ".tmp*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Processes that share a workspace lose no measurement, also while one tidies.
func TestMeasurementsShared(t *testing.T) {
	dir := t.TempDir()
	var group sync.WaitGroup
	for p := range 4 {
		group.Go(func() {
			w := workspace.New(workspace.Workspace{Dir: dir, Backend: xla.CPU}) // its own claims, as a process has
			for i := range 40 {
				filler := make([]measurement, 100)
				for j := range filler {
					filler[j] = measurement{Work: workOverhead, Kind: "filler", Amount: 1, Seconds: 1, Basis: BasisMeasured}
				}
				found := append(filler, measurement{Work: workTrain, Kind: fmt.Sprintf("%d-%d", p, i), Amount: 1, Seconds: 1, Basis: BasisMeasured})
				if err := addMeasured(t.Context(), w, found); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	w := workspace.New(workspace.Workspace{Dir: dir, Backend: xla.CPU})
	m, err := readMeasured(w)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(m.works[workTrain]); n != 160 {
		t.Errorf("%d of 160 measurements", n)
	}
}

func TestLatest(t *testing.T) {
	var all []measurement
	for i := range mostMeasurements + 100 {
		all = append(all, measurement{Work: workTrain, Kind: fmt.Sprint(i), Amount: 1})
	}
	kept := keepLatest(all)
	if len(kept) != mostMeasurements || kept[len(kept)-1].Kind != all[len(all)-1].Kind {
		t.Errorf("%d kept, the last of kind %s; want the latest %d", len(kept), kept[len(kept)-1].Kind, mostMeasurements)
	}
}

// Of several amounts the nearest counts. Cells that were done count before probes.
func TestNearestAmounts(t *testing.T) {
	m := func(amount, seconds float64, basis string) measurement {
		return measurement{Work: workTrain, Kind: "a", Amount: amount, Seconds: seconds, Basis: basis}
	}
	all := []measurement{m(20, 1, BasisProbe), m(400, 2, BasisMeasured), m(410, 3, BasisMeasured), m(20.5, 4, BasisMeasured)}
	for _, c := range []struct {
		name   string
		amount float64
		want   string
	}{
		{"many steps", 1000, "2 3"}, // 410 is nearer by less than the tenth that is told apart
		{"few steps, where a probe is as near", 10, "4"},
		{"in between", 25, "4"},
	} {
		var got []string
		for _, x := range newMeasurements(all, nil).nearest(workTrain, "a", c.amount) {
			got = append(got, fmt.Sprint(x.Seconds))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
	}
	like := newMeasurements(nil, all)
	if len(like.nearest(workTrain, "a", 400)) != 2 || len(like.nearest(workTrain, "b", 400)) != 0 {
		t.Error("where this machine has none, one like it answers")
	}
	if own := newMeasurements(all[:1], all[1:]).nearest(workTrain, "a", 400); len(own) != 1 || own[0].Basis != BasisProbe {
		t.Errorf("%v; what was measured here counts before that of another host", own)
	}
}

func TestMedian(t *testing.T) {
	of := func(values ...float64) float64 {
		all := make([]measurement, len(values))
		for i, v := range values {
			all[i].Seconds = v
		}
		return median(all, func(m measurement) float64 { return m.Seconds })
	}
	if of() != 0 || of(3) != 3 || of(1, 9) != 5 || of(100, 1, 2) != 2 {
		t.Errorf("%g %g %g %g; want 0 3 5 2", of(), of(3), of(1, 9), of(100, 1, 2))
	}
}

// The first step and every one after a restart compile: they are set-up.
func TestStepTime(t *testing.T) {
	for _, c := range []struct {
		name          string
		elapsed       []float64
		total         float64
		seconds, once float64
	}{
		{"a compiling first step", []float64{3, 4, 5, 6}, 6, 4, 2},        // 1 s a step
		{"a restart after two", []float64{3, 4, 34, 35, 36}, 36, 5, 2},    // 30 s are no step
		{"no step is ten times the usual", []float64{1, 2, 4}, 4, 4.5, 0}, // mean of 1 and 2
		{"one step", []float64{3}, 3, 3, 0},
	} {
		m := stepTime("k", c.elapsed, c.total)
		if m.Seconds != c.seconds || m.Setup != c.once || m.Amount != float64(len(c.elapsed)) {
			t.Errorf("%s: %+v, want %g s and %g s once", c.name, m, c.seconds, c.once)
		}
	}
}

// Whatever is in the file of measurements, what is read can be counted with,
// and tidying keeps what counts.
func FuzzMeasurements(f *testing.F) {
	f.Add([]byte(`{"work":"train","of":"a","amount":10,"seconds":5,"basis":"measured","at":"2026-01-02T03:04:05Z"}` + "\n"))
	f.Add([]byte(`{"work":"memory","of":"a","amount":10,"memory":-5,"basis":"probe"}` + "\n{\n\x00"))
	f.Add([]byte(`{"work":"train","of":"a","amount":1e-320,"seconds":1e300,"basis":"measured"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		file := filepath.Join(t.TempDir(), "m.jsonl")
		if err := os.WriteFile(file, data, 0o666); err != nil {
			t.Fatal(err)
		}
		before, _, err := readMeasurements(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range before {
			if !m.sound() {
				t.Errorf("%+v", m)
			}
		}
		if err = tidyMeasurements(file); err != nil {
			t.Fatal(err)
		}
		after, _, err := readMeasurements(file)
		if err != nil || len(after) != len(keepLatest(before)) && len(after) != len(before) {
			t.Errorf("%d measurements of %d, %v", len(after), len(before), err)
		}
	})
}
