package xla

import (
	"errors"
	"sync"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// A Forward is a computation of one input with a fixed shape, and changes no variable. Each of the
// backend's devices can run it, with its own copy of the variables: devices share the work by whole
// batches. All run one program on one shape, so a result's bits do not depend on the number of
// devices, nor on the device that took the batch.
type Forward struct {
	backend *Backend
	exec    *Exec
	lock    sync.Mutex
	device  int                                   // on which RunGraph is starting the program
	copies  []map[*model.Variable]*tensors.Tensor // by device; the first device uses the variables themselves
}

// Forward returns the program of f, which gets the root scope of store and the input. It is
// compiled at its first run.
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

// variableValue returns a variable's tensor for the device on which RunGraph is starting the
// program.
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

// Devices returns how many goroutines can run the program at a time, one for each device.
func (p *Forward) Devices() int { return len(p.copies) }

// Run starts the program on a device, counted from 0, and returns its output, which the caller
// frees. The device reads the input until the output is complete.
func (p *Forward) Run(device int, input *tensors.Tensor) (*tensors.Tensor, error) {
	output, _, err := p.RunGraph(device, input)
	return output, err
}

// RunGraph does the same as Run, and also returns the graph that computes the output.
func (p *Forward) RunGraph(device int, input *tensors.Tensor) (*tensors.Tensor, *Graph, error) {
	p.lock.Lock() // while it starts; devices compute side by side
	defer p.lock.Unlock()
	p.device = device
	found, g, err := p.exec.CallWithGraphOnDevice(compute.DeviceNum(device), input)
	if err == nil {
		err = p.backend.CheckPlugin()
	}
	if err != nil {
		return nil, nil, err
	}
	return found[0], g, nil
}

// Free frees the program and the copies of the variables.
func (p *Forward) Free() error {
	p.exec.Finalize()
	return p.Forget()
}

// Forget frees the copies of the variables; the next run makes new ones.
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
