package pipeline

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bierbench/models"
	"bierbench/runs"
)

// writeNPY writes a matrix as numpy does.
func writeNPY(t *testing.T, path string, values []float32, width int) {
	t.Helper()
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }", len(values)/width, width)
	var out bytes.Buffer
	out.WriteString("\x93NUMPY\x01\x00")
	out.Write(binary.LittleEndian.AppendUint16(nil, uint16(len(header))))
	out.WriteString(header)
	for _, v := range values {
		out.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
	}
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// writeTable writes a CSV file.
func writeTable(t *testing.T, path string, rows ...[]string) {
	t.Helper()
	var out bytes.Buffer
	w := csv.NewWriter(&out)
	if err := w.WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// evaluationsOf returns the evaluations of a cell by protocol.
func evaluationsOf(t *testing.T, r *runs.Run, cell string) map[string]runs.Evaluation {
	t.Helper()
	cells, err := r.Cells()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(cells, func(c runs.Cell) bool { return c.Path() == cell })
	if i < 0 {
		t.Fatalf("no cell %s", cell)
	}
	all := map[string]runs.Evaluation{}
	for _, e := range cells[i].Evaluations {
		e.Learners = nil // of ensembles alone
		all[e.Protocol] = e
	}
	return all
}

// TestScoreAsTrained scores the vectors of trained cells as those of another program: in an order of
// their own, by id and by name, all protocols must give the numbers of the trained cell bit for bit,
// VehicleID's six with their draws among them, and diff must find no difference. A table of labels
// gives the same metrics.
func TestScoreAsTrained(t *testing.T) {
	w, r := runMini(t, []string{"cub", "inshop", "vehicleid"}, `
- datasets: [cub/mini, inshop/mini, vehicleid/mini]
  backbone: convnet
  mode: frozen
  input: 16
  methods: [features]
  sizes: [24]
`, 3)
	cells, err := r.Cells()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 4))
	for _, c := range cells {
		e, unread := r.Embeddings(c)
		if unread != nil {
			t.Fatal(unread)
		}
		order := random.Perm(len(e.IDs))
		var values []float32
		ids, names, table := [][]string{{"id"}}, [][]string{{"id"}}, [][]string{{"id", "label", "split"}}
		var config models.Config
		if err = json.Unmarshal(c.Config, &config); err != nil {
			t.Fatal(err)
		}
		data, test, unread := openCellData(w, c, config, e)
		if unread != nil {
			t.Fatal(unread)
		}
		for _, i := range order {
			values = append(values, e.Values[i*e.Width:(i+1)*e.Width]...)
			id := strconv.FormatInt(e.IDs[i], 10)
			ids, names = append(ids, []string{id}), append(names, []string{data.Name(test[i])})
			table = append(table, []string{id, strconv.Itoa(int(e.Classes[i])), e.Splits[i]})
		}
		data.Close()
		vectors := filepath.Join(dir, c.Dataset+".npy")
		writeNPY(t, vectors, values, e.Width)
		writeTable(t, filepath.Join(dir, "ids.csv"), ids...)
		writeTable(t, filepath.Join(dir, "names.csv"), names...)
		writeTable(t, filepath.Join(dir, "labels.csv"), table...)

		o := DefaultScoreOptions()
		o.Run, o.Embeddings, o.Similarity = "theirs", vectors, runs.Dot
		o.Backbone, o.Mode, o.Method = c.Backbone, c.Mode, c.Method
		o.Dataset, o.IDs = c.Dataset+"/mini", filepath.Join(dir, "ids.csv")
		want := evaluationsOf(t, r, c.Path())
		for seed, file := range []string{"ids.csv", "names.csv"} {
			o.Seed, o.IDs = seed, filepath.Join(dir, file)
			result, failed := Score(t.Context(), w, o)
			if failed != nil {
				t.Fatal(failed)
			}
			theirs, failed := w.Runs().Open("theirs")
			if failed != nil {
				t.Fatal(failed)
			}
			got := evaluationsOf(t, theirs, result.Cells[0].Cell)
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("%s by %s: trained and scored differ (-trained +scored):\n%s", c.Path(), file, d)
			}
		}
		o.Dataset, o.IDs, o.Labels, o.Seed, o.Recalls = "", "", filepath.Join(dir, "labels.csv"), 0, []int{1, 2, 4}
		o.Similarity, o.Name = runs.Dot, c.Dataset
		if c.Dataset == "vehicleid" {
			continue // a table has no lists
		}
		result, failed := Score(t.Context(), w, o)
		if failed != nil {
			t.Fatal(failed)
		}
		for _, e := range want {
			for _, metric := range []string{"R@1", "MAP@R", "R-precision"} {
				if got := result.Cells[0].Evaluations[0].Metrics[metric]; got != e.Metrics[metric] {
					t.Errorf("%s: %s by a table is %g, by the data set %g", c.Dataset, metric, got, e.Metrics[metric])
				}
			}
		}
	}
	theirs, err := w.Runs().Open("theirs")
	if err != nil {
		t.Fatal(err)
	}
	diff, err := runs.CompareRuns(t.Context(), r, theirs, runs.DefaultCompareOptions())
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, row := range diff.Rows {
		if row.Reason == "" {
			compared++
			if row.Delta != 0 {
				t.Errorf("%s %s %s: delta %g, want 0", row.B.Path(), row.Protocol, row.Metric, row.Delta)
			}
		}
	}
	if compared != 16 { // eight protocols with two metrics
		t.Errorf("%d rows compared, want 16", compared)
	}
	before := map[string]map[string]runs.Evaluation{}
	all, err := theirs.Cells()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		before[c.Path()] = evaluationsOf(t, theirs, c.Path())
	}
	if n, failed := Evaluate(t.Context(), w, "theirs"); failed != nil || n != len(all) {
		t.Fatalf("evaluate: %d cells, %v; want %d", n, failed, len(all))
	}
	for path, want := range before {
		if d := cmp.Diff(want, evaluationsOf(t, theirs, path)); d != "" {
			t.Errorf("%s evaluated again:\n%s", path, d)
		}
	}
	scored, err := Rescore(t.Context(), w, "theirs", RescoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range scored.Rows {
		if want := before[row.Path()][row.Protocol]; row.Dialect == "bierbench" && row.Metrics["R@1"] != want.Metrics["R@1"] {
			t.Errorf("%s %s: rescored %g, want %g", row.Path(), row.Protocol, row.Metrics["R@1"], want.Metrics["R@1"])
		}
	}
}

// scoreTable is a small set that every rule can be tried on: four images of two classes on a plane.
func scoreTable() (values []float32, rows [][]string) {
	return []float32{1, 0, 2, 0.5, 0, 1, 0.25, 1}, [][]string{{"id", "label"}, {"1", "a"}, {"2", "a"}, {"3", "b"}, {"4", "b"}}
}

// TestScoreRules has a case for each rule about what is odd in vectors and labels.
func TestScoreRules(t *testing.T) {
	w := testWorkspace(t, t.TempDir(), nil)
	type given struct {
		values []float32
		rows   [][]string
		o      ScoreOptions
	}
	cases := []struct {
		name   string
		change func(g *given)
		fails  string                             // a part of the error
		check  func(t *testing.T, r *ScoreResult) // of what is scored
	}{
		{name: "as it is", check: func(t *testing.T, r *ScoreResult) {
			t.Helper()
			if e := r.Cells[0].Evaluations[0]; e.Protocol != "labels-loo+l" || e.Metrics["R@1"] != 1 || e.Queries != 4 {
				t.Errorf("%+v", e)
			}
		}},
		{name: "NaN", change: func(g *given) { g.values[5] = float32(math.NaN()) }, fails: "row 2: number 1 is NaN"},
		{name: "infinity", change: func(g *given) { g.values[0] = float32(math.Inf(-1)) }, fails: "row 0: number 0 is -Inf"},
		{name: "a zero vector has no cosine", change: func(g *given) { g.values[4], g.values[5] = 0, 0 }, fails: "row 2 (image 3): a vector of zeros has no direction"},
		{name: "a zero vector has products", change: func(g *given) { g.values[4], g.values[5], g.o.Similarity = 0, 0, runs.Dot }},
		{name: "a zero vector has distances", change: func(g *given) { g.values[4], g.values[5], g.o.Similarity = 0, 0, runs.Euclidean }},
		{name: "an id twice", change: func(g *given) { g.rows[4][0] = "2" }, fails: "row 3: id 2 is already in row 1"},
		{name: "a text as id twice", change: func(g *given) { g.rows[1][0], g.rows[3][0] = "x", "x" }, fails: `row 2: id "x" is already in row 0`},
		{name: "a label without partner", change: func(g *given) { g.rows[4][1] = "c" }, check: func(t *testing.T, r *ScoreResult) {
			t.Helper()
			if e := r.Cells[0].Evaluations[0]; e.Queries != 2 || e.Excluded != 2 || e.Gallery != 4 {
				t.Errorf("%+v", e)
			}
		}},
		{
			name:   "no label has a partner",
			change: func(g *given) { g.rows[2][1], g.rows[3][1], g.rows[4][1] = "b", "c", "d" },
			fails:  "none of 4 queries has another image of its class in the gallery",
		},
		{name: "two lengths", change: func(g *given) { g.rows = g.rows[:4] }, fails: "e.npy has 4 vectors, "},
		{name: "an empty file", change: func(g *given) { g.values = nil }, fails: "no rows"},
		{name: "an empty label", change: func(g *given) { g.rows[1][1], g.rows[2][1] = "", "" }, fails: "row 0: the label is empty"},
		{name: "labels beyond 2^31", change: func(g *given) {
			for i := range 4 {
				g.rows[1+i][1] = strconv.FormatInt(1<<40+int64(i/2), 10)
			}
		}, check: func(t *testing.T, r *ScoreResult) {
			t.Helper()
			if e := r.Cells[0].Evaluations[0]; e.Metrics["R@1"] != 1 {
				t.Errorf("%+v", e)
			}
		}},
		{name: "no column of labels", change: func(g *given) { g.rows[0][1] = "class" }, fails: `no column "label"; there is id, class`},
		{name: "a column of another name", change: func(g *given) { g.rows[0][1], g.o.Columns.Label = "class", "class" }},
		{name: "a named column that is not there", change: func(g *given) { g.o.Columns.Group = "burst" }, fails: `no column "burst"`},
		{name: "an unknown split", change: func(g *given) {
			g.rows = [][]string{{"label", "split"}, {"a", "test"}, {"a", "val"}, {"b", "test"}, {"b", "test"}}
		}, fails: `row 1: split "val", want query, gallery, test or train`},
		{name: "rows for training", change: func(g *given) {
			g.rows = [][]string{{"label", "split"}, {"a", "test"}, {"a", "test"}, {"b", "train"}, {"b", "train"}}
		}, check: func(t *testing.T, r *ScoreResult) {
			t.Helper()
			if e := r.Cells[0].Evaluations[0]; r.Cells[0].LeftOut != 2 || e.Gallery != 2 {
				t.Errorf("%+v", r.Cells[0])
			}
		}},
		{name: "nothing but rows for training", change: func(g *given) {
			g.rows = [][]string{{"label", "split"}, {"a", "train"}, {"a", "train"}, {"b", "train"}, {"b", "train"}}
		}, fails: "all 4 rows are for training"},
		{name: "queries and gallery", change: func(g *given) {
			g.rows = [][]string{{"label", "split"}, {"a", "query"}, {"a", "gallery"}, {"b", "gallery"}, {"b", "query"}}
		}, check: func(t *testing.T, r *ScoreResult) {
			t.Helper()
			if e := r.Cells[0].Evaluations[0]; e.Protocol != "labels-qg+l" || e.Queries != 2 || e.Gallery != 2 || e.Metrics["R@1"] != 1 {
				t.Errorf("%+v", e)
			}
		}},
		{name: "flags as OML writes them", change: func(g *given) {
			g.rows = [][]string{
				{"label", "split", "is_query", "is_gallery"},
				{"a", "validation", "True", "True"},
				{"a", "validation", "False", "True"},
				{"b", "train", "", ""},
				{"b", "train", "", ""},
			}
		}, check: func(t *testing.T, r *ScoreResult) {
			t.Helper()
			e := r.Cells[0].Evaluations[0]
			if e.Protocol != "labels-qg+l" || e.Queries != 1 || e.Gallery != 2 || e.Metrics["R@1"] != 1 || r.Cells[0].LeftOut != 2 {
				t.Errorf("%+v", r.Cells[0])
			}
		}},
		{name: "a group that hides the nearest", change: func(g *given) {
			// Without groups 1 finds 2. With them only 3 and 4 are left, of the other class.
			g.rows = [][]string{{"label", "group"}, {"a", "x"}, {"a", "x"}, {"b", "y"}, {"b", "z"}}
		}, check: func(t *testing.T, r *ScoreResult) {
			t.Helper()
			if e := r.Cells[0].Evaluations[0]; e.Queries != 2 || e.Excluded != 2 {
				t.Errorf("%+v", e)
			}
		}},
		{name: "empty groups are none", change: func(g *given) {
			g.rows = [][]string{{"label", "group"}, {"a", ""}, {"a", ""}, {"b", "y"}, {"b", "y"}}
		}, check: func(t *testing.T, r *ScoreResult) {
			t.Helper()
			if e := r.Cells[0].Evaluations[0]; e.Queries != 2 || e.Excluded != 2 || e.Metrics["R@1"] != 1 { // 3 and 4 hide each other
				t.Errorf("%+v", e)
			}
		}},
		{name: "several seeds in one table", change: func(g *given) {
			g.rows = [][]string{{"id", "label", "seed"}, {"1", "a", "3"}, {"2", "a", "3"}, {"1", "a", "7"}, {"2", "a", "7"}}
		}, check: func(t *testing.T, r *ScoreResult) {
			t.Helper()
			if len(r.Cells) != 2 || !strings.HasSuffix(r.Cells[1].Cell, "seed-7") {
				t.Errorf("%+v", r.Cells)
			}
		}},
		{name: "a similarity that there is not", change: func(g *given) { g.o.Similarity = "manhattan" }, fails: `similarity "manhattan"`},
		{name: "a name that is no folder", change: func(g *given) { g.o.Method = "a/b" }, fails: "has the character '/'"},
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			g := given{o: DefaultScoreOptions()}
			g.values, g.rows = scoreTable()
			g.o.Run, g.o.Embeddings, g.o.Labels, g.o.Name = fmt.Sprintf("r%d", i), filepath.Join(dir, "e.npy"), filepath.Join(dir, "l.csv"), "l"
			if c.change != nil {
				c.change(&g)
			}
			writeNPY(t, g.o.Embeddings, g.values, 2)
			writeTable(t, g.o.Labels, g.rows...)
			result, err := Score(t.Context(), w, g.o)
			switch {
			case c.fails == "" && err != nil:
				t.Fatal(err)
			case c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)):
				t.Fatalf("%v, want an error with %q", err, c.fails)
			case c.check != nil && err == nil:
				c.check(t, result)
			}
		})
	}
}

// TestScoreOrder: cells do not depend on the order of rows, so that files of two programs compare.
func TestScoreOrder(t *testing.T) {
	w := testWorkspace(t, t.TempDir(), nil)
	values, rows := scoreTable()
	turned := []float32{values[6], values[7], values[0], values[1], values[4], values[5], values[2], values[3]}
	var hashes []string
	for i, x := range []struct {
		values []float32
		rows   [][]string
	}{{values, rows}, {turned, [][]string{rows[0], rows[4], rows[1], rows[3], rows[2]}}} {
		dir := t.TempDir()
		o := DefaultScoreOptions()
		o.Run, o.Embeddings, o.Labels, o.Seed = "order", filepath.Join(dir, "e.npy"), filepath.Join(dir, "l.csv"), i
		writeNPY(t, o.Embeddings, x.values, 2)
		writeTable(t, o.Labels, x.rows...)
		if _, err := Score(t.Context(), w, o); err != nil {
			t.Fatal(err)
		}
	}
	r, err := w.Runs().Open("order")
	if err != nil {
		t.Fatal(err)
	}
	cells, err := r.Cells()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cells {
		hashes = append(hashes, c.DataHash+c.Files["embeddings.arrow"]+c.Files["labels.arrow"])
	}
	if len(hashes) != 2 || hashes[0] != hashes[1] {
		t.Errorf("two orders of the same rows: %q", hashes)
	}
}

// A name that leads out of the run's folder is refused before anything is read or removed.
func TestScoreNames(t *testing.T) {
	for name, want := range map[string]string{
		"../../victim":           "begins with a dot",
		"my net":                 "has the character ' '",
		strings.Repeat("x", 300): "want at most 200",
	} {
		o := DefaultScoreOptions()
		o.Run, o.Embeddings, o.Labels, o.Method = "r", "e.npy", "l.csv", name
		if err := o.Check(); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "--method gives another") {
			t.Errorf("%.20s: got %v, want %s", name, err, want)
		}
	}
}

// A cell that is replaced stays until the new one is whole, also where the command was killed between.
func TestReplacedCell(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "seed-0")
	put := func(text string) {
		t.Helper()
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "cell.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	holds := func(want string) {
		t.Helper()
		got, err := os.ReadFile(filepath.Join(dir, "cell.json"))
		if err != nil || string(got) != want {
			t.Errorf("the cell is %q, %v; want %q", got, err, want)
		}
	}
	call := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	call(setAside(dir)) // nothing is there
	call(putBack(dir, false))
	put("old")
	call(setAside(dir))
	call(os.MkdirAll(dir, 0o755)) // the new one fails
	call(putBack(dir, false))
	holds("old")
	call(setAside(dir))
	call(os.MkdirAll(dir, 0o755)) // killed
	call(setAside(dir))           // by the next command, which fails too
	call(putBack(dir, false))
	holds("old")
	call(setAside(dir))
	put("new")
	call(putBack(dir, true))
	holds("new")
	if _, err := os.Lstat(asideOf(dir)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old cell is still there: %v", err)
	}
}
