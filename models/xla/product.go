package xla

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// Product is the matrix product of x [batch, in] and w [in, out]. On XLA it is
// a 1x1 convolution: a dot whose two gradients are asked of one graph gets a
// layout conflict on XLA:CPU that makes a step 10 to 100 times slower (60x256
// by 256x512 by 512x160 with all gradients: 32 ms against 2.6 ms).
func Product(x, w *Node) *Node {
	x.AssertDims(-1, w.Shape().Dim(0))
	batch, in, out := x.Shape().Dim(0), w.Shape().Dim(0), w.Shape().Dim(1)
	if x.Graph().Backend().String() == Go { // it cannot differentiate convolutions
		return DotProduct(x, w)
	}
	y := Convolve(Reshape(x, batch, 1, 1, in), Reshape(w, 1, 1, in, out)).NoPadding().Done()
	return Reshape(y, batch, out)
}

// ConstantProduct is the matrix product of x [batch, in] and w [in, out] where
// x gets no gradient. The library writes the gradient of a dot as a sum of
// outer products [batch, in, out]. In a program of one device XLA makes a dot
// of it. In one that devices share it keeps them where a step has several
// (two devices, 60x1024, the adversarial loss: 316 ms a step), so that is a
// convolution too (16 ms).
func ConstantProduct(x, w *Node) *Node {
	if x.Graph().NumDevices() > 1 {
		return Product(x, w)
	}
	x.AssertDims(-1, w.Shape().Dim(0))
	return DotProduct(x, w)
}
