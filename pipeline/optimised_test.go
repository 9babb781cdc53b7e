//go:build !integration

package pipeline

// optimised says that XLA optimises programs as it does for users: where the tests
// have the tag.
const optimised = false
