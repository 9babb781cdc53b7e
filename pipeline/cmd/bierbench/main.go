// Command bierbench prepares image-retrieval benchmarks, trains boosted
// embedding ensembles and their baselines, and says whether the difference
// between two runs is real.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() {
		<-ctx.Done()
		// "go tool" passes an interrupt on, so one Ctrl-C can come twice. Only one
		// that comes later means: stop at once.
		time.Sleep(2 * time.Second)
		stop()
	}()
	code := execute(ctx, os.Stdout, os.Stderr, os.Args[1:])
	stop()
	os.Exit(code)
}

// The exit codes.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitRegression  = 3
	exitInterrupted = 130
)

// usageError is a mistake on the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// errRegression says that diff --fail found a row that became worse.
var errRegression = errors.New("at least one metric is worse")

// reportedError is a failure that the command has told the user about already.
type reportedError struct{ error }

func (e reportedError) Unwrap() error { return e.error }

// execute runs one command line and returns the exit code.
func execute(ctx context.Context, stdout, stderr *os.File, args []string) int {
	a := &app{stdout: stdout, stderr: stderr}
	root := newRootCommand(a)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	a.close()
	if err == nil {
		return exitOK
	}
	code := exitFailed
	_, usage := errors.AsType[usageError](err)
	_, reported := errors.AsType[reportedError](err)
	switch {
	case ctx.Err() != nil:
		code = exitInterrupted
		err = errors.New("interrupted: what was finished is kept; the same command continues")
	case usage:
		code = exitUsage
	case errors.Is(err, errRegression):
		code = exitRegression
	}
	if a.json {
		a.printError(err, code)
	} else if !reported {
		fmt.Fprintf(stderr, "bierbench: %v\n", err)
		if code == exitUsage {
			fmt.Fprintln(stderr, `Try "bierbench --help".`)
		}
	}
	return code
}
