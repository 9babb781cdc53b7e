package modelstest

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// A protoField is a field of a message: a number, or bytes.
type protoField struct {
	number int
	value  uint64
	bytes  []byte
}

// protoFields decodes a message.
func protoFields(tb testing.TB, message []byte) []protoField {
	tb.Helper()
	var out []protoField
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			tb.Fatal(protowire.ParseError(n))
		}
		message = message[n:]
		f := protoField{number: int(number)}
		switch int(kind) {
		case int(protowire.VarintType):
			f.value, n = protowire.ConsumeVarint(message)
		case int(protowire.Fixed32Type):
			var word uint32
			word, n = protowire.ConsumeFixed32(message)
			f.value = uint64(word)
		case int(protowire.BytesType):
			f.bytes, n = protowire.ConsumeBytes(message)
		default:
			tb.Fatalf("field %d has wire type %d", number, kind)
		}
		if n < 0 {
			tb.Fatal(protowire.ParseError(n))
		}
		message = message[n:]
		out = append(out, f)
	}
	return out
}

// ONNXText returns an ONNX file as text: a line for the versions, each property, input, output, node
// and constant. The numbers of fields are those of onnx.proto, read here once more.
func ONNXText(tb testing.TB, file []byte) string {
	tb.Helper()
	var head, graph strings.Builder
	for _, f := range protoFields(tb, file) {
		switch f.number {
		case 1:
			fmt.Fprintf(&head, "format %d\n", f.value)
		case 2:
			fmt.Fprintf(&head, "producer %s\n", f.bytes)
		case 7:
			onnxGraph(tb, &graph, f.bytes)
		case 8:
			for _, o := range protoFields(tb, f.bytes) {
				fmt.Fprintf(&head, "operators: field %d is %d\n", o.number, o.value)
			}
		case 14:
			entry := protoFields(tb, f.bytes)
			fmt.Fprintf(&head, "property %s: %s\n", entry[0].bytes, entry[1].bytes)
		default:
			tb.Fatalf("ModelProto has field %d", f.number)
		}
	}
	return head.String() + graph.String()
}

func onnxGraph(tb testing.TB, out *strings.Builder, graph []byte) {
	tb.Helper()
	for _, f := range protoFields(tb, graph) {
		switch f.number {
		case 1:
			onnxNode(tb, out, f.bytes)
		case 2:
			fmt.Fprintf(out, "graph %s\n", f.bytes)
		case 5:
			onnxConstant(tb, out, f.bytes)
		case 11:
			fmt.Fprintf(out, "input %s\n", onnxValue(tb, f.bytes))
		case 12:
			fmt.Fprintf(out, "output %s\n", onnxValue(tb, f.bytes))
		default:
			tb.Fatalf("GraphProto has field %d", f.number)
		}
	}
}

func onnxNode(tb testing.TB, out *strings.Builder, node []byte) {
	tb.Helper()
	var inputs, outputs, attributes []string
	var name, op string
	for _, f := range protoFields(tb, node) {
		switch f.number {
		case 1:
			inputs = append(inputs, string(f.bytes))
		case 2:
			outputs = append(outputs, string(f.bytes))
		case 3:
			name = string(f.bytes)
		case 4:
			op = string(f.bytes)
		case 5:
			attributes = append(attributes, onnxAttribute(tb, f.bytes))
		default:
			tb.Fatalf("NodeProto has field %d", f.number)
		}
	}
	fmt.Fprintf(out, "node %s %s(%s)", name, op, strings.Join(inputs, ", "))
	if len(attributes) > 0 {
		fmt.Fprintf(out, " %s", strings.Join(attributes, " "))
	}
	if len(outputs) != 1 || outputs[0] != name {
		fmt.Fprintf(out, " -> %s", strings.Join(outputs, ", "))
	}
	out.WriteByte('\n')
}

func onnxAttribute(tb testing.TB, attribute []byte) string {
	tb.Helper()
	var name string
	var values []string
	kind := uint64(0)
	want := map[int]uint64{2: 1, 3: 2, 8: 7} // the type that belongs to a field
	field := 0
	for _, f := range protoFields(tb, attribute) {
		switch f.number {
		case 1:
			name = string(f.bytes)
			continue
		case 20:
			kind = f.value
			continue
		case 2:
			values = append(values, fmt.Sprint(math.Float32frombits(uint32(f.value))))
		case 3, 8:
			values = append(values, fmt.Sprint(int64(f.value)))
		default:
			tb.Fatalf("AttributeProto has field %d", f.number)
		}
		field = f.number
	}
	if kind != want[field] {
		tb.Errorf("attribute %s: type %d with field %d", name, kind, field)
	}
	return name + "=" + strings.Join(values, ",")
}

func onnxConstant(tb testing.TB, out *strings.Builder, tensor []byte) {
	tb.Helper()
	var dims []uint64
	var name string
	kind, raw := uint64(0), 0
	for _, f := range protoFields(tb, tensor) {
		switch f.number {
		case 1:
			dims = append(dims, f.value)
		case 2:
			kind = f.value
		case 8:
			name = string(f.bytes)
		case 9:
			raw = len(f.bytes)
		default:
			tb.Fatalf("TensorProto has field %d", f.number)
		}
	}
	fmt.Fprintf(out, "constant %s %s%v %d bytes\n", name, onnxType(kind), dims, raw)
}

func onnxValue(tb testing.TB, info []byte) string {
	tb.Helper()
	fields := protoFields(tb, info) // name, type
	tensor := protoFields(tb, protoFields(tb, fields[1].bytes)[0].bytes)
	var dims []string
	for _, axis := range protoFields(tb, tensor[1].bytes) {
		size := protoFields(tb, axis.bytes)[0]
		if size.number == 2 {
			dims = append(dims, string(size.bytes))
			continue
		}
		dims = append(dims, fmt.Sprint(size.value))
	}
	return fmt.Sprintf("%s %s%v", fields[0].bytes, onnxType(tensor[0].value), dims)
}

// onnxType returns the name of a TensorProto.DataType.
func onnxType(kind uint64) string {
	return map[uint64]string{1: "float", 2: "uint8", 7: "int64"}[kind]
}
