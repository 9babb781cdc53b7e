package xla

import "time"

// DefaultPatience is how long a device may take over one computation before the log
// says so. The longest ones, a first step with its compilation, take minutes.
const DefaultPatience = 10 * time.Minute

// Watch watches a computation of a device, which what describes, until the caller calls stop. Each
// time another b.Patience has passed, it logs a warning: a device that hangs gives no other sign.
// It ends nothing, for a slow computation may still finish.
func (b *Backend) Watch(what string) (stop func()) {
	if b.Patience <= 0 {
		return func() {}
	}
	return Watch(b.Patience, func(waited time.Duration) {
		b.Log.Warn("the device has not answered", "for", waited, "doing", what)
	})
}

// Watch calls stalled each time another while has passed, with the time since the call of Watch,
// until the caller calls stop.
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
