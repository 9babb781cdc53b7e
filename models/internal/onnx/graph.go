package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Opset is the version of the operators, that of ONNX 1.8.
const Opset = 13

// formatVersion is the version of the format itself that came with Opset.
const formatVersion = 7

// A Value is the name of what a node computes, of a constant or of an input.
type Value string

// A Type is the type of the elements of a tensor, as TensorProto.DataType numbers it.
type Type int

// The types of inputs, constants and outputs.
const (
	Float Type = 1
	Uint8 Type = 2
	Int64 Type = 7
)

// Batch is the size of an axis that is known when the network runs: the number of images.
const Batch = -1

// A Graph is a network. A name that is used twice, an input that was never made and sizes that do not
// fit are errors of Write.
type Graph struct {
	name            string
	nodes           [][]byte // NodeProto
	constants       []constant
	inputs, outputs [][]byte // ValueInfoProto
	known           map[Value]bool
	errs            []error
}

// A constant is a TensorProto; one of its values is set.
type constant struct {
	name   string
	dims   []int
	floats []float32 // not copied
	ints   []int64
}

// New returns an empty graph.
func New(name string) *Graph {
	return &Graph{name: name, known: map[Value]bool{}}
}

// define makes a name known.
func (g *Graph) define(name string) Value {
	v := Value(name)
	if name == "" || g.known[v] {
		g.errs = append(g.errs, fmt.Errorf("the name %q is empty or used twice", name))
	}
	g.known[v] = true
	return v
}

// use returns an error of Write for a value that is not there.
func (g *Graph) use(v Value) {
	if !g.known[v] {
		g.errs = append(g.errs, fmt.Errorf("there is no value %q", string(v)))
	}
}

// Input adds an input of a type and shape, of which one axis may be Batch.
func (g *Graph) Input(name string, of Type, dims ...int) Value {
	g.inputs = append(g.inputs, valueInfo(name, of, dims))
	return g.define(name)
}

// Output makes a value of a type and shape an output of the network.
func (g *Graph) Output(v Value, of Type, dims ...int) {
	g.use(v)
	g.outputs = append(g.outputs, valueInfo(string(v), of, dims))
}

// Constant adds a tensor of numbers, row-major, which must not change before Write.
func (g *Graph) Constant(name string, values []float32, dims ...int) Value {
	return g.constant(constant{name: name, dims: dims, floats: values}, len(values))
}

// Scalar adds a tensor without axes.
func (g *Graph) Scalar(name string, value float32) Value {
	return g.Constant(name, []float32{value})
}

// Integers adds a vector of integers, such as indices and sizes.
func (g *Graph) Integers(name string, values ...int64) Value {
	return g.constant(constant{name: name, dims: []int{len(values)}, ints: values}, len(values))
}

func (g *Graph) constant(c constant, count int) Value {
	size := 1
	for _, d := range c.dims {
		size *= d
	}
	if size != count {
		g.errs = append(g.errs, fmt.Errorf("constant %s: %d values for the shape %v", c.name, count, c.dims))
	}
	g.constants = append(g.constants, c)
	return g.define(c.name)
}

// Node adds an operator with one result, which has the node's name.
func (g *Graph) Node(op, name string, inputs []Value, attributes ...Attribute) Value {
	return g.Nodes(op, name, []string{name}, inputs, attributes...)[0]
}

// Nodes adds an operator with several results.
func (g *Graph) Nodes(op, name string, results []string, inputs []Value, attributes ...Attribute) []Value {
	var b []byte
	for _, v := range inputs {
		g.use(v)
		b = appendText(b, nodeInput, string(v))
	}
	var out []Value
	for _, r := range results {
		b = appendText(b, nodeOutput, r)
		out = append(out, g.define(r))
	}
	b = appendText(b, nodeName, name)
	b = appendText(b, nodeOperator, op)
	for _, a := range attributes {
		b = appendBytes(b, nodeAttribute, a.encoded)
	}
	g.nodes = append(g.nodes, b)
	return out
}

// An Attribute is a setting of an operator.
type Attribute struct{ encoded []byte }

// Real is an attribute that is a number.
func Real(name string, value float32) Attribute {
	b := appendText(nil, attributeName, name)
	b = protowire.AppendTag(b, attributeFloat, protowire.Fixed32Type)
	b = protowire.AppendFixed32(b, math.Float32bits(value))
	return Attribute{appendNumber(b, attributeType, kindFloat)}
}

// Whole is an attribute that is an integer.
func Whole(name string, value int) Attribute {
	b := appendText(nil, attributeName, name)
	b = appendNumber(b, attributeInt, uint64(value))
	return Attribute{appendNumber(b, attributeType, kindInt)}
}

// Wholes is an attribute that is a list of integers.
func Wholes(name string, values ...int) Attribute {
	b := appendText(nil, attributeName, name)
	for _, v := range values {
		b = appendNumber(b, attributeInts, uint64(v))
	}
	return Attribute{appendNumber(b, attributeType, kindInts)}
}

// err returns what is wrong with the graph.
func (g *Graph) err() error {
	errs := slices.Clone(g.errs)
	if len(g.inputs) == 0 || len(g.outputs) == 0 {
		errs = append(errs, errors.New("there is no input or no output"))
	}
	return errors.Join(errs...)
}
