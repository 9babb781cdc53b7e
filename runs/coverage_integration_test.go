//go:build integration

package runs

// How long the simulations of TestCoverage and its like are: minutes. The
// standard error of a rate of 95% is then 0.5 points.
const (
	full        = true
	experiments = 2000
)
