package submit

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"bierbench/models"
	"bierbench/models/backbones"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// A task may take what its cell is expected to take, with room for error, rounded up to a class:
// cells of about the same needs share an array.
const (
	timeFactor   = 2   // the machine may be half as fast as the measured one
	timeExtra    = 120 // seconds to start, to set up and to save
	memoryFactor = 1.5
	memoryExtra  = 256 << 20 // bytes
)

// timeLimit returns the class of a time in seconds: 5, 10, 20 or 30 minutes, 1, 2, 4, 8, 12 or 24
// hours, then whole days; 0 where the time is not known.
func timeLimit(seconds float64) int64 {
	if seconds <= 0 {
		return 0
	}
	const minute, hour, day = 60, 3600, 86400
	need := timeFactor*seconds + timeExtra
	for _, class := range []int64{5 * minute, 10 * minute, 20 * minute, 30 * minute, hour, 2 * hour, 4 * hour, 8 * hour, 12 * hour, day} {
		if need <= float64(class) {
			return class
		}
	}
	days := int64(need) / day
	if float64(days*day) < need {
		days++
	}
	return days * day
}

// memoryLimit returns the class of a memory in bytes: 1, 2, 3, 4, 6, 8, 12, 16, 24, ... GiB; 0
// where the memory is not known.
func memoryLimit(bytes int64) int64 {
	if bytes <= 0 {
		return 0
	}
	need := int64(memoryFactor*float64(bytes)) + memoryExtra
	class := int64(1 << 30)
	for class < need {
		if step := class / 2; class >= 2<<30 && class+step >= need {
			return class + step
		}
		class *= 2
	}
	return class
}

// featuresFile returns the key and the file of the features that a cell reads. Both are empty for a
// cell that trains its backbone, and for imported features, which are there. digests caches the SHA-256 of the weights of each backbone.
func featuresFile(w *workspace.Workspace, c plan.Cell, digests map[string]string) (key, file string, err error) {
	if c.Config.Mode != models.Frozen {
		return "", "", nil
	}
	net, err := backbones.Named(c.Config.Backbone)
	if err != nil {
		return "", "", err
	}
	if net.Imported {
		return "", "", nil
	}
	weights, ok := digests[net.Name]
	if !ok {
		if weights, err = plan.WeightsDigest(w, net.Name); err != nil {
			return "", "", err
		}
		digests[net.Name] = weights
	}
	key = backbones.FeaturesKey(c.DataHash, weights, net, c.Config.Input)
	return key, filepath.Join(w.FeaturesDir(), key+".arrow"), nil
}

// An extraction is the computation of features that are not cached, with the cells that wait for
// them.
type extraction struct {
	key     string
	cells   int       // number of cells that read them
	first   string    // path of the first of these
	cost    runs.Cost // largest of these cells, one of which has the features in its estimate
	builder *Task     // task that computes them; nil where the cell does
}

// largerCost returns the larger seconds and the larger memory of two costs. What is not known of
// one of them is not known of the result.
func largerCost(a, b runs.Cost) runs.Cost {
	out := runs.Cost{Seconds: max(a.Seconds, b.Seconds), Memory: max(a.Memory, b.Memory)}
	if a.Seconds == 0 || b.Seconds == 0 {
		out.Seconds = 0
	}
	if a.Memory == 0 || b.Memory == 0 {
		out.Memory = 0
	}
	return out
}

// taskLimits are what the tasks of an array have in common.
type taskLimits struct {
	seconds, memory int64
	key             string // of features that another task computes first
}

// planExtractions returns the features that are not cached and that the planned cells read, in the
// order of the plan. keys holds the extraction of each planned cell that waits for one. cells are
// the ones to submit; they are counted.
func planExtractions(w *workspace.Workspace, planned, cells []plan.Cell) (order []*extraction, keys map[runs.Key]*extraction, err error) {
	missing, digests := map[string]*extraction{}, map[string]string{}
	keys = map[runs.Key]*extraction{}
	for _, c := range planned {
		if c.State == plan.Done {
			continue
		}
		key, file, err := featuresFile(w, c, digests)
		if err != nil {
			return nil, nil, fmt.Errorf("cell %s: %w", c.Path(), err)
		}
		if key == "" {
			continue
		}
		if e := missing[key]; e != nil {
			e.cost = largerCost(e.cost, c.Cost)
		} else if _, err := os.Stat(file); err != nil {
			e = &extraction{key: key, cost: c.Cost}
			missing[key] = e
			order = append(order, e)
		}
		if e := missing[key]; e != nil {
			keys[c.Key] = e
		}
	}
	for _, c := range cells {
		if e := keys[c.Key]; e != nil {
			if e.cells++; e.cells == 1 {
				e.first = c.Path()
			}
		}
	}
	return order, keys, nil
}

// arrangeTasks puts cells of a plan into arrays of at most limit tasks. Features that are not
// cached and that several of the cells read are computed first: by a task of the first arrays, or
// by one of building, which holds the tasks of earlier submissions by key. The cells wait for that
// task.
func arrangeTasks(w *workspace.Workspace, name string, planned, cells []plan.Cell, building map[string]Task, limit int) ([]Array, error) {
	order, keys, err := planExtractions(w, planned, cells)
	if err != nil {
		return nil, err
	}
	groups := newArrays("features", limit)
	for _, e := range order {
		if task, ok := building[e.key]; ok {
			e.builder = &task
			continue
		}
		if e.cells > 1 {
			array, number := groups.add(taskLimits{timeLimit(e.cost.Seconds), memoryLimit(e.cost.Memory), ""}, e.first, e.key)
			e.builder = &Task{Submission: name, Array: array, Number: number}
		}
	}
	features := groups.all
	groups = newArrays("cells", limit)
	for _, c := range cells {
		need, n := c.Cost, taskLimits{}
		var builder *Task
		if e := keys[c.Key]; e != nil {
			if builder = e.builder; builder != nil {
				n.key = e.key
			} else {
				need = e.cost // this cell computes them, whichever cell has them in its estimate
			}
		}
		n.seconds, n.memory = timeLimit(need.Seconds), memoryLimit(need.Memory)
		array, _ := groups.add(n, c.Path(), "")
		groups.named(array).Needs = builder
	}
	out := make([]Array, 0, len(features)+len(groups.all))
	for _, a := range slices.Concat(features, groups.all) {
		out = append(out, *a)
	}
	return out, nil
}

// arrays collects tasks in arrays by their limits.
type arrays struct {
	prefix string
	limit  int
	open   map[taskLimits]*Array // arrays that are not full
	all    []*Array
}

// newArrays returns no arrays yet: their names begin with prefix, and each has at most limit tasks.
func newArrays(prefix string, limit int) *arrays {
	return &arrays{prefix: prefix, limit: limit, open: map[taskLimits]*Array{}}
}

// add puts a task into an array and returns its place there.
func (s *arrays) add(n taskLimits, cell, features string) (array string, number int) {
	a := s.open[n]
	if a == nil || len(a.Cells) == s.limit {
		a = &Array{Name: fmt.Sprintf("%s-%02d", s.prefix, len(s.all)+1), Seconds: n.seconds, Memory: n.memory}
		s.open[n] = a
		s.all = append(s.all, a)
	}
	a.Cells = append(a.Cells, cell)
	if features != "" {
		a.Features = append(a.Features, features)
	}
	return a.Name, len(a.Cells)
}

// named returns the array of a name.
func (s *arrays) named(name string) *Array {
	return s.all[slices.IndexFunc(s.all, func(a *Array) bool { return a.Name == name })]
}
