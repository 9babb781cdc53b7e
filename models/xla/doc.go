// Package xla opens a backend of GoMLX and runs programs on its devices.
//
// A backend is XLA on the CPU or on CUDA through a PJRT plugin, or GoMLX's own in
// Go, which needs no plugin and trains no convolutions.
//
// A Program is one computation on whole arrays that the devices share: the
// compiler splits it by the layout of its inputs, so that a matrix of all pairs
// of a batch spans the devices. A Forward is a computation that changes no
// variable: every device runs it on batches of its own, so that the bits of a
// result do not depend on the number of devices.
//
// Functions that build a graph panic where a shape is wrong; Catch turns that into
// an error.
package xla
