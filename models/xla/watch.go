package xla

import "time"

// DefaultPatience is how long a device may take over one computation before the log
// says so. The longest ones, a first step with its compilation, take minutes.
const DefaultPatience = 10 * time.Minute

// Watch is told what a device is going to do, and returns what to call when it
// has done it. Each time that this has taken another b.Patience it says so in
// the log: a device that hangs shows nothing else. It ends nothing, what is
// slow may still come to its end.
func (b *Backend) Watch(what string) (stop func()) {
	if b.Patience <= 0 {
		return func() {}
	}
	return Watch(b.Patience, func(waited time.Duration) {
		b.Log.Warn("the device has not answered", "for", waited, "doing", what)
	})
}

// Watch calls stalled each time that another while has passed, until stop.
func Watch(while time.Duration, stalled func(waited time.Duration)) (stop func()) {
	done := make(chan struct{})
	go func() {
		ticker := time.NewTicker(while)
		defer ticker.Stop()
		for waited := while; ; waited += while {
			select {
			case <-done:
				return
			case <-ticker.C:
				stalled(waited)
			}
		}
	}()
	return func() { close(done) }
}
