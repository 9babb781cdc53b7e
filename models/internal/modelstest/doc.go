// Package modelstest holds what the tests of several packages below models share: a backend that
// they open once, golden vectors of an independent implementation, and ways to run a graph and
// compare numbers. No other code imports it.
package modelstest
