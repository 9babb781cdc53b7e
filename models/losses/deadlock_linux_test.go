package losses

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"golang.org/x/sys/unix"

	"bierbench/models/internal/modelstest"
)

// Nodes that do not depend on each other and that the Go backend computes in
// parts: where it runs nodes as tasks of its pool, they fill the pool and wait
// in it for their parts. Products were such nodes in GoMLX v0.26, large error
// functions still are.
func TestGoBackendIndependentNodes(t *testing.T) {
	const large = 20_000
	backend := modelstest.GoBackend(t)
	inputs := make([]*tensors.Tensor, 8)
	for i := range inputs {
		inputs[i] = modelstest.Matrix([][]float64{{1, 2}, {3, 4}, {5, float64(i)}})
	}
	for i := range 8 {
		inputs = append(inputs, modelstest.Vector(slices.Repeat([]float64{float64(i)}, large)))
	}
	for range 20 {
		got := modelstest.Evaluate(t, backend, inputs, func(in []*Node) []*Node {
			var out []*Node
			for _, x := range in[:8] {
				out = append(out, DotGeneral(x, []int{1}, nil, x, []int{1}, nil))
			}
			for _, x := range in[8:] {
				out = append(out, Erf(x))
			}
			return out
		})
		for i := range 8 {
			if want := 25 + float64(i*i); got[i][8] != want {
				t.Fatalf("product %d ends in %g, want %g", i, got[i][8], want)
			}
			if f := got[8+i]; f[0] != math.Erf(float64(i)) || f[large-1] != f[0] {
				t.Fatalf("error functions of %d are %g to %g, want %g", i, f[0], f[large-1], math.Erf(float64(i)))
			}
		}
	}
}

// The Go backend's pool is as small as the machine, so a computation that
// needs more workers than there are shows itself on one core.
func TestGoBackendOnOneCore(t *testing.T) {
	const limit = time.Minute // it takes seconds
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	// The golden table, where it is there, is what hung first.
	command := exec.CommandContext(ctx, os.Args[0], "-test.v", "-test.run", "^(TestGoBackendIndependentNodes|TestGoldenLosses)$/^binomial_scalar_table$")
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	err := startOnOneCore(command)
	if err == nil {
		err = command.Wait()
	}
	if ctx.Err() != nil {
		running := regexp.MustCompile(`=== RUN +(\S+)`).FindAllStringSubmatch(output.String(), -1)
		last := "nothing"
		if len(running) > 0 {
			last = running[len(running)-1][1]
		}
		t.Fatalf("on one core the Go backend has not answered for %v: %s hangs\n%s", limit, last, output.String())
	}
	if err != nil || !strings.Contains(output.String(), "--- PASS: TestGoBackendIndependentNodes") {
		t.Fatalf("on one core: %v\n%s", err, output.String())
	}
}

// startOnOneCore starts a command that may use only the first of this
// process's cores: a child has the affinity of the thread that starts it.
func startOnOneCore(command *exec.Cmd) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked, so that the thread ends with the goroutine
		var allowed, one unix.CPUSet
		if err := unix.SchedGetaffinity(0, &allowed); err != nil {
			started <- err
			return
		}
		first := 0
		for !allowed.IsSet(first) {
			first++
		}
		one.Set(first)
		started <- errors.Join(unix.SchedSetaffinity(0, &one), command.Start())
	}()
	return <-started
}
