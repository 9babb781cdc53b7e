//go:build integration

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"bierbench/pipeline/submit"
)

// slurmConfig is a cluster of this machine alone. The arguments are the host's
// short name, the cluster's folder, the ports of the two daemons, CPUs and MB.
const slurmConfig = `ClusterName=test
SlurmctldHost=%[1]s(127.0.0.1)
SlurmctldPort=%[3]d
SlurmdPort=%[4]d
AuthType=auth/munge
AuthInfo=socket=%[2]s/munge.socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation=%[2]s/state
SlurmdSpoolDir=%[2]s/spool
SlurmctldPidFile=%[2]s/slurmctld.pid
SlurmdPidFile=%[2]s/slurmd.pid
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=1000
KillWait=10
MaxArraySize=3
ReturnToService=2
MailProg=/bin/true
NodeName=%[1]s NodeAddr=127.0.0.1 CPUs=%[5]d RealMemory=%[6]d State=UNKNOWN
PartitionName=main Nodes=%[1]s Default=YES MaxTime=INFINITE State=UP
`

// startSlurm starts a Slurm of this test's own and makes it the one that Slurm's
// programs talk to. It does so wherever there is one: only a machine on which
// .ci/slurm cannot install Slurm, which "task test:integration" has tried before
// and says on its own, is left out.
func startSlurm(t *testing.T) {
	t.Helper()
	if os.Getenv("BIERBENCH_SLURM") == "" && (os.Geteuid() != 0 || daemonPath("slurmctld") == "") {
		t.Skip("no Slurm can be started here: it takes root and Slurm's packages, see .ci/slurm")
	}
	dir := t.TempDir()
	t.Cleanup(func() {
		if t.Failed() {
			for _, name := range []string{"munged", "slurmctld", "slurmd"} {
				log, _ := os.ReadFile(filepath.Join(dir, name+".out")) // empty for one that did not start
				t.Logf("%s:\n%s", name, log)
			}
		}
	})
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	host, _, _ = strings.Cut(host, ".")
	var ports [2]int
	for i := range ports {
		l, listenErr := net.Listen("tcp", "127.0.0.1:0")
		if listenErr != nil {
			t.Fatal(listenErr)
		}
		defer l.Close()
		ports[i] = l.Addr().(*net.TCPAddr).Port
		l.Close()
	}
	key := make([]byte, 128)
	if _, err = rand.Read(key); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "slurm.conf")
	for name, content := range map[string][]byte{
		"munge.key":  key,
		"slurm.conf": fmt.Appendf(nil, slurmConfig, host, dir, ports[0], ports[1], min(2, runtime.NumCPU()), 4000),
	} {
		if err = os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, sub := range []string{"state", "spool"} {
		if err = os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("SLURM_CONF", config)
	socket := filepath.Join(dir, "munge.socket")
	daemon(t, dir, "munged", "--foreground", "--force", "--socket="+socket, "--key-file="+filepath.Join(dir, "munge.key"),
		"--pid-file="+filepath.Join(dir, "munge.pid"), "--log-file="+filepath.Join(dir, "munge.log"), "--seed-file="+filepath.Join(dir, "munge.seed"))
	eventually(t, "munged listens", func() bool { _, err := os.Stat(socket); return err == nil })
	daemon(t, dir, "slurmctld", "-D", "-f", config)
	daemon(t, dir, "slurmd", "-D", "-f", config)
	eventually(t, "the node is idle", func() bool {
		out, err := exec.CommandContext(t.Context(), "sinfo", "--noheader", "--format=%T").Output()
		return err == nil && strings.TrimSpace(string(out)) == "idle"
	})
	t.Cleanup(func() { // before the daemons stop
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if out, err := exec.CommandContext(ctx, "scancel", "--user=root", "--signal=KILL", "--full").CombinedOutput(); err != nil {
			t.Logf("scancel: %v\n%s", err, out)
		}
	})
}

// daemonPath finds a daemon, also outside of PATH; empty where there is none.
func daemonPath(name string) string {
	for _, dir := range []string{"", "/usr/sbin", "/usr/local/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	return ""
}

// daemon runs a program until the test ends.
func daemon(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	path := daemonPath(name)
	if path == "" {
		t.Fatalf("there should be a Slurm here, but there is no %s", name)
	}
	out, err := os.Create(filepath.Join(dir, name+".out"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = out, out
	if err = cmd.Start(); err != nil {
		t.Fatalf("there should be a Slurm here: %v", err)
	}
	t.Cleanup(func() {
		defer out.Close()
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Errorf("%s ended before the test: %v", name, err)
		}
		ended := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() }) // one that hangs
		_ = cmd.Wait()                                                             // by a signal
		ended.Stop()
	})
}

// eventually waits for what Slurm or a task does in its own time.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	const patience = 2 * time.Minute
	for began := time.Now(); !is(); time.Sleep(100 * time.Millisecond) {
		if time.Since(began) > patience {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// slurmRun is a workspace with a suite whose cells Slurm does.
type slurmRun struct {
	t   *testing.T
	dir string
}

// command runs bierbench in the workspace; it must end with a code.
func (r slurmRun) command(want int, args ...string) string {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), "bierbench", append(args, "-C", r.dir)...)
	var stderr bytes.Buffer
	cmd.Dir, cmd.Stderr = r.dir, &stderr
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok || ok && exit.ExitCode() != want || err == nil && want != 0 {
		r.t.Fatalf("bierbench %s: %v, want exit code %d\n%s%s", strings.Join(args, " "), err, want, out, stderr.String())
	}
	return string(out)
}

func (r slurmRun) submit() submit.Result {
	r.t.Helper()
	var last struct{ Result submit.Result } // the only event
	text := r.command(0, "submit", "tiny.yaml", "--engine", "slurm", "--checkpoint", "200ms", "--sbatch", "--comment=it's $HOME", "--json")
	if err := json.Unmarshal([]byte(text), &last); err != nil {
		r.t.Fatal(err)
	}
	return last.Result
}

func (r slurmRun) status() submit.RunStatus {
	r.t.Helper()
	var out submit.RunStatus
	if err := json.Unmarshal([]byte(r.command(0, "status", "tiny", "--json")), &out); err != nil {
		r.t.Fatal(err)
	}
	for _, note := range out.Notes {
		r.t.Errorf("note: %s", note) // the controller remembers for five minutes
	}
	return out
}

// cell returns the status of the cell whose path ends so.
func (r slurmRun) cell(s submit.RunStatus, end string) submit.CellStatus {
	r.t.Helper()
	i := slices.IndexFunc(s.Cells, func(c submit.CellStatus) bool { return strings.HasSuffix(c.Cell, end) })
	if i < 0 || s.Cells[i].Task == nil {
		r.t.Fatalf("no cell %s with a task in %+v", end, s)
	}
	return s.Cells[i]
}

// ended reports whether Slurm is done with every task.
func ended(s submit.RunStatus) bool {
	return !slices.ContainsFunc(s.Cells, func(c submit.CellStatus) bool { return c.Task != nil && c.Task.Active })
}

// kill ends the process of a cell's task as the kernel does when memory is short.
// Slurm itself never does without a warning: scancel --signal=KILL sends SIGTERM,
// too.
func (r slurmRun) kill(c submit.CellStatus) {
	r.t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		r.t.Fatal(err)
	}
	for _, file := range lines {
		line, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(line, []byte(r.dir+"/runs/")) || !bytes.Contains(line, []byte("--only\x00"+c.Cell+"\x00")) {
			continue // another process, or one that has ended
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err == nil {
			err = syscall.Kill(pid, syscall.SIGKILL)
		}
		if err != nil {
			r.t.Fatal(err)
		}
		return
	}
	r.t.Fatalf("no process does %s", c.Cell)
}

// TestIntegrationSlurm submits a suite to a real Slurm. One task is killed and one is told
// to end in the middle of training; submitting again sends those two alone, and
// they continue to the bits of a run that nobody disturbed.
func TestIntegrationSlurm(t *testing.T) {
	startSlurm(t)
	r := slurmRun{t, t.TempDir()}
	suite := `
- datasets: [cub/mini]
  backbone: convnet
  mode: finetune
  input: 32
  methods: [baseline]
  sizes: [24]
  seeds: [0, 1, 2]
  steps: 250
- datasets: [cub/mini]
  backbone: convnet
  mode: frozen
  input: 32
  methods: [baseline, bier]
  sizes: [24]
  steps: 20
`
	if err := os.WriteFile(filepath.Join(r.dir, "tiny.yaml"), []byte(suite), 0o644); err != nil {
		t.Fatal(err)
	}
	r.command(0, "mini", "raw")
	r.command(0, "ingest", "cub", "--raw", "raw", "--custom", "mini")

	// MaxArraySize 3 makes two arrays of the three trained cells.
	sent := r.submit()
	if sent.Sent != 5 || sent.Features != 1 || len(sent.Arrays) != 4 {
		t.Fatalf("%+v; want 5 cells in 3 arrays and a task of features", sent)
	}
	if again := r.submit(); again.Submission != "" || again.Active != 5 {
		t.Errorf("submitted again: %+v; want 5 cells with Slurm already", again)
	}

	// A submit that was killed before it noted the jobs: Slurm knows their scripts.
	record := filepath.Join(sent.Dir, "submission.json")
	whole, err := os.ReadFile(record)
	if err != nil {
		t.Fatal(err)
	}
	jobs := regexp.MustCompile(`"job": "\d+",`)
	if found := jobs.FindAll(whole, -1); len(found) != 4 {
		t.Fatalf("%q in %s; want 4 jobs", found, record)
	}
	if err = os.WriteFile(record, jobs.ReplaceAll(whole, nil), 0o644); err != nil {
		t.Fatal(err)
	}
	if again := r.submit(); again.Submission != "" || again.Active != 5 {
		t.Errorf("submitted again without the jobs: %+v; want 5 cells with Slurm already", again)
	}
	if err = os.WriteFile(record, whole, 0o644); err != nil {
		t.Fatal(err)
	}

	killed, told := "baseline-24/seed-0", "baseline-24/seed-1"
	for _, cell := range []string{killed, told} {
		end := filepath.Join("convnet-finetune", cell)
		trains := filepath.Join(r.dir, "runs", "tiny", "cub.mini-s256-jpeg", end)
		eventually(t, end+" has a checkpoint", func() bool {
			found, err := filepath.Glob(filepath.Join(trains, "checkpoint", "*.safetensors"))
			return err == nil && len(found) > 0
		})
		c := r.cell(r.status(), end)
		if c.State != "running" || c.Task.State != "RUNNING" {
			t.Errorf("%+v of %+v while it trains; want running and RUNNING", c.Task, c)
		}
		if cell == killed {
			r.kill(c)
		} else if out, err := exec.CommandContext(t.Context(), "scancel", c.Task.ID).CombinedOutput(); err != nil { // SIGTERM, as at a time limit
			t.Fatalf("scancel %s: %v\n%s", c.Task.ID, err, out)
		}
		eventually(t, "Slurm notes the end of "+end, func() bool { return !r.cell(r.status(), end).Task.Active })
		c = r.cell(r.status(), end)
		want := "FAILED"
		if cell == told {
			want = "CANCELLED"
		}
		if c.State != "interrupted" || c.Task.State != want {
			t.Errorf("%+v of %+v; want interrupted and %s", c.Task, c, want)
		}
		log, logErr := os.ReadFile(c.Task.Log)
		if saved := strings.Contains(string(log), "interrupted: what was finished is kept"); logErr != nil || saved != (cell == told) {
			t.Errorf("log of %s: %v\n%s", end, logErr, log)
		}
	}
	eventually(t, "the other tasks end", func() bool { return ended(r.status()) })
	s := r.status()
	if s.Counts["done"] != 3 || s.Counts["interrupted"] != 2 {
		t.Errorf("%+v; want 3 cells done and 2 interrupted", s)
	}
	for _, c := range s.Cells {
		if c.State == "done" && c.Task.State != "COMPLETED" {
			t.Errorf("%s is done, Slurm says %s", c.Cell, c.Task.State)
		}
	}

	sent = r.submit()
	if sent.Sent != 2 || sent.Done != 3 || sent.Features != 0 {
		t.Fatalf("submitted again: %+v; want the 2 cells that are not done", sent)
	}
	eventually(t, "the continued tasks end", func() bool { return ended(r.status()) })
	if s = r.status(); s.Counts["done"] != 5 {
		t.Fatalf("%+v; want 5 cells done", s)
	}
	r.command(0, "run", "tiny.yaml", "--run", "whole")
	for _, c := range s.Cells {
		got, err := os.ReadFile(filepath.Join(r.dir, "runs", "tiny", c.Cell, "embeddings.arrow"))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join(r.dir, "runs", "whole", c.Cell, "embeddings.arrow"))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: the embeddings differ from those of an undisturbed run", c.Cell)
		}
	}
	if sent = r.submit(); sent.Submission != "" || sent.Done != 5 {
		t.Errorf("submitted a third time: %+v; want nothing", sent)
	}
}
