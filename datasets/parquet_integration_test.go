//go:build integration

package datasets

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// python runs a program with an argument and reads what it prints as JSON into out.
func python(t *testing.T, program, argument string, out any) {
	t.Helper()
	name := os.Getenv("BIERBENCH_PYTHON")
	if name == "" {
		t.Fatal("BIERBENCH_PYTHON names no python with datasets, duckdb and polars: run \"task test:integration\"")
	}
	c := exec.CommandContext(t.Context(), name, "-c", program, argument)
	c.Stderr = os.Stderr
	c.Env = append(os.Environ(), "HF_HOME="+t.TempDir(), "HF_HUB_OFFLINE=1", "HF_DATASETS_OFFLINE=1")
	printed, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err = json.Unmarshal(printed, out); err != nil {
		t.Fatalf("%v in %s", err, printed)
	}
}

// openHub prints what Hugging Face's datasets finds in a folder: images are decoded by it.
const openHub = `
import datasets, hashlib, json, sys
datasets.disable_progress_bars()
found = {}
for split, rows in datasets.load_dataset(sys.argv[1]).items():
    names = rows.features["label"].names
    raw = rows.cast_column("image", datasets.Image(decode=False))
    found[split] = [{
        "class": names[r["label"]], "id": r["id"], "name": r["image"]["path"], "size": list(whole["image"].size),
        "image": hashlib.sha256(r["image"]["bytes"]).hexdigest(),
    } for r, whole in zip(raw, rows)]
print(json.dumps(found))
`

// hubRow is a row as openHub prints it.
type hubRow struct {
	Class, Name, Image string
	ID                 int64
	Size               [2]int
}

// TestIntegrationHubOpensExport opens an export with Hugging Face's datasets and compares all of it.
func TestIntegrationHubOpensExport(t *testing.T) {
	for _, names := range [][]string{
		{"train/a/1.jpg", "train/b/1.jpg", "test/c/1.jpg", "test/d/1.jpg"},
		{"train/a/1.jpg", "query/b/1.jpg", "gallery/b/2.jpg"},
	} {
		_, dir, err := Ingest(t.Context(), folder(), ownOptions(t, writeTree(t, tree(names...)), ""))
		if err != nil {
			t.Fatal(err)
		}
		d, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		out := filepath.Join(t.TempDir(), "out")
		if _, err = WriteParquet(t.Context(), d, out, nil); err != nil {
			t.Fatal(err)
		}
		want, got := map[string][]hubRow{}, map[string][]hubRow{}
		for i := range d.Len() {
			width, height := d.Size(i)
			split := string(d.Split(i))
			want[split] = append(want[split], hubRow{
				d.ClassName(i), d.Name(i), hex.EncodeToString(d.rows[i].sum[:]), d.ID(i), [2]int{width, height},
			})
		}
		python(t, openHub, out, &got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

// writeHub writes Parquet files with Hugging Face's datasets and prints the digests of the images.
const writeHub = `
import datasets, hashlib, io, json, os, sys
from PIL import Image
datasets.disable_progress_bars()
features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog", "eel", "fox"])})
digests = {}
for split, labels in {"train": [1, 0, 1], "test": [3, 2, 3, 2]}.items():
    images = []
    for k, label in enumerate(labels):
        out = io.BytesIO()
        Image.new("RGB", (40 + k, 40), (60 * label, 20 * k, 90)).save(out, "PNG" if k == 1 else "JPEG")
        images.append({"bytes": out.getvalue(), "path": f"{split}{k}.jpg"})
        digests[f"{split}{k}.jpg"] = [features["label"].names[label], split, hashlib.sha256(out.getvalue()).hexdigest()]
    rows = datasets.Dataset.from_dict({"image": images, "label": labels}, features=features)
    rows.to_parquet(os.path.join(sys.argv[1], f"{split}-00000-of-00001.parquet"))
print(json.dumps(digests))
`

// TestIntegrationHubFiles ingests what Hugging Face's datasets wrote.
func TestIntegrationHubFiles(t *testing.T) {
	raw := t.TempDir()
	var want map[string][3]string
	python(t, writeHub, raw, &want)
	_, dir, err := Ingest(t.Context(), parquetFiles(), ownOptions(t, raw, ""))
	if err != nil {
		t.Fatal(err)
	}
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	got := map[string][3]string{}
	for i := range d.Len() {
		source := d.SHA256(i)
		got[d.Name(i)] = [3]string{d.ClassName(i), string(d.Split(i)), hex.EncodeToString(source[:])}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// queryArrow asks DuckDB and polars for images and classes by split, in the parts of a data set: as
// datasets/README.md shows it.
const queryArrow = `
import glob, json, sys
import duckdb, polars as pl, pyarrow as pa
parts = sorted(glob.glob(sys.argv[1] + "/part-*.arrow"))
lazy = pl.scan_ipc(parts).group_by("split").agg(pl.len(), pl.col("class").n_unique()).collect()
images = pa.concat_tables(pa.ipc.open_file(p).read_all() for p in parts)
asked = duckdb.sql("select split, count(*), count(distinct class) from images group by split").fetchall()
print(json.dumps({
    "polars": {str(s): [n, c] for s, n, c in lazy.iter_rows()}, "duckdb": {s: [n, c] for s, n, c in asked},
}))
`

// TestIntegrationQueries lets DuckDB and polars count the images and classes of a data set in two parts.
func TestIntegrationQueries(t *testing.T) {
	s := newRawSet(t)
	m, dir, err := ingestSet(t.Context(), s.set(), s.options(t), sizeLimits{batch: 4 << 10, part: partReserve + 12<<10, index: 7})
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Parts) < 2 {
		t.Errorf("%d parts, want 2 or more", len(m.Parts))
	}
	var got map[string]map[string][2]int
	python(t, queryArrow, dir, &got)
	want := map[string][2]int{}
	for split, n := range m.Counts {
		want[split] = [2]int{n, m.Classes[split]}
	}
	if diff := cmp.Diff(map[string]map[string][2]int{"polars": want, "duckdb": want}, got); diff != "" {
		t.Error(diff)
	}
}
