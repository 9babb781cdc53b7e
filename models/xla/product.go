package xla

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// Product is the matrix product of x [batch, in] and w [in, out]. In a program
// that several devices share it is a 1x1 convolution: XLA's way of splitting
// dots takes longer there. Processor time of a frozen training step of 60x1024
// features on two CPU devices, as a dot and as a convolution: baseline 15 and
// 11 ms, adversarial loss 33 and 28 ms, BIER level; on one device dots take a
// fifth less with the adversarial loss and are level elsewhere.
func Product(x, w *Node) *Node {
	x.AssertDims(-1, w.Shape().Dim(0))
	if x.Graph().NumDevices() < 2 {
		return DotProduct(x, w)
	}
	batch, in, out := x.Shape().Dim(0), w.Shape().Dim(0), w.Shape().Dim(1)
	y := Convolve(Reshape(x, batch, 1, 1, in), Reshape(w, 1, 1, in, out)).NoPadding().Done()
	return Reshape(y, batch, out)
}
