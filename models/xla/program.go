package xla

import (
	"fmt"

	"github.com/gomlx/compute/distributed"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/core/tensors/dtensor"
	"github.com/gomlx/gomlx/ml/model"
)

// dataAxis is the one axis of the mesh, along which the devices share the images of a batch.
const dataAxis = "data"

// Layout is how the devices hold an array.
type Layout int

// The layouts of an array.
const (
	Replicated Layout = iota // each device has the whole array
	Sharded                  // each device has its part of the first axis, whose length their number must divide
)

// A Program is a computation on the variables of a model. With several devices it is still one
// computation on whole arrays, which the compiler splits by the layout of its inputs (GoMLX's
// AutoSharding): variables are replicated, and a matrix of all pairs of a batch spans the devices.
type Program struct {
	backend *Backend
	exec    *model.Exec
	inputs  []*distributed.ShardingSpec // nil with one device
	output  *distributed.ShardingSpec   // of every output except the new values of variables
}

// Program returns the program of f, which gets the root scope of store and the inputs. It is
// compiled at its first run. inputs are the layouts of f's inputs; output is the layout of all its
// outputs, Replicated if f sets variables.
func (b *Backend) Program(store *model.Store, f func(scope *model.Scope, inputs []*Node) []*Node, output Layout,
	inputs ...Layout,
) (*Program, error) {
	exec, err := model.NewExec(b.Backend, store, f)
	if err != nil {
		return nil, err
	}
	p := &Program{backend: b, exec: exec}
	if b.Devices < 2 {
		return p, nil
	}
	mesh, err := b.deviceMesh()
	if err != nil {
		return nil, err
	}
	specs := map[Layout]*distributed.ShardingSpec{Replicated: distributed.NewReplicatedShardingSpec(mesh)}
	if specs[Sharded], err = distributed.NewShardingSpec(mesh, distributed.AxisSpec{dataAxis}); err != nil {
		return nil, err
	}
	for _, l := range inputs {
		p.inputs = append(p.inputs, specs[l])
	}
	p.output = specs[output]
	exec.AutoSharding(mesh).WithInputShardingSpecs(p.inputs...).WithOutputShardingSpecs(p.output)
	return p, nil
}

// deviceMesh returns the backend's one mesh: programs that share variables must share it.
func (b *Backend) deviceMesh() (*distributed.DeviceMesh, error) {
	b.meshOnce.Do(func() {
		b.mesh, b.meshErr = distributed.NewDeviceMesh([]int{b.Devices}, []string{dataAxis})
	})
	return b.mesh, b.meshErr
}

// Run executes the program on whole arrays, tensors or values that a tensor can be made of, and
// returns whole arrays, which the caller frees. f must have an output: once it can be read, a
// device has done its part.
func (p *Program) Run(inputs ...any) ([]*tensors.Tensor, error) {
	found, err := p.run(inputs...)
	if err == nil {
		err = p.backend.CheckPlugin()
	}
	if err != nil {
		return nil, err
	}
	return found, nil
}

func (p *Program) run(inputs ...any) ([]*tensors.Tensor, error) {
	if p.inputs == nil {
		return p.exec.Call(inputs...)
	}
	if len(inputs) != len(p.inputs) {
		return nil, fmt.Errorf("%d inputs for a program that takes %d", len(inputs), len(p.inputs))
	}
	parts := make([]any, len(inputs))
	for i, input := range inputs {
		t, ok := input.(*tensors.Tensor)
		if !ok {
			var err error
			if t, err = tensors.FromAnyValue(input); err != nil {
				return nil, err
			}
		}
		shards, err := dtensor.ShardTensor(p.inputs[i], t)
		if err != nil {
			return nil, err
		}
		defer shards.Finalize() //nolint:errcheck // frees memory that nobody reads
		parts[i] = shards
	}
	found, err := p.exec.Call(parts...)
	if err != nil {
		return nil, err
	}
	return p.mergeOutputs(found)
}

// mergeOutputs returns the whole outputs. found holds all outputs of the first device, then those
// of the next one, and so on.
func (p *Program) mergeOutputs(found []*tensors.Tensor) ([]*tensors.Tensor, error) {
	n := len(found) / p.exec.NumDevices()
	out := make([]*tensors.Tensor, n)
	for i := range out {
		var shards []*tensors.Tensor
		for j := i; j < len(found); j += n {
			shards = append(shards, found[j])
			// Merging reads one of several replicas. Inputs are freed after this,
			// so all devices must be done with them.
			if i == 0 {
				if err := found[j].ConstBytes(func([]byte) {}); err != nil {
					return nil, err
				}
			}
		}
		t, err := dtensor.NewTensor(p.output, shards)
		if err != nil {
			return nil, err
		}
		if out[i], err = t.Merge(); err == nil {
			err = t.Finalize()
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Free frees the program.
func (p *Program) Free() { p.exec.Finalize() }
