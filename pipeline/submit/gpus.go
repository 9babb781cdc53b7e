package submit

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"bierbench/models/xla"
)

// gpuVariable tells CUDA which GPUs a process sees, by number or by name.
const gpuVariable = "CUDA_VISIBLE_DEVICES"

// gpus returns the GPUs that this process may use: the list of environment, as
// os.Environ returns it, where the user has given one, else all that the driver
// shows in the folder dev.
func gpus(environment []string, dev string) []string {
	for _, v := range slices.Backward(environment) { // the last one counts
		if list, given := strings.CutPrefix(v, gpuVariable+"="); given {
			var out []string
			for gpu := range strings.SplitSeq(list, ",") {
				if gpu = strings.TrimSpace(gpu); gpu != "" {
					out = append(out, gpu)
				}
			}
			return out
		}
	}
	files, err := filepath.Glob(filepath.Join(dev, "nvidia[0-9]*"))
	if err != nil {
		return nil
	}
	var numbers []int
	for _, file := range files {
		if n, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(file), "nvidia")); err == nil {
			numbers = append(numbers, n)
		}
	}
	// The driver's files may have gaps where a container has some of the GPUs;
	// CUDA counts those that it can open.
	out := make([]string, len(numbers))
	for i := range out {
		out[i] = strconv.Itoa(i)
	}
	return out
}

// share returns the GPUs of the process in a slot, of so many each, when
// processes are as many as slots: they go round, a GPU is shared where there are
// too few. It is nil where there is nothing to choose: one process sees them
// all.
func share(gpus []string, slot, processes, each int) []string {
	parts := len(gpus) / max(each, 1)
	if processes < 2 || parts < 2 {
		return nil
	}
	part := slot % parts
	return gpus[part*each : (part+1)*each]
}

// environment is what the process in a slot gets: a GPU of its own where this
// machine has several.
func (e *local) environment(ambient []string, dev string, slot int) []string {
	out := withoutTask(ambient)
	if e.w.Backend != "" && e.w.Backend != xla.CUDA {
		return out
	}
	if own := share(gpus(ambient, dev), slot, e.processes, e.w.Devices); own != nil {
		out = append(slices.DeleteFunc(out, func(v string) bool { return strings.HasPrefix(v, gpuVariable+"=") }),
			gpuVariable+"="+strings.Join(own, ","))
	}
	return out
}
