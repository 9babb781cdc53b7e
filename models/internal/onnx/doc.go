// Package onnx describes a network as a graph of operators and writes it in the Open Neural Network
// Exchange format (https://github.com/onnx/onnx/blob/main/docs/IR.md): the protocol buffer ModelProto
// of onnx.proto, with operators of version Opset (https://onnx.ai/onnx/operators).
//
// A Graph is built from its inputs to its outputs: each method adds a node or a constant and returns
// the Value that later nodes take. The same calls give the same bytes.
package onnx
