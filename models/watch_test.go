package models

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A device that hangs is named again and again, one that has answered is not.
func TestWatchNamesWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := &Backend{patience: patience, log: slog.New(slog.NewTextHandler(&log, nil))}
		stop := b.watch("training step 11")
		time.Sleep(patience - time.Second)
		stop()
		time.Sleep(patience)
		synctest.Wait()
		if log.Len() > 0 {
			t.Errorf("a step that ended in time: %s", log.String())
		}
		stop = b.watch("training step 12")
		time.Sleep(2*patience + time.Second)
		stop()
		time.Sleep(10 * patience)
		synctest.Wait()
		var got []string
		for line := range strings.Lines(log.String()) {
			_, line, _ = strings.Cut(line, "level=")
			got = append(got, strings.TrimSpace(line))
		}
		want := []string{
			`WARN msg="the device has not answered" for=10m0s doing="training step 12"`,
			`WARN msg="the device has not answered" for=20m0s doing="training step 12"`,
		}
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("got %q, want %q", got, want)
		}
	})
	(&Backend{}).watch("nothing")() // one that was not opened watches nothing
}

// watchLog is a writer that several goroutines may use.
type watchLog struct {
	lock sync.Mutex
	text strings.Builder
}

func (l *watchLog) Write(p []byte) (int, error) {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.text.Write(p)
}

func (l *watchLog) String() string {
	l.lock.Lock()
	defer l.lock.Unlock()
	return l.text.String()
}

// With no patience at all, what trains and embeds is named.
func TestDevicesAreWatched(t *testing.T) {
	var log watchLog
	b := onDevices(t, 1)
	b.patience, b.log = time.Millisecond, slog.New(slog.NewTextHandler(&log, nil))
	c := spreadConfig(Finetune, DiversityNone)
	c.Steps = 1
	m := newModel(t, b, c, "")
	defer m.Finalize()
	trainTo(t, m, "", 0)
	data := EmbedData{Images: 3, Pixels: func(int, []uint8) error { return nil }}
	if _, err := m.Embed(t.Context(), data); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"training step 1", "embedding of a batch of 32 images of 32x32"} {
		if !strings.Contains(log.String(), `doing="`+what+`"`) {
			t.Errorf("nothing names %s:\n%s", what, log.String())
		}
	}
}
