package models

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"bierbench/models/internal/modelstest"
)

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
	b := modelstest.OnDevices(t, 1)
	b.Patience, b.Log = time.Millisecond, slog.New(slog.NewTextHandler(&log, nil))
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
