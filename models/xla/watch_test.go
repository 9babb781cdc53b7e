package xla

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A device that hangs is named again and again, one that has answered is not.
func TestWatchNamesWhatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		b := &Backend{Patience: DefaultPatience, Log: slog.New(slog.NewTextHandler(&log, nil))}
		stop := b.Watch("training step 11")
		time.Sleep(DefaultPatience - time.Second)
		stop()
		time.Sleep(DefaultPatience)
		synctest.Wait()
		if log.Len() > 0 {
			t.Errorf("a step that ended in time: %s", log.String())
		}
		stop = b.Watch("training step 12")
		time.Sleep(2*DefaultPatience + time.Second)
		stop()
		time.Sleep(10 * DefaultPatience)
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
	(&Backend{}).Watch("nothing")() // one that was not opened watches nothing
}
