package reports

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protowire"

	"bierbench/runs"
)

// evilName is what a hostile record could hold as a name, to leave the folder.
const evilName = "../../../gone/\x00R@1\nx"

// exportedRun writes the invented cells of one data set into a store, as far as their
// names are allowed there, and one cell whose record was changed by hand.
func exportedRun(t *testing.T) *runs.Run {
	t.Helper()
	s := sample()
	var cells []runs.Cell
	for _, c := range s.cells {
		if c.Dataset != "cub" || c.Method == evilMethod || c.Seed == 2 {
			continue
		}
		if c.Method == "bier" && c.Seed == 3 {
			c.Evaluations[0].Protocol = evilName
			c.Evaluations[0].Metrics[".."] = 0.25
			c.Timing[evilName], c.Throughput[".."] = 1, 2
			c.Config = json.RawMessage(`{"../../gone":"` + strings.Repeat("x", 300) + `","..":[1,2],"a@b":true,"a_at_b":null}`)
			c.Environment.Command = []string{"bierbench", "run\nx", evilMethod}
		}
		cells = append(cells, c)
	}
	record := s.record
	record.Cells = nil
	for _, c := range cells {
		record.Cells = append(record.Cells, c.Key)
	}
	r, err := runs.Store{Dir: t.TempDir()}.Create(record.ID, record)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cells {
		if err := r.WriteCell(c); err != nil {
			t.Fatal(err)
		}
		var lines []byte
		for i, step := range s.steps[c.Key] {
			if c.Method == "abier" {
				step.Diversity = 0.5 / float64(i+1)
			}
			line, err := json.Marshal(step)
			if err != nil {
				t.Fatal(err)
			}
			lines = append(append(lines, line...), '\n')
		}
		if lines == nil {
			continue
		}
		if err := os.WriteFile(r.StepsPath(c.Key), lines, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

// files maps every file below a folder to its content.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		found[filepath.ToSlash(name)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// The bytes are those that tensorboard 2.21.0 writes for the same events with its own
// messages and RecordWriter.
func TestEventBytes(t *testing.T) {
	at := time.UnixMilli(1772366400250)
	for _, tt := range []struct {
		name  string
		event []byte
		want  string
	}{
		{
			"version", eventOf(at, 0, eventVersion, []byte("brain.Event:2")),
			"1800000000000000a37f4b2209000010900a69da411a0d627261696e2e4576656e743a32e92a2896",
		},
		{
			"scalar", eventOf(at, 300, eventSummary, message(nil, 1, scalarValue(scalar{tag: "train/loss", value: 0.25}))),
			"2100000000000000017becf609000010900a69da4110ac022a130a110a0a747261696e2f6c6f7373150000803e10799c01",
		},
	} {
		if got := hex.EncodeToString(frame(nil, tt.event)); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

// readScalars reads an event file by the published format alone: tag -> values by
// step, as "step value".
func readScalars(t *testing.T, file []byte) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	unmask := func(sum uint32) uint32 { rotated := sum - 0xa282ead8; return rotated>>17 | rotated<<15 }
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	for len(file) > 0 {
		size := binary.LittleEndian.Uint64(file)
		data := file[12 : 12+size]
		if unmask(binary.LittleEndian.Uint32(file[8:])) != crc32.Checksum(file[:8], castagnoli) ||
			unmask(binary.LittleEndian.Uint32(file[12+size:])) != crc32.Checksum(data, castagnoli) {
			t.Fatal("a checksum is wrong")
		}
		file = file[12+size+4:]
		event := fields(t, data)
		step := uint64(0)
		if event[2] != nil {
			step, _ = protowire.ConsumeVarint(event[2][0])
		}
		for _, summary := range event[5] {
			for _, value := range fields(t, summary)[1] {
				f := fields(t, value)
				if f[2] == nil {
					continue // of another plugin
				}
				bits, _ := protowire.ConsumeFixed32(f[2][0])
				tag := string(f[1][0])
				found[tag] = append(found[tag], fmt.Sprint(step, " ", math.Float32frombits(bits)))
			}
		}
	}
	return found
}

// fields splits a message: of bytes their content, of numbers their encoding.
func fields(t *testing.T, b []byte) map[protowire.Number][][]byte {
	t.Helper()
	found := map[protowire.Number][][]byte{}
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		b = b[n:]
		if n = protowire.ConsumeFieldValue(number, kind, b); n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		value := b[:n]
		if kind == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(value)
		}
		found[number] = append(found[number], value)
		b = b[n:]
	}
	return found
}

// Every cell with a record has one event file with every number of its record and
// steps; a second export gives the same bytes.
func TestTensorBoard(t *testing.T) {
	r := exportedRun(t)
	dir := t.TempDir()
	paths, err := TensorBoard(t.Context(), r, dir)
	if err != nil {
		t.Fatal(err)
	}
	first := files(t, dir)
	cells, err := r.Cells()
	if err != nil || len(cells) != 8 || len(paths) != 8 || len(first) != 8 {
		t.Fatalf("%d cells, %v, paths %v, %d files", len(cells), err, paths, len(first))
	}
	for _, c := range cells {
		steps, failed := runs.ReadSteps(r.StepsPath(c.Key))
		if failed != nil {
			t.Fatal(failed)
		}
		got := readScalars(t, []byte(first["sample/"+c.Path()+"/events.out.tfevents.bierbench"]))
		want := func(tag string, values ...string) {
			t.Helper()
			if diff := cmp.Diff(values, got[tag]); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", c.Path(), tag, diff)
			}
		}
		point := func(step int, value float64) string { return fmt.Sprint(step, " ", float32(value)) }
		var loss, second []string
		for _, s := range steps {
			loss = append(loss, point(s.Step, s.Loss))
			if len(s.Learners) > 1 {
				second = append(second, point(s.Step, s.Learners[1]))
			}
		}
		want("train/loss", loss...)
		want("train/learner_2/loss", second...)
		if (got["train/diversity"] != nil) != (c.Method == "abier" && steps != nil) {
			t.Errorf("%s: diversity %v", c.Path(), got["train/diversity"])
		}
		for _, e := range c.Evaluations {
			want(strings.ReplaceAll(e.Protocol, "/", "_")+"/R@1", point(len(steps), e.Metrics["R@1"]))
		}
	}
	if _, err = TensorBoard(t.Context(), r, dir); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, files(t, dir)); diff != "" {
		t.Errorf("a second export differs:\n%s", diff)
	}
}

// Each cell is an MLflow run below the experiment, hostile names stay inside, and a
// second export gives the same files, also after a kill in the middle.
func TestMLflow(t *testing.T) {
	r := exportedRun(t)
	outer := t.TempDir()
	dir := filepath.Join(outer, "a", "b", "c", "d")
	place, err := MLflow(t.Context(), r, dir)
	if err != nil {
		t.Fatal(err)
	}
	first := files(t, outer)
	experiment, err := filepath.Rel(outer, place)
	if err != nil {
		t.Fatal(err)
	}
	perRun := map[string]int{}
	for name := range first {
		rest, inside := strings.CutPrefix(name, experiment+"/")
		if !inside {
			t.Errorf("%s was written outside of %s", name, place)
		}
		id, _, _ := strings.Cut(rest, "/")
		perRun[id]++
	}
	if len(perRun) != 8+2 { // and meta.yaml, tags of the experiment
		t.Errorf("runs %v, want 8", perRun)
	}
	bier := experiment + "/" + runID("sample", r.Record.Cells[slices.IndexFunc(r.Record.Cells, func(k runs.Key) bool { return k.Method == "bier" && k.Seed == 1 })]) + "/"
	c, _, err := r.Cell(r.Record.Cells[slices.IndexFunc(r.Record.Cells, func(k runs.Key) bool { return k.Method == "bier" && k.Seed == 1 })])
	if err != nil {
		t.Fatal(err)
	}
	steps, err := runs.ReadSteps(r.StepsPath(c.Key))
	if err != nil {
		t.Fatal(err)
	}
	var loss strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&loss, "%d %v %d\n", noon().UnixMilli()+int64(math.Round(s.Seconds*1000)), s.Loss, s.Step)
	}
	for name, want := range map[string]string{
		"metrics/train/loss":              loss.String(),
		"params/learners":                 "[12,20,32]",
		"params/boosting":                 "eta",
		"params/alpha":                    "2",
		"params/seed":                     "1",
		"tags/mlflow.source.git.commit":   "0123456789ab",
		"tags/environment.commit":         "0123456789ab+dirty",
		"tags/bierbench.cell":             c.Path(),
		"metrics/cub-loo_box_mini/R_at_1": fmt.Sprintf("%d %v 400\n", noon().UnixMilli()+int64(math.Round(c.Timing["total"]*1000)), c.Evaluations[0].Metrics["R@1"]),
	} {
		if diff := cmp.Diff(want, first[bier+name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}

	// What a kill left behind does not stay, and does not get mixed in.
	left := filepath.Join(dir, ".bierbench-"+filepath.Base(experiment), "half", "params")
	if err = os.MkdirAll(left, 0o755); err != nil {
		t.Fatal(err)
	}
	if err = os.RemoveAll(filepath.Join(outer, bier)); err != nil {
		t.Fatal(err)
	}
	if _, err = MLflow(t.Context(), r, dir); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, files(t, outer)); diff != "" {
		t.Errorf("a second export differs:\n%s", diff)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%v, %v; want the experiment alone", entries, err)
	}
}

// An interrupt leaves no part of an export.
func TestExportInterrupted(t *testing.T) {
	r := exportedRun(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if _, err := TensorBoard(ctx, r, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("TensorBoard: %v", err)
	}
	if _, err := MLflow(ctx, r, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("MLflow: %v", err)
	}
	for name := range files(t, dir) {
		if strings.Contains(name, "bierbench-") || strings.Contains(name, "events.out") || strings.Contains(name, "metrics/") {
			t.Errorf("%s was left", name)
		}
	}
}

// Names become such that MLflow allows, and stay different from each other.
func TestNames(t *testing.T) {
	n := newNames()
	taken := map[string]string{}
	for _, tt := range []struct{ name, want string }{
		{"R@1", "R_at_1"},
		{"cub-loo+box+mini/R@1", "cub-loo_box_mini/R_at_1"},
		{"R_at_1", "R_at_1-345f4650"}, // taken by R@1; printf R_at_1 | sha256sum
		{"R@1", "R_at_1"},             // the same name again
		{"..", "__"},
		{"/etc/passwd", "_/etc/passwd"},
		{"a/../../b", "a/__/__/b"},
		{".", "_-cdb4ee2a"},
		{"", "_-e3b0c442"},
		{"train images", "train images"},
		{"train images/x/y", "train images_x_y"}, // no folder: there is a file of that name
		{"/etc", "_/etc-2824684d"},               // there is a folder of that name
		{"ü\x00\n\\:*", "______"},
	} {
		got := n.of(tt.name)
		if got != tt.want {
			t.Errorf("%q is %q, want %q", tt.name, got, tt.want)
		}
		if other, ok := taken[got]; ok && other != tt.name {
			t.Errorf("%q and %q are both %q", tt.name, other, got)
		}
		taken[got] = tt.name
		if !filepath.IsLocal(got) {
			t.Errorf("%q is %q, which leaves its folder", tt.name, got)
		}
	}
	if got := n.of(strings.Repeat("long", 100)); len(got) > 250 {
		t.Errorf("a name of %d bytes, MLflow allows 250", len(got))
	}
}
