package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// terminalPair opens a pseudo terminal of a size: what is written to the terminal
// can be read from master.
func terminalPair(t *testing.T, columns, rows int) (master, terminal *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	master = os.NewFile(uintptr(fd), "ptmx")
	t.Cleanup(func() { master.Close() })
	if err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	if err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(columns), Row: uint16(rows)}); err != nil {
		t.Fatal(err)
	}
	return master, terminal
}

// miniWorkspace is a folder with one prepared miniature data set and the file
// s.yaml: a suite of three small cells, of which the second fails.
func miniWorkspace(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	err := os.WriteFile(filepath.Join(dir, "s.yaml"), []byte(`
- datasets: [cub/mini]
  backbone: convnet
  mode: frozen
  input: 16
  methods: [{method: bier, learners: 2}, {label: greedy, method: baseline, classes: 400}, {method: abier, learners: 2}]
  sizes: [24]
  hidden: 16
  classes: 6
  images: 3
  steps: 40
`), 0o666)
	if err != nil {
		t.Fatal(err)
	}
	if err = prepareMini(t.Context(), dir, "cub"); err != nil {
		t.Fatal(err)
	}
	return dir
}

// On a real terminal a run shows two bars at most, leaves the lines of its cells,
// its log and its result, and nothing else.
func TestRunOnTerminal(t *testing.T) {
	dir := miniWorkspace(t)
	master, terminal := terminalPair(t, 70, 24)
	screen := newEmulator(t, 70)
	var reading sync.WaitGroup
	most, kinds := 0, map[string]bool{}
	reading.Go(func() {
		buffer := make([]byte, 4096)
		for {
			n, err := master.Read(buffer) // EIO once the terminal is closed
			_, _ = screen.Write(buffer[:n])
			bars := screen.bars()
			most = max(most, len(bars))
			for _, bar := range bars {
				if _, words, ok := strings.Cut(bar, ") "); ok {
					kind, _, _ := strings.Cut(words, ",")
					kinds[kind] = true
				}
			}
			if err != nil {
				return
			}
		}
	})
	code := execute(t.Context(), terminal, terminal, []string{"--backend", "go", "run", filepath.Join(dir, "s.yaml"), "-C", dir})
	if err := terminal.Close(); err != nil {
		t.Fatal(err)
	}
	reading.Wait()
	text := screen.text()
	t.Logf("%s", strings.Join(text, "\n"))
	if code != exitFailed {
		t.Errorf("code %d, want %d: one cell fails", code, exitFailed)
	}
	if most != 2 || !kinds["cells"] || !kinds["train"] || !kinds["features"] {
		t.Errorf("%d bars at a time, of %v; want 2, of cells, features, train and more", most, kinds)
	}
	all := strings.Join(text, "\n")
	if strings.ContainsAny(all, "|█…") || strings.Contains(all, "images/s,") {
		t.Errorf("a bar was left behind:\n%s", all)
	}
	for _, want := range []string{"[1/3] cub.mini-s256-jpeg/convnet-frozen/bier-24/seed-0 cub-loo+mini R@1", "[2/3] failed: ", "[3/3] cub.mini", "run s: 2 of 3 cells done"} {
		if !slices.ContainsFunc(text, func(line string) bool {
			return strings.HasPrefix(line, want) || strings.HasPrefix(want, line) && len(line) == 70
		}) {
			t.Errorf("no line %q in\n%s", want, all)
		}
	}
}
