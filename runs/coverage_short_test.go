//go:build !integration

package runs

// How long the simulations of TestCoverage and its like are: seconds.
const (
	full        = false
	experiments = 300
)
