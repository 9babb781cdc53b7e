package xla

// hashed is the comparison of a plugin's file with its pinned hash. It goes on while the plugin is
// loaded and the first program is compiled, because it takes as long as loading it. Every
// computation waits for it before its results are read, so that no number comes from a damaged
// plugin.
type hashed struct {
	done chan struct{}
	err  error // once done is closed
}

// hash starts a comparison. It ends by itself, and the backend's Finalize waits for it.
func hash(compare func() error) *hashed {
	h := &hashed{done: make(chan struct{})}
	go func() {
		defer close(h.done)
		h.err = compare()
	}()
	return h
}

// wait returns the comparison's error when it has ended. There is none for nil.
func (h *hashed) wait() error {
	if h == nil {
		return nil
	}
	<-h.done
	return h.err
}

// CheckPlugin waits until the plugin's file has been hashed, and returns a cache.DamagedError if it
// is not the one that was installed. Who runs a computation without Forward or Program calls it
// before its results are used.
func (b *Backend) CheckPlugin() error { return b.hashed.wait() }
