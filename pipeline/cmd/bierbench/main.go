package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"bierbench/pipeline/workspace"
)

func main() {
	ctx, stop := interruptible(context.Background(), 2*time.Second)
	program, err := os.Executable()
	if err != nil {
		program = "" // a backend that ends its process then ends this one
	}
	code := executeAs(ctx, program, os.Stdout, os.Stderr, os.Args[1:])
	stop()
	os.Exit(code)
}

// interruptible returns a context that an interrupt or SIGTERM cancels. "go tool" passes an
// interrupt on, so that one Ctrl-C can come twice: a second one within the grace period is ignored.
// A later one ends the process at once.
func interruptible(parent context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(parent, os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, func() {
		time.Sleep(grace)
		stop()
	})
	return ctx, stop
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

// errRegression is the error of diff --fail where a row became worse.
var errRegression = errors.New("at least one metric is worse")

// errLost is the error of diff --fail where a group has results in A only.
var errLost = errors.New("at least one group has results in A and none in B")

// reportedError is an error that the command has already printed.
type reportedError struct{ error }

func (e reportedError) Unwrap() error { return e.error }

// execute runs one command line and returns the exit code.
func execute(ctx context.Context, stdout, stderr *os.File, args []string) int {
	return executeAs(ctx, "", stdout, stderr, args)
}

// executeAs is execute in a process of bierbench itself, whose program may be started again.
func executeAs(ctx context.Context, program string, stdout, stderr *os.File, args []string) int {
	a := &app{program: program, args: args, stdout: stdout, stderr: stderr}
	root := newRootCommand(a)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	a.close()
	if err == nil {
		return exitOK
	}
	code := exitFailed
	_, usage := errors.AsType[usageError](err)
	_, reported := errors.AsType[reportedError](err)
	switch {
	case ctx.Err() != nil:
		code, err = exitInterrupted, errors.New("interrupted")
		if keeps(cmd) {
			err = fmt.Errorf("interrupted: what was finished is kept; this continues: %s",
				workspace.ShellLine(append([]string{cmd.Root().Name()}, args...)...))
		}
	case usage:
		code = exitUsage
	case errors.Is(err, errRegression), errors.Is(err, errLost):
		code = exitRegression
	}
	if a.json {
		a.printError(cmd, err, code)
	} else if !reported {
		fmt.Fprintf(stderr, "bierbench: %s\n", escaped(err.Error()))
		if code == exitUsage && (cmd != root || len(args) > 0) { // which has just shown its help
			fmt.Fprintf(stderr, "Try %q.\n", cmd.CommandPath()+" --help")
		}
	}
	return code
}

// keeping marks a command that keeps what it has finished when it is interrupted, so that the same
// command line continues.
func keeping(cmd *cobra.Command) *cobra.Command {
	if cmd.Annotations == nil {
		cmd.Annotations = map[string]string{}
	}
	cmd.Annotations["keeps"] = "always"
	return cmd
}

// keeps reports whether a command keeps what it has finished: it always does, or it probes.
func keeps(cmd *cobra.Command) bool {
	probe := cmd.Flags().Lookup("probe")
	return cmd.Annotations["keeps"] != "" || (probe != nil && probe.Value.String() == "true")
}
