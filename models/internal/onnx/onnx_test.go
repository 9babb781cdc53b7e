package onnx

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bierbench/models/internal/modelstest"
)

// small is a graph with one of everything.
func small() *Graph {
	g := New("small")
	x := g.Input("x", Uint8, Batch, 2)
	y := g.Node("Cast", "y", []Value{x}, Whole("to", int(Float)))
	y = g.Node("Gemm", "z", []Value{y, g.Constant("w", []float32{1, 2, 3, 4, 5, 6}, 2, 3), g.Constant("b", []float32{0, 0, 0}, 3)},
		Real("alpha", 0.5))
	parts := g.Nodes("Split", "parts", []string{"p", "q"}, []Value{y, g.Integers("sizes", 1, 2)}, Whole("axis", -1))
	y = g.Node("ReduceL2", "length", parts[1:], Wholes("axes", 1))
	g.Output(g.Node("Mul", "out", []Value{y, g.Scalar("two", 2)}), Float, Batch, 1)
	return g
}

// The fields are those of onnx.proto, as the reader of the tests has them.
func TestWrite(t *testing.T) {
	var out, again bytes.Buffer
	properties := map[string]string{"b": "2", "a": "1", "c": "3"}
	if err := small().Write(&out, "me", properties); err != nil {
		t.Fatal(err)
	}
	want := `format 7
producer me
operators: field 2 is 13
property a: 1
property b: 2
property c: 3
node y Cast(x) to=1
node z Gemm(y, w, b) alpha=0.5
node parts Split(z, sizes) axis=-1 -> p, q
node length ReduceL2(q) axes=1
node out Mul(length, two)
graph small
input x uint8[N 2]
output out float[N 1]
constant w float[2 3] 24 bytes
constant b float[3] 12 bytes
constant sizes int64[2] 16 bytes
constant two float[] 4 bytes
`
	if d := cmp.Diff(want, modelstest.ONNXText(t, out.Bytes())); d != "" {
		t.Errorf("file (-want +got):\n%s", d)
	}
	if i := bytes.Index(out.Bytes(), []byte("\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x00\x40\x40")); i < 0 {
		t.Error("the values 1, 2, 3 are not there as little-endian float32")
	}
	if err := small().Write(&again, "me", properties); err != nil || !bytes.Equal(out.Bytes(), again.Bytes()) {
		t.Errorf("a second time other bytes, %v", err)
	}
}

func TestWriteRefuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		build func(g *Graph)
		want  string
	}{
		{"a name twice", func(g *Graph) { g.Scalar("two", 2) }, `the name "two" is empty or used twice`},
		{"no name", func(g *Graph) { g.Scalar("", 2) }, `the name "" is empty`},
		{"a value that was never made", func(g *Graph) { g.Node("Relu", "r", []Value{"nothing"}) }, `there is no value "nothing"`},
		{"an output that was never made", func(g *Graph) { g.Output("nothing", Float, 1) }, `there is no value "nothing"`},
		{"values that do not fit the shape", func(g *Graph) { g.Constant("c", []float32{1}, 2, 3) }, "constant c: 1 values for the shape [2 3]"},
		{"no output", func(g *Graph) { g.outputs = nil }, "no input or no output"},
	} {
		g := small()
		tt.build(g)
		var out bytes.Buffer
		if err := g.Write(&out, "", nil); err == nil || !strings.Contains(err.Error(), tt.want) || out.Len() > 0 {
			t.Errorf("%s: %d bytes, %v; want %q", tt.name, out.Len(), err, tt.want)
		}
	}
}

// The size is known before a byte is written, and is exact.
func TestLimit(t *testing.T) {
	var out bytes.Buffer
	if err := small().Write(&out, "me", nil); err != nil {
		t.Fatal(err)
	}
	size := out.Len()
	out.Reset()
	if err := small().write(&out, "me", nil, size); err != nil || out.Len() != size {
		t.Errorf("as large as allowed: %v", err)
	}
	out.Reset()
	if err := small().write(&out, "me", nil, size-1); !errors.Is(err, ErrTooLarge) || out.Len() > 0 {
		t.Errorf("a byte too many: %d bytes written, %v", out.Len(), err)
	}
}
