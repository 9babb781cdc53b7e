package xla

import (
	"errors"
	"sync"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Forward is a computation that changes no variable, of one input with a fixed
// shape. Each of the backend's devices can run it, with its own copy of the
// variables: batches are shared by giving every device whole ones. All run one
// program on one shape, so a result's bits do not depend on how many devices
// there are or on which of them a batch was.
type Forward struct {
	backend *Backend
	exec    *Exec
	lock    sync.Mutex
	device  int                                   // that run is starting
	copies  []map[*model.Variable]*tensors.Tensor // by device; the first one has the variables themselves
}

// Forward compiles at its first run. f gets the root of store and the input.
func (b *Backend) Forward(store *model.Store, f func(scope *model.Scope, input *Node) *Node) (*Forward, error) {
	exec, err := NewExec(b.Backend, func(input *Node) *Node { return f(store.RootScope(), input) })
	if err != nil {
		return nil, err
	}
	p := &Forward{backend: b, exec: exec, copies: make([]map[*model.Variable]*tensors.Tensor, max(b.Devices, 1))}
	exec.SetSideParamsHook(func(g *Graph, inputs []compute.Buffer, _ []bool) error {
		for v := range store.IterVariables() {
			if !v.InUseByGraph(g) {
				continue
			}
			value, failure := p.variableValue(v)
			if failure != nil {
				return failure
			}
			handle := g.GetParameterByName(v.Path()).GetParameterHandle()
			if inputs[handle], failure = value.Buffer(b.Backend, compute.DeviceNum(p.device)); failure != nil {
				return failure
			}
		}
		return nil
	})
	return p, nil
}

// variableValue is a variable's tensor on the device that run is starting.
func (p *Forward) variableValue(v *model.Variable) (*tensors.Tensor, error) {
	value, err := v.Value()
	if err != nil || p.device == 0 {
		return value, err
	}
	copies := p.copies[p.device]
	if copies == nil {
		copies = map[*model.Variable]*tensors.Tensor{}
		p.copies[p.device] = copies
	}
	if copies[v] == nil {
		if copies[v], err = value.LocalClone(); err != nil {
			return nil, err
		}
	}
	return copies[v], nil
}

// Devices is how many goroutines can run the program at a time.
func (p *Forward) Devices() int { return len(p.copies) }

// Run starts the program on a device and returns its output, which is the
// caller's to free. The device reads the input until the output is there.
func (p *Forward) Run(device int, input *tensors.Tensor) (*tensors.Tensor, error) {
	output, _, err := p.RunGraph(device, input)
	return output, err
}

// RunGraph is run, and also returns the graph that the output is of.
func (p *Forward) RunGraph(device int, input *tensors.Tensor) (*tensors.Tensor, *Graph, error) {
	p.lock.Lock() // while it starts; devices compute side by side
	defer p.lock.Unlock()
	p.device = device
	found, g, err := p.exec.CallWithGraphOnDevice(compute.DeviceNum(device), input)
	if err != nil {
		return nil, nil, err
	}
	return found[0], g, nil
}

// Free gives the memory of the program and of the copies back.
func (p *Forward) Free() error {
	p.exec.Finalize()
	return p.Forget()
}

// Forget frees the copies of the variables: they are made again when the
// program runs again.
func (p *Forward) Forget() error {
	var errs []error
	for device, copies := range p.copies {
		for _, t := range copies {
			errs = append(errs, t.FinalizeAll())
		}
		p.copies[device] = nil
	}
	return errors.Join(errs...)
}
