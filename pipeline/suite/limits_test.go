package suite

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// hostileTime is how long a suite that is refused may take to read: none of those below needs a
// hundredth of it on a machine that is idle.
const hostileTime = 20 * time.Second

// Texts that took minutes, gigabytes or the whole stack are refused in words.
func TestHostileYAML(t *testing.T) {
	const n = 80_000
	lists := ""
	for i := range 30 {
		lists += fmt.Sprintf("a%d: &a%d [*a%d, *a%d]\n  ", i+1, i+1, i, i)
	}
	for _, tt := range []struct{ name, text, want string }{
		{"brackets", strings.Repeat("[", n), "s.yaml:1: more than 64 brackets in each other"},
		{"braces", "- " + strings.Repeat("{a: ", n/4), "s.yaml:1: more than 64 brackets in each other"},
		{"brackets that end nothing", strings.Repeat("]", n), "s.yaml:1: ] without a bracket"},
		{"lists in lists", strings.Repeat("- ", n), "s.yaml:1: more than 1000 columns before a list"},
		{"lists in lists in brackets", "[" + strings.Repeat("- ", n), "s.yaml:1: a list in brackets"},
		{"keys of keys", strings.Repeat("a: ", n/2), "s.yaml:1: a second colon"},
		{"keys of keys in brackets", "[" + strings.Repeat("a: ", n/2), "s.yaml:1: a second colon"},
		{"keys of keys in brackets, line by line", "[" + strings.Repeat("a:\n ", n/3), "s.yaml:2: a second colon"},
		{"complex keys", strings.Repeat("? ", n), "s.yaml:1: ?: want key: value"},
		{"a bomb of aliases", "- a0: &a0 [x, x]\n  " + lists, "s.yaml:1: &: anchors, aliases and tags"},
		{"tags", strings.Repeat("!!x ", n), "s.yaml:1: !!x: anchors, aliases and tags"},
		{"a merge", "- <<: {a: b}\n", "s.yaml:1: <<: anchors, aliases and tags"},
		{"a list without end", "- datasets: [" + strings.Repeat("a,", 200_000), "s.yaml: 200003 signs and lines; want a suite of at most 100000"},
		{"cells whose number wraps around", product(1<<13, 1<<13), "s.yaml:1: 1 data sets x 1 methods x 8192 sizes x 8192 seeds; want at most 100000 cells"},
		{"cells of many blocks", strings.Repeat(product(200, 250), 3), "more than 100000 cells up to this block"},
		{"methods", strings.Replace(oneBlock, "[baseline, ", "["+strings.Repeat("baseline, ", 1000), 1), "s.yaml:4: 1001 methods; want at most 1000"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			began := time.Now()
			_, err := Parse("s", "s.yaml", []byte(tt.text))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %.200v, want %q", err, tt.want)
			}
			if err != nil && len(err.Error()) > 1000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			if took := time.Since(began); took > hostileTime {
				t.Errorf("took %v", took)
			}
		})
	}
	if err := new(Suite).Set("sizes=" + strings.Repeat("[", n)); err == nil || !strings.Contains(err.Error(), "more than 64 brackets") {
		t.Errorf("--set: %.200v", err)
	}
}

// product is a block of one method with numbers of sizes and seeds.
func product(sizes, seeds int) string {
	list := func(n int) string {
		items := make([]string, n)
		for i := range items {
			items[i] = fmt.Sprint(i + 1)
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	return "- datasets: [cub]\n  backbone: lite0\n  mode: frozen\n  methods: [baseline]\n  sizes: " + list(sizes) + "\n  seeds: " + list(seeds) + "\n"
}

// What is not a suite file is refused before it is opened or read, as the suite and as an include.
func TestHostileFiles(t *testing.T) {
	dir := t.TempDir()
	fifo, sparse, long := filepath.Join(dir, "fifo"), filepath.Join(dir, "sparse"), filepath.Join(dir, "long")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, size := range map[string]int64{sparse: 40 << 30, long: mostBytes + 1} {
		if err := os.WriteFile(path, []byte(oneBlock), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct{ file, want string }{
		{fifo, "is not a file"},
		{dir, "is not a file"},
		{"/dev/zero", "is not a file"},
		{os.DevNull, "is not a file"},
		{sparse, "has 42949672960 bytes; want a suite of at most 262144"},
		{long, "has 262145 bytes; want a suite of at most 262144"},
	} {
		outer := filepath.Join(t.TempDir(), "outer.yaml")
		if err := os.WriteFile(outer, []byte("\n- include: "+tt.file+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for file, prefix := range map[string]string{tt.file: "suite " + tt.file + ": ", outer: outer + ":2: include " + tt.file + ": "} {
			_, err := Load(file)
			if err == nil || !strings.HasPrefix(err.Error(), prefix) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: got %v, want %s... %s", file, err, prefix, tt.want)
			}
		}
	}
}

// Includes of includes end. (TestIncludeErrors has files that each include the next one twice.)
func TestHostileIncludes(t *testing.T) {
	files := map[string]string{"c40.yaml": oneBlock}
	for i := range 40 {
		files[fmt.Sprintf("c%d.yaml", i)] = fmt.Sprintf("- include: c%d.yaml\n", i+1)
	}
	dir := writeFiles(t, files)
	_, err := Load(filepath.Join(dir, "c0.yaml"))
	if err == nil || !strings.Contains(err.Error(), "c32.yaml:1: include c33.yaml: more than 32 files that include each other") {
		t.Errorf("got %v", err)
	}
	if _, err = Load(filepath.Join(dir, "c8.yaml")); err != nil {
		t.Errorf("a chain of 32: %v", err)
	}
}

// The largest suite that is read, of a sign in every two bytes, takes less than 100 MiB.
func TestHostileMemory(t *testing.T) {
	text := "- datasets: [" + strings.Repeat("a,", mostSigns-20) + "a]\n"
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	if _, err := Parse("s", "s.yaml", []byte(text)); err == nil {
		t.Error("accepted")
	}
	runtime.ReadMemStats(&after)
	if grown := after.Sys - before.Sys; grown > 100<<20 {
		t.Errorf("took %d MiB", grown>>20)
	}
}

// A suite of an editor that begins files with a byte order mark is the same suite.
func TestByteOrderMark(t *testing.T) {
	const text = "- datasets: [cub]\n  backbone: lite0\n  mode: frozen\n  methods: [features]\n"
	want, err := Parse("s", "s.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse("s", "s.yaml", []byte("\ufeff"+text))
	if err != nil || len(got.Blocks) != len(want.Blocks) || got.Blocks[0].Methods[0].Label != want.Blocks[0].Methods[0].Label {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
}
