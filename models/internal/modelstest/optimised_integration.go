//go:build integration

package modelstest

// optimised makes XLA optimise what the tests run, as it does for users.
const optimised = true
