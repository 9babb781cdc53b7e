package export

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

// began is the time at which every cell of the sample began.
func began() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// exportedCells returns invented cells of four methods at seeds 1 and 3, each with its steps:
// features is not trained, the last abier failed, and the last bier has hostile names.
func exportedCells() (cells []runs.Cell, steps map[runs.Key][]runs.TrainStep) {
	steps = map[runs.Key][]runs.TrainStep{}
	for _, m := range []struct {
		name     string
		learners []int
	}{{"features", nil}, {"baseline", []int{64}}, {"bier", []int{12, 20, 32}}, {"abier", []int{12, 20, 32}}} {
		for _, seed := range []int{1, 3} {
			k := runs.Key{Group: runs.Group{
				Dataset: "cub", Variant: "mini+box-s64-jpeg", Backbone: "convnet", Mode: "frozen", Method: m.name, Size: 64,
			}, Seed: seed}
			if m.name == "abier" && seed == 3 {
				cells = append(cells, runs.Cell{Schema: runs.Schema, Key: k, Status: runs.Failed, Error: "no\x1b[2J\nmemory", Started: began()})
				continue
			}
			c := inventedCell(k, m.learners)
			if m.name == "bier" && seed == 3 {
				c.Evaluations[0].Protocol = evilName
				c.Evaluations[0].Metrics[".."] = 0.25
				c.Timing[evilName], c.Throughput[".."] = 1, 2
				c.Config = json.RawMessage(`{"../../gone":"` + strings.Repeat("x", 300) + `","..":[1,2],"a@b":true,"a_at_b":null}`)
				c.Environment.Command = []string{"bierbench", "run\nx", "<script>alert(1)</script>"}
			}
			cells = append(cells, c)
			if m.learners != nil {
				steps[k] = inventedSteps(m.learners, m.name == "abier")
			}
		}
	}
	return cells, steps
}

// inventedCell returns a done cell of an ensemble of learners of these sizes, or of none.
func inventedCell(k runs.Key, learners []int) runs.Cell {
	list := strings.ReplaceAll(fmt.Sprint(learners), " ", ",")
	c := runs.Cell{
		Schema: runs.Schema, Key: k, Status: runs.Done, Started: began(),
		Config:     json.RawMessage(fmt.Sprintf(`{"size":64,"learners":%s,"boosting":"eta","steps":400,"alpha":2,"seed":%d}`, list, k.Seed)),
		ConfigHash: "0011" + k.Method, DataHash: "2233",
		Correlation: &runs.Correlation{Dimensions: 0.1234},
		Timing:      map[string]float64{"features": 2.125, "train": 12.5, "evaluate": 0.375, "total": 15.25},
		Throughput:  map[string]float64{"train images/s": 1900, "embed images/s": 21000},
		Environment: runs.Environment{
			Go: "go1.26.8", Backend: "xla:cpu", Device: "cpu:0", CPU: "Invented CPU, 2 cores", Commit: "0123456789ab+dirty",
		},
		Memory: int64(300+k.Seed) << 20,
	}
	e := runs.Evaluation{
		Protocol: "cub-loo+box+mini", At: runs.AtLast, Queries: 1234, Gallery: 1234,
		Metrics: map[string]float64{"R@1": 0.5 + float64(k.Seed)/100, "R@2": 0.625, "MAP@R": 0.1875},
	}
	for i, size := range learners {
		e.Learners = append(e.Learners, runs.Learner{Size: size, R1: 0.25, Cumulative: 0.375 + float64(i)/16})
	}
	if len(learners) > 1 {
		correlation := 0.0625
		c.Correlation.Learners = &correlation
	}
	c.Evaluations = []runs.Evaluation{e}
	return c
}

// inventedSteps returns 400 steps of a training whose losses fall.
func inventedSteps(learners []int, diverse bool) []runs.TrainStep {
	var steps []runs.TrainStep
	for i := 1; i <= 400; i++ {
		s := runs.TrainStep{Step: i, Rate: 3e-4, Seconds: float64(i) * 0.03}
		for m := range learners {
			s.Learners = append(s.Learners, 0.4+math.Exp(-float64(i)/(80+30*float64(m))))
			s.Weights = append(s.Weights, 1/float64(m+1))
			s.Loss += s.Learners[m] / float64(len(learners))
		}
		if diverse {
			s.Diversity = 0.5 / float64(i+1)
		}
		s.Total = s.Loss + 0.1
		steps = append(steps, s)
	}
	return steps
}

// exportedRun writes the cells of exportedCells into a store.
func exportedRun(t *testing.T) *runs.Run {
	t.Helper()
	cells, steps := exportedCells()
	record := runs.Record{
		Schema: runs.Schema, ID: "sample", Suite: "invented", Created: began().Add(-time.Hour),
		Command: []string{"bierbench", "run", "invented"}, Config: json.RawMessage(`[{"datasets":["cub"]}]`),
	}
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
		if steps[c.Key] == nil {
			continue
		}
		log, err := runs.OpenSteps(r.StepsPath(c.Key), 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range steps[c.Key] {
			if err := log.Append(s); err != nil {
				t.Fatal(err)
			}
		}
		if err := log.Close(); err != nil {
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

// The bytes are those that tensorboard 2.21.0 writes for the same events with its own messages and
// RecordWriter.
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
			"scalar", eventOf(at, 300, eventSummary, appendMessage(nil, 1, scalarValue(scalar{tag: "train/loss", value: 0.25}))),
			"2100000000000000017becf609000010900a69da4110ac022a130a110a0a747261696e2f6c6f7373150000803e10799c01",
		},
	} {
		if got := hex.EncodeToString(appendRecord(nil, tt.event)); got != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

// readScalars reads an event file by the published format alone: tag -> values by step, as "step
// value".
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

// Every cell with a record has one event file with every number of its record and steps; a second
// export gives the same bytes.
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

// Each cell is an MLflow run below the experiment, hostile names stay inside, and a second export
// gives the same files, also after a kill in the middle.
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
	key := r.Record.Cells[slices.IndexFunc(r.Record.Cells, func(k runs.Key) bool { return k.Method == "bier" && k.Seed == 1 })]
	bier := experiment + "/" + runID("sample", key) + "/"
	c, _, err := r.Cell(key)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := runs.ReadSteps(r.StepsPath(c.Key))
	if err != nil {
		t.Fatal(err)
	}
	var loss strings.Builder
	for _, s := range steps {
		fmt.Fprintf(&loss, "%d %v %d\n", began().UnixMilli()+int64(math.Round(s.Seconds*1000)), s.Loss, s.Step)
	}
	end := began().UnixMilli() + int64(math.Round(c.Timing["total"]*1000))
	for name, want := range map[string]string{
		"metrics/train/loss":              loss.String(),
		"params/learners":                 "[12,20,32]",
		"params/boosting":                 "eta",
		"params/alpha":                    "2",
		"params/seed":                     "1",
		"tags/mlflow.source.git.commit":   "0123456789ab",
		"tags/environment.commit":         "0123456789ab+dirty",
		"tags/bierbench.cell":             c.Path(),
		"metrics/cub-loo_box_mini/R_at_1": fmt.Sprintf("%d %v 400\n", end, c.Evaluations[0].Metrics["R@1"]),
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
	n := newNameMap()
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
		got := n.allowed(tt.name)
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
	if got := n.allowed(strings.Repeat("long", 100)); len(got) > 250 {
		t.Errorf("a name of %d bytes, MLflow allows 250", len(got))
	}
}

// The tags of the exports keep a peeked model's numbers apart from honest ones.
func TestChosenScalars(t *testing.T) {
	want := map[string][]string{
		"baseline": {"cub-loo+box+mini/R@1"},
		"chosen":   {"cub-loo+box+mini selected/R@1", "selection/step", "selection/validation/MAP@R"},
		"looked":   {"cub-loo+box+mini peek/R@1", "selection/test_looks", "selection/peek/MAP@R"},
	}
	var cells []runs.Cell
	for _, method := range []string{"baseline", "chosen", "looked"} {
		c := inventedCell(runs.Key{Group: runs.Group{Dataset: "cub", Method: method, Size: 64}, Seed: 1}, []int{64})
		switch method {
		case "chosen":
			c.Selection = &runs.Selection{Rule: runs.ByValidation, Metric: "MAP@R", Step: 100}
		case "looked":
			c.Selection = &runs.Selection{Rule: runs.ByPeek, Metric: "MAP@R", Step: 300, TestLooks: 11, Optimistic: true}
		}
		if c.Selection != nil {
			c.Selection.Looks = []runs.Look{{Step: c.Selection.Step, Metrics: map[string]float64{"R@1": 0.5, "MAP@R": 0.25}, Seconds: 0.5}}
			c.Evaluations[0].At = c.Selection.At()
		}
		cells = append(cells, c)
	}
	steps := inventedSteps([]int{64}, false)[:4]
	for _, c := range cells {
		tags := map[string]scalar{}
		for _, x := range append(selectionScalars(c, steps), finalScalars(c, steps)...) {
			tags[x.tag] = x
		}
		for _, tag := range want[c.Method] {
			if _, ok := tags[tag]; !ok {
				t.Errorf("%s: no %s in %v", c.Path(), tag, tags)
			}
		}
		if plain := "cub-loo+box+mini/R@1"; c.Method != "baseline" && tags[plain].tag == plain {
			t.Errorf("%s: %s is among the last models' numbers", c.Path(), plain)
		}
		settings, err := settingsOf(c)
		if err != nil {
			t.Fatal(err)
		}
		words := ""
		for _, o := range settings {
			if o.name == chosenOption {
				words = o.text()
			}
		}
		if words != runs.SelectionLabel(c.Selection) {
			t.Errorf("%s: options call the model %q", c.Path(), words)
		}
		if tag := cellTags("sample", c)["bierbench.evaluated_model"]; tag != words {
			t.Errorf("%s: MLflow's tag is %q, want %q", c.Path(), tag, words)
		}
	}
	if v := selectionScalars(cells[len(cells)-1], nil); len(v) != 2 || v[0].step != 300 {
		t.Errorf("looks %v; want two metrics at step 300", v)
	}
}
