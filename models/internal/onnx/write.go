package onnx

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Limit is the largest number of bytes that a protocol buffer can have, and so a file without
// further files beside it.
const Limit = math.MaxInt32

// ErrTooLarge says that a network takes more than Limit bytes.
var ErrTooLarge = errors.New("larger than the 2 GiB that a protocol buffer can have")

// The fields of onnx.proto, by message.
// https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
const (
	modelVersion    protowire.Number = 1 // of the format
	modelProducer   protowire.Number = 2
	modelGraph      protowire.Number = 7
	modelOperators  protowire.Number = 8
	modelProperties protowire.Number = 14

	operatorsVersion protowire.Number = 2 // OperatorSetIdProto; no domain stands for ONNX's own

	entryKey   protowire.Number = 1 // StringStringEntryProto
	entryValue protowire.Number = 2

	graphNode     protowire.Number = 1
	graphName     protowire.Number = 2
	graphConstant protowire.Number = 5
	graphInput    protowire.Number = 11
	graphOutput   protowire.Number = 12

	nodeInput     protowire.Number = 1
	nodeOutput    protowire.Number = 2
	nodeName      protowire.Number = 3
	nodeOperator  protowire.Number = 4
	nodeAttribute protowire.Number = 5

	attributeName  protowire.Number = 1
	attributeFloat protowire.Number = 2
	attributeInt   protowire.Number = 3
	attributeInts  protowire.Number = 8
	attributeType  protowire.Number = 20

	tensorDims protowire.Number = 1
	tensorType protowire.Number = 2
	tensorName protowire.Number = 8
	tensorRaw  protowire.Number = 9 // row-major, little-endian

	infoName      protowire.Number = 1 // ValueInfoProto
	infoType      protowire.Number = 2
	typeTensor    protowire.Number = 1 // TypeProto
	typeElements  protowire.Number = 1 // TypeProto.Tensor
	typeShape     protowire.Number = 2
	shapeAxis     protowire.Number = 1 // TensorShapeProto
	axisSize      protowire.Number = 1 // TensorShapeProto.Dimension
	axisParameter protowire.Number = 2
)

// The kinds of an attribute, AttributeProto.AttributeType.
const (
	kindFloat = 1
	kindInt   = 2
	kindInts  = 7
)

// Write writes the network as a model with properties, in the order of their keys: texts that say
// where it is from and how it is used. The constants are not copied. A model of more than Limit
// bytes is ErrTooLarge, before anything is written.
func (g *Graph) Write(w io.Writer, producer string, properties map[string]string) error {
	return g.write(w, producer, properties, Limit)
}

func (g *Graph) write(w io.Writer, producer string, properties map[string]string, limit int) error {
	if err := g.err(); err != nil {
		return fmt.Errorf("onnx graph %s: %w", g.name, err)
	}
	head := appendNumber(nil, modelVersion, formatVersion)
	head = appendText(head, modelProducer, producer)

	var nodes []byte // the graph but its constants, which come last
	for _, n := range g.nodes {
		nodes = appendBytes(nodes, graphNode, n)
	}
	nodes = appendText(nodes, graphName, g.name)
	for _, i := range g.inputs {
		nodes = appendBytes(nodes, graphInput, i)
	}
	for _, o := range g.outputs {
		nodes = appendBytes(nodes, graphOutput, o)
	}
	size := len(nodes)
	heads := make([][]byte, len(g.constants)) // of the constants, up to their values
	for i, c := range g.constants {
		heads[i] = c.head()
		size += len(heads[i]) + c.bytes()
	}

	tail := appendBytes(nil, modelOperators, appendNumber(nil, operatorsVersion, Opset))
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		entry := appendText(appendText(nil, entryKey, key), entryValue, properties[key])
		tail = appendBytes(tail, modelProperties, entry)
	}

	head = protowire.AppendTag(head, modelGraph, protowire.BytesType)
	head = protowire.AppendVarint(head, uint64(size))
	if total := len(head) + size + len(tail); total > limit {
		return fmt.Errorf("onnx graph %s: %d bytes: %w", g.name, total, ErrTooLarge)
	}
	out := bufio.NewWriterSize(w, 1<<20) // Flush returns the error
	_, _ = out.Write(head)
	_, _ = out.Write(nodes)
	for i, c := range g.constants {
		_, _ = out.Write(heads[i])
		c.values(out)
	}
	_, _ = out.Write(tail)
	return out.Flush()
}

// bytes returns how many bytes the values take.
func (c constant) bytes() int { return 4*len(c.floats) + 8*len(c.ints) }

// head returns a field of GraphProto with a TensorProto, up to its values.
func (c constant) head() []byte {
	var b []byte
	for _, d := range c.dims {
		b = appendNumber(b, tensorDims, uint64(d))
	}
	kind := Float
	if c.ints != nil {
		kind = Int64
	}
	b = appendNumber(b, tensorType, uint64(kind))
	b = appendText(b, tensorName, c.name)
	b = protowire.AppendTag(b, tensorRaw, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(c.bytes()))
	out := protowire.AppendTag(nil, graphConstant, protowire.BytesType)
	out = protowire.AppendVarint(out, uint64(len(b)+c.bytes()))
	return append(out, b...)
}

// values writes the values.
func (c constant) values(out *bufio.Writer) {
	var word [8]byte
	for _, v := range c.floats {
		binary.LittleEndian.PutUint32(word[:4], math.Float32bits(v))
		_, _ = out.Write(word[:4])
	}
	for _, v := range c.ints {
		binary.LittleEndian.PutUint64(word[:], uint64(v))
		_, _ = out.Write(word[:])
	}
}

// valueInfo returns a ValueInfoProto.
func valueInfo(name string, of Type, dims []int) []byte {
	var shape []byte
	for _, d := range dims {
		if d == Batch {
			shape = appendBytes(shape, shapeAxis, appendText(nil, axisParameter, "N"))
			continue
		}
		shape = appendBytes(shape, shapeAxis, appendNumber(nil, axisSize, uint64(d)))
	}
	tensor := appendBytes(appendNumber(nil, typeElements, uint64(of)), typeShape, shape)
	return appendBytes(appendText(nil, infoName, name), infoType, appendBytes(nil, typeTensor, tensor))
}

func appendText(b []byte, field protowire.Number, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), text)
}

func appendBytes(b []byte, field protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), content)
}

func appendNumber(b []byte, field protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), value)
}
