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
	"bierbench/models/xla"
	"bierbench/pipeline"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/suite"
	"bierbench/pipeline/workspace"
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

// shared holds the raw data sets of all tests, and those prepared from them; nothing
// writes into them once they are there.
var shared struct {
	sync.Mutex
	dir string
}

// rawMini is a folder with the miniature raw data sets, to be read only.
func rawMini(t *testing.T) string {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	raw, err := writeMini(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// smallMini is such a folder with sets of 59 to 70 images, 8 classes a split.
func smallMini(t *testing.T) string {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	raw, o := filepath.Join(shared.dir, "small"), datasets.DefaultMini()
	o.Classes, o.Images = 8, 3
	if err := datasets.WriteMini(t.Context(), raw, o); err != nil {
		t.Fatal(err)
	}
	return raw
}

// writeMini writes the miniature raw data sets where they are not there yet, and returns
// their folder. Its caller holds the lock.
func writeMini(ctx context.Context) (string, error) {
	raw := filepath.Join(shared.dir, "raw")
	return raw, datasets.WriteMini(ctx, raw, datasets.DefaultMini())
}

// prepareMini puts miniature data sets, as ingest leaves them, into the workspace in a
// folder. Each is ingested once for all tests and copied.
func prepareMini(ctx context.Context, dir string, sets ...string) error {
	shared.Lock()
	defer shared.Unlock()
	raw, err := writeMini(ctx)
	if err != nil {
		return err
	}
	w := workspace.New(workspace.Workspace{Dir: filepath.Join(shared.dir, "prepared")})
	defer w.Close()
	o := datasets.DefaultIngestOptions()
	o.Raw, o.Custom = raw, datasets.MiniRelease
	for _, set := range sets {
		from := filepath.Join(w.DatasetsDir(), set)
		if _, err := os.Stat(from); err != nil {
			if _, err = pipeline.Ingest(ctx, w, []string{set}, o); err != nil {
				return err
			}
		}
		if err := os.CopyFS(filepath.Join(dir, "datasets", set), os.DirFS(from)); err != nil {
			return err
		}
	}
	return nil
}

// cacheFeatures puts the features of a prepared miniature data set that cells with the
// backbone convnet and an input of 16 pixels read into the workspace in a folder. They
// are computed once for all tests, on GoMLX's own backend, and copied.
func cacheFeatures(ctx context.Context, dir, set string) error {
	shared.Lock()
	defer shared.Unlock()
	w := workspace.New(workspace.Workspace{Dir: filepath.Join(shared.dir, "prepared"), Backend: xla.Go})
	defer w.Close()
	s, err := suite.Parse("s", "s.yaml", fmt.Appendf(nil, "- {datasets: [%s/mini], backbone: convnet, mode: frozen, input: 16, methods: [features]}\n", set))
	if err != nil {
		return err
	}
	p, err := plan.New(ctx, w, s, plan.Options{Run: "s"})
	if err != nil {
		return err
	}
	if err = pipeline.ExtractFeatures(ctx, w, p.Cells[0]); err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(w.FeaturesDir(), "*.arrow"))
	if err != nil {
		return err
	}
	to := filepath.Join(dir, "models", "features")
	if err = os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(to, filepath.Base(file)), data, 0o644)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// TestScripts runs testdata/script/*.txtar: a story each, its first line says
// which. They share the user's cache, so that plugin and weights are installed
// once, and the miniature raw data sets, which are in the folder $RAW, and smaller ones in
// $SMALL: a story that changes them copies them with the command raw. A story that is not of ingest
// begins with the command prepared, and one that is not of features with cached, too:
// then --backend go is quick.
func TestScripts(t *testing.T) { scripts(t, "script") }

// scripts runs the stories of a folder of testdata.
func scripts(t *testing.T, folder string) {
	t.Helper()
	mini, small := rawMini(t), smallMini(t)
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
			env.Setenv("SMALL", small)
			env.Setenv("GOCOVERDIR", counts)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":    exits,
			"cached":   cached,
			"prepared": prepared,
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

// prepared SET... puts miniature data sets, as "bierbench ingest SET --raw $RAW --custom
// mini" leaves them, into the workspace.
func prepared(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: prepared set...")
	}
	ts.Check(prepareMini(context.Background(), ts.MkAbs("."), args...))
}

// cached SET... puts the features that cells of prepared sets with the backbone convnet
// and an input of 16 pixels read into the workspace.
func cached(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: cached set...")
	}
	for _, set := range args {
		ts.Check(cacheFeatures(context.Background(), ts.MkAbs("."), set))
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
