package export

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bierbench/runs"
)

// liveCell writes the event files of a cell whose process was killed while it wrote step 10, and
// that was continued from a checkpoint of step 6 up to step 12. The loss is the step and a tenth of
// the attempt.
func liveCell(t *testing.T, dir string) {
	t.Helper()
	r := exportedRun(t)
	c, _, err := r.Cell(r.Record.Cells[1])
	if err != nil || c.Status != runs.Done {
		t.Fatal(c.Status, err)
	}
	now := began()
	attempt := func(number, after, until int) *LiveEvents {
		l, failed := OpenLiveEvents(dir, c, after, now)
		if failed != nil {
			t.Fatal(failed)
		}
		for step := after + 1; step <= until; step++ {
			now = now.Add(time.Second)
			if failed = l.Step(runs.TrainStep{Step: step, Loss: float64(step) + float64(number)/10}, now); failed != nil {
				t.Fatal(failed)
			}
		}
		return l
	}
	killed := attempt(1, 0, 10)
	if err = killed.Close(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "events.out.tfevents.000001.bierbench")
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if err = os.Truncate(name, info.Size()-7); err != nil {
		t.Fatal(err)
	}
	continued := attempt(2, 6, 12)
	if err := continued.End(c, now); err != nil {
		t.Fatal(err)
	}
	if err := continued.Close(); err != nil {
		t.Fatal(err)
	}
}

// A continued cell gets another file with the steps from there on; its first events are those that
// make TensorBoard forget the later steps of the first file.
func TestLiveEvents(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tensorboard")
	liveCell(t, dir)
	found := files(t, dir)
	if len(found) != 2 {
		t.Fatalf("%d files, want one of each attempt", len(found))
	}
	second := []byte(found["events.out.tfevents.000002.bierbench"])
	var want []string
	for step := 7; step <= 12; step++ {
		want = append(want, fmt.Sprint(step, " ", float32(step)+0.2))
	}
	got := readScalars(t, second)
	if diff := cmp.Diff(want, got["train/loss"]); diff != "" {
		t.Errorf("loss (-want +got):\n%s", diff)
	}
	if len(got["cub-loo+box+mini/R@1"]) != 1 || got["cub-loo+box+mini/R@1"][0][:3] != "12 " {
		t.Errorf("R@1 %v, want one at step 12", got["cub-loo+box+mini/R@1"])
	}
	events := second[12+binary.LittleEndian.Uint64(second)+4:] // after the version
	start := fields(t, events[12:12+binary.LittleEndian.Uint64(events)])
	if len(start[eventSession]) != 1 || len(start[2]) != 1 || start[2][0][0] != 7 {
		t.Errorf("the second event is %v; want the start of a session at step 7", start)
	}
}
