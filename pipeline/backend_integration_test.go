//go:build integration

package pipeline

import "bierbench/models/xla"

// testBackend is the backend of the tests of stages.
const testBackend = xla.CPU
