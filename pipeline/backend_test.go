//go:build !integration

package pipeline

import "bierbench/models/xla"

// testBackend is the backend of the tests of stages. GoMLX's own compiles nothing, which is most of
// what they would wait for; with the tag integration they run on XLA.
const testBackend = xla.Go
