package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"bierbench/datasets"
	"bierbench/models/cache"
)

var update = flag.Bool("update", false, "rewrite the expected output in testdata/script")

func TestMain(m *testing.M) {
	// Most of what these tests would wait for is XLA optimising small programs that
	// run a few times. The commands that they start have it, too.
	if os.Getenv("XLA_FLAGS") == "" && !optimised {
		if err := os.Setenv("XLA_FLAGS", "--xla_backend_optimization_level=0"); err != nil {
			panic(err)
		}
	}
	testscript.Main(tests{m}, map[string]func(){
		"bierbench": main, "stubborn": stubborn,
		"interrupted": func() { signalled(os.Interrupt) },
		"terminated":  func() { signalled(syscall.SIGTERM) },
		"killed":      func() { signalled(os.Kill) },
	})
}

// tests are those of the package and what they share.
type tests struct{ *testing.M }

func (m tests) Run() int {
	var err error
	if shared.dir, err = os.MkdirTemp("", "bierbench-test-"); err != nil {
		panic(err)
	}
	code := m.M.Run()
	if err = os.RemoveAll(shared.dir); err != nil {
		panic(err)
	}
	return code
}

// shared holds the raw data sets of all tests; nothing writes into them once they
// are there.
var shared struct {
	sync.Mutex
	dir string
}

// rawMini is a folder with the miniature raw data sets, to be read only.
func rawMini(t *testing.T) string {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	// What is there already is kept.
	if err := datasets.WriteMini(t.Context(), shared.dir, datasets.DefaultMini()); err != nil {
		t.Fatal(err)
	}
	return shared.dir
}

// TestScripts runs testdata/script/*.txtar: a story each, its first line says
// which. They share the user's cache, so that plugin and weights are installed
// once, and the miniature raw data sets, which are in the folder $RAW: a story
// that changes them copies them with the command raw.
func TestScripts(t *testing.T) { scripts(t, "script") }

// scripts runs the stories of a folder of testdata.
func scripts(t *testing.T, folder string) {
	t.Helper()
	mini := rawMini(t)
	counts := os.Getenv("GOCOVERDIR")
	if counts == "" && testing.CoverMode() != "" { // without one each command says on stderr that it counts in vain
		counts = t.TempDir()
	}
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", folder),
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			cache, err := cache.Default()
			if err != nil {
				return err
			}
			env.Setenv("BIERBENCH_CACHE", cache.Dir)
			env.Setenv("RAW", mini)
			env.Setenv("GOCOVERDIR", counts)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":    exits,
			"raw":      raw,
			"pack":     pack,
			"truncate": truncate,
			"replace":  replace,
		},
	})
}

// exits CODE COMMAND ARG... runs a command that must end with an exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code command [arg...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err = ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// raw DIR [SET...] copies the miniature raw data sets, or those whose top folders
// are named, into a folder.
func raw(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: raw dir [set...]")
	}
	sets := args[1:]
	if len(sets) == 0 {
		sets = []string{"."}
	}
	for _, set := range sets {
		ts.Check(os.CopyFS(filepath.Join(ts.MkAbs(args[0]), set), os.DirFS(filepath.Join(ts.Getenv("RAW"), set))))
	}
}

// truncate FILE SIZE cuts a file.
func truncate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: truncate file size")
	}
	size, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), size))
}

// replace FILE OLD NEW replaces every OLD in a file; both may have Go's escapes,
// such as \n.
func replace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace file old new")
	}
	var words [2]string
	for i, quoted := range args[1:] {
		word, err := strconv.Unquote(`"` + quoted + `"`)
		ts.Check(err)
		words[i] = word
	}
	name := ts.MkAbs(args[0])
	data, err := os.ReadFile(name)
	ts.Check(err)
	if !strings.Contains(string(data), words[0]) {
		ts.Fatalf("%s has no %q", args[0], words[0])
	}
	ts.Check(os.WriteFile(name, []byte(strings.ReplaceAll(string(data), words[0], words[1])), 0o666))
}

// signalled is the programs interrupted, terminated and killed FILE COMMAND ARG...:
// they run a command, send it a signal as soon as the file is there and not empty,
// and end with the command's exit code, 137 where it was killed.
func signalled(signal os.Signal) {
	cmd := exec.Command(os.Args[2], os.Args[3:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // the state says how it ended
		close(ended)
	}()
	for {
		select {
		case <-ended:
			os.Exit(cmd.ProcessState.ExitCode())
		case <-time.After(5 * time.Millisecond):
			if info, err := os.Stat(os.Args[1]); err == nil && info.Size() > 0 {
				_ = cmd.Process.Signal(signal) // it may have ended, which the code says
				<-ended
				if cmd.ProcessState.ExitCode() < 0 {
					os.Exit(137)
				}
				os.Exit(cmd.ProcessState.ExitCode())
			}
		}
	}
}

// graceInTest is long enough for two signals in a row on a busy machine.
const graceInTest = time.Second

// stubborn is a program that does not end by itself when it is interrupted.
func stubborn() {
	ctx, stop := interruptible(context.Background(), graceInTest)
	defer stop()
	fmt.Fprintln(os.Stdout, "ready")
	<-ctx.Done()
	fmt.Fprintln(os.Stdout, "interrupted")
	time.Sleep(graceInTest / 2)
	fmt.Fprintln(os.Stdout, "alive")
	time.Sleep(time.Minute)
}

// One Ctrl-C may come twice; only one that comes later ends a process that does not
// end by itself.
func TestInterruptTwice(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "stubborn")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	says := func(want string) {
		t.Helper()
		var line string
		if _, scanErr := fmt.Fscanln(out, &line); scanErr != nil || line != want {
			t.Fatalf("%q, %v; want %q", line, scanErr, want)
		}
	}
	interrupt := func() {
		t.Helper()
		if signalErr := cmd.Process.Signal(os.Interrupt); signalErr != nil {
			t.Fatal(signalErr)
		}
	}
	says("ready")
	interrupt()
	says("interrupted")
	interrupt() // the same key again, by way of go tool
	says("alive")
	time.Sleep(graceInTest)
	interrupt()
	err = cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGINT {
		t.Errorf("%v; want an end by the later interrupt", err)
	}
}
