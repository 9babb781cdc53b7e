package cache

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestInstallProcess is the other process of the tests below.
func TestInstallProcess(t *testing.T) {
	settings := os.Getenv("BIERBENCH_TEST_INSTALL")
	if settings == "" {
		t.Skip("runs only as a process of other tests")
	}
	var s struct {
		Dir   string
		Wheel wheel
	}
	if err := json.Unmarshal([]byte(settings), &s); err != nil {
		t.Fatal(err)
	}
	if err := install(t, Cache{Dir: s.Dir}, s.Wheel); err != nil {
		t.Fatal(err)
	}
}

func startInstall(t *testing.T, dir string, w wheel) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	settings, err := json.Marshal(struct {
		Dir   string
		Wheel wheel
	}{dir, w})
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), program, "-test.run", "^TestInstallProcess$")
	command.Env = append(os.Environ(), "BIERBENCH_TEST_INSTALL="+string(settings))
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	return command, &output
}

func TestInstallTwoProcesses(t *testing.T) {
	w, path := makeWheel(t, t.TempDir())
	calls := fakePip(t, "pip", "sleep 0.3; cp "+path+" $to/")
	dir := t.TempDir()
	var commands []*exec.Cmd
	var outputs []*bytes.Buffer
	for range 3 {
		command, output := startInstall(t, dir, w)
		commands, outputs = append(commands, command), append(outputs, output)
	}
	for i, command := range commands {
		if err := command.Wait(); err != nil {
			t.Errorf("process %d: %v\n%s", i, err, outputs[i])
		}
	}
	if got := lines(t, calls); got != 1 {
		t.Errorf("pip downloaded %d times, want once", got)
	}
	if _, ok := (Cache{Dir: dir}).installedFile(w, "pjrt"); !ok {
		t.Error("nothing is installed")
	}
}

func TestInstallKilled(t *testing.T) {
	w, path := makeWheel(t, t.TempDir())
	// Half a wheel is there when the process is killed.
	calls := fakePip(t, "pip", "head -c 100 "+path+" >$to/tiny-1.0-py3-none-any.whl; echo half >>$0.half; exec sleep 60")
	dir := t.TempDir()
	command, _ := startInstall(t, dir, w)
	half := filepath.Join(filepath.Dir(calls), "pip.half")
	for deadline := time.Now().Add(20 * time.Second); lines(t, half) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the other process did not start to download")
		}
	}
	if err := syscall.Kill(-command.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait()
	c := Cache{Dir: dir}
	if file, ok := c.installedFile(w, "pjrt"); ok {
		t.Fatalf("%s passes for whole", file)
	}
	// Its lock has gone with it; the next one cleans up and installs.
	fakePip(t, "pip", "cp "+path+" $to/")
	if err := install(t, c, w); err != nil {
		t.Fatal(err)
	}
	if got := names(t, filepath.Join(dir, "pjrt")); len(got) != 1 {
		t.Errorf("left %v", got)
	}
	// A file that was cut afterwards is noticed by its size and replaced.
	file, _ := c.installedFile(w, "pjrt")
	if err := os.Truncate(file, 3); err != nil {
		t.Fatal(err)
	}
	if _, ok := c.installedFile(w, "pjrt"); ok {
		t.Fatal("a cut file passes for whole")
	}
	if err := install(t, c, w); err != nil {
		t.Fatal(err)
	}
	if err := verifyFile(file, w.Digest); err != nil {
		t.Error(err)
	}
}

// Ctrl-C while another process installs, and while pip downloads.
func TestInstallCancelled(t *testing.T) {
	w, _ := makeWheel(t, t.TempDir())
	for _, held := range []bool{true, false} {
		t.Run(fmt.Sprintf("lock held %v", held), func(t *testing.T) {
			fakePip(t, "pip", "exec sleep 60")
			c := Cache{Dir: t.TempDir()}
			if held {
				if err := os.Mkdir(filepath.Join(c.Dir, "pjrt"), 0o700); err != nil {
					t.Fatal(err)
				}
				unlock, err := lockFile(t.Context(), filepath.Join(c.Dir, "pjrt", ".lock"), quiet())
				if err != nil {
					t.Fatal(err)
				}
				defer unlock()
			}
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			started := time.Now()
			err := c.install(ctx, w, "pjrt", "the tiny library", quiet())
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want the context's error", err)
			}
			if took := time.Since(started); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
			if got := names(t, filepath.Join(c.Dir, "pjrt")); len(got) != 0 {
				t.Errorf("left %v", got)
			}
		})
	}
}
