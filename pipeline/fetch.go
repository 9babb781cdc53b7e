package pipeline

import (
	"context"
	"time"

	"bierbench/datasets"
	"bierbench/pipeline/workspace"
)

// Fetch downloads the archive of a data set from its publisher into a folder and returns its path. What an
// interrupted Fetch left there is gone on with.
func Fetch(ctx context.Context, w *workspace.Workspace, a datasets.Address, dir string) (string, error) {
	const mebi = 1 << 20
	o := datasets.DefaultFetchOptions()
	o.Dir = dir
	started := false
	o.Progress = func(done, total int64) {
		if !started {
			w.Progress.Start("fetch "+a.Set+" (MiB)", int(total/mebi))
			started = true
		}
		w.Progress.Advance(int(done/mebi), "")
	}
	o.Retry = func(why error, after time.Duration) {
		w.Log.Warn("fetch broke off", "set", a.Set, "error", why, "again_in", after)
	}
	path, err := datasets.Fetch(ctx, a, o)
	if started {
		w.Progress.Finish()
	}
	return path, err
}
