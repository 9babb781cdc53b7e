//go:build integration

package datasets

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"
)

// readByPyarrow prints, as JSON, what pyarrow finds in the Arrow file it is given.
const readByPyarrow = `
import hashlib, json, sys
import pyarrow as pa
with pa.memory_map(sys.argv[1]) as f:
    r = pa.ipc.open_file(f)
    t = r.read_all()
    t.validate(full=True)
    rows = t.drop(["image"]).to_pylist()
    for row, image in zip(rows, t["image"]):
        row["sha256"] = row["sha256"].hex()
        row["image"] = hashlib.sha256(image.as_py()).hexdigest()
    print(json.dumps({
        "types": {c.name: str(c.type) for c in t.schema},
        "nullable": [c.name for c in t.schema if c.nullable],
        "metadata": {k.decode(): v.decode() for k, v in t.schema.metadata.items()},
        "batches": r.num_record_batches,
        "splits": t["split"].chunk(0).dictionary.to_pylist(),
        "rows": rows,
    }))
`

// TestIntegrationPyarrow reads a part with another implementation of Arrow and compares all of it.
func TestIntegrationPyarrow(t *testing.T) {
	python := os.Getenv("BIERBENCH_PYTHON")
	if python == "" {
		t.Fatal("BIERBENCH_PYTHON names no python with pyarrow: run \"task test:integration\"")
	}
	for _, store := range []string{StoreJPEG, StoreRGB} {
		t.Run(store, func(t *testing.T) {
			s := newRawSet(t)
			s.rows[2].Box = &Box{1, 2, 30, 31}
			o := s.options(t)
			o.Store, o.Pad = store, store == StoreRGB
			m, dir, err := ingestSet(t.Context(), s.set(), o, sizeLimits{batch: 12 << 10, part: 256 << 20, index: 7})
			if err != nil {
				t.Fatal(err)
			}
			d, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			c := exec.CommandContext(t.Context(), python, "-c", readByPyarrow, filepath.Join(dir, "part-0000.arrow"))
			c.Stderr = os.Stderr
			out, err := c.Output()
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				Types    map[string]string
				Nullable []string
				Metadata map[string]string
				Batches  int
				Splits   []string
				Rows     []map[string]any
			}
			if err = json.Unmarshal(out, &got); err != nil {
				t.Fatal(err)
			}
			dictionary := "dictionary<values=string, indices=int32, ordered=0>"
			types := map[string]string{
				"id": "int64", "name": "string", "class": "int32", "class_name": dictionary, "superclass": dictionary, "split": dictionary,
				"list": "uint8", "width": "int32", "height": "int32", "box": "fixed_size_list<item: int32>[4]",
				"sha256": "fixed_size_binary[32]", "image": map[string]string{StoreJPEG: "binary", StoreRGB: "fixed_size_binary[6912]"}[store],
			}
			if !reflect.DeepEqual(got.Types, types) || !reflect.DeepEqual(got.Nullable, []string{"box"}) {
				t.Errorf("types are %v, nullable %v", got.Types, got.Nullable)
			}
			if got.Batches < 2 || !reflect.DeepEqual(got.Splits, []string{"train", "test", "query", "gallery"}) {
				t.Errorf("%d batches, splits %v", got.Batches, got.Splits)
			}
			metadata, err := m.metadata()
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got.Metadata, metadata.ToMap()) || got.Metadata["dataset"] != "cub" {
				t.Errorf("metadata is %v, want %v", got.Metadata, metadata.ToMap())
			}
			if len(got.Rows) != d.Len() {
				t.Fatalf("%d rows, want %d", len(got.Rows), d.Len())
			}
			for i, row := range got.Rows {
				source := d.SHA256(i)
				width, height := d.Size(i)
				var box any
				if b := d.Box(i); b != nil {
					box = []any{float64(b.X0), float64(b.Y0), float64(b.X1), float64(b.Y1)}
				}
				want := map[string]any{
					"id": float64(d.ID(i)), "name": d.Name(i), "class": float64(d.Class(i)), "class_name": d.ClassName(i),
					"superclass": d.Superclass(i), "split": string(d.Split(i)), "list": float64(d.List(i)),
					"width": float64(width), "height": float64(height), "box": box,
					"sha256": hex.EncodeToString(source[:]), "image": fmt.Sprintf("%x", d.rows[i].sum),
				}
				if !reflect.DeepEqual(row, want) {
					t.Errorf("row %d is %v, want %v", i, row, want)
				}
			}
		})
	}
}
