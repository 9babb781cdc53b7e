//go:build integration

package models

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/google/go-cmp/cmp"

	"bierbench/models/internal/sealed"
)

// readBySafetensors prints, as JSON, what the format's reference
// implementation finds in a checkpoint, the SHA-256 of the file with zeros in
// the seal's place, and the model's digest by its description.
const readBySafetensors = `
import hashlib, json, re, sys
from safetensors import safe_open
with safe_open(sys.argv[1], "np") as f:
    metadata = f.metadata()
    values = {k: f.get_tensor(k) for k in f.keys()}
data = open(sys.argv[1], "rb").read()
mark, sealed = metadata["bierbench.seal"].rsplit(" ", 1)
assert data.count(sealed.encode()) == 1
digest = hashlib.sha256()
for name in sorted(values):
    if not name.startswith("adam/"):
        assert values[name].dtype == "float32"
        digest.update(("%s (Float32)[%s]\n" % (name, " ".join(map(str, values[name].shape)))).encode())
        digest.update(values[name].tobytes())
print(json.dumps({
    "mark": mark,
    "sealed": sealed,
    "sha256": hashlib.sha256(data.replace(sealed.encode(), b"0" * 64)).hexdigest(),
    "digest": digest.hexdigest(),
    "step": metadata["step"],
    "config": json.loads(metadata["config"]),
    "sampler": json.loads(metadata["sampler"]),
    "random": json.loads(metadata["random"]),
    "values": {k: v.astype(float).ravel().tolist() for k, v in values.items()},
}))
`

// TestIntegrationSafetensorsOfCheckpoint reads a sealed checkpoint with the format's
// reference implementation and compares all of it.
func TestIntegrationSafetensorsOfCheckpoint(t *testing.T) {
	python := os.Getenv("BIERBENCH_PYTHON")
	if python == "" {
		t.Fatal("BIERBENCH_PYTHON names no python with safetensors: run \"task test:integration\"")
	}
	c := tinyConfig()
	dir := t.TempDir()
	interrupt(t, c, tinyData(), dir, 7)
	path := filepath.Join(dir, "step-00000007.safetensors")
	cmd := exec.CommandContext(t.Context(), python, "-c", readBySafetensors, path)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Mark, Sealed, SHA256, Digest, Step string

		Config  Config
		Sampler samplerPosition
		Random  map[string]streamPoint
		Values  map[string][]float64
	}
	if err = json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	if got.Mark+" " != sealed.Mark || got.Sealed != got.SHA256 {
		t.Errorf("seal %q %s, hashlib has %s", got.Mark, got.Sealed, got.SHA256)
	}
	if d := cmp.Diff(asWritten(c), got.Config); d != "" || got.Step != "7" || got.Sampler.First != 6 || got.Random["images"].Step != 7 {
		t.Errorf("step %s, sampler %s, streams %v, config (-want +got):\n%s", got.Step, got.Sampler, got.Random, d)
	}
	m := newTestModel(t, c)
	if _, err = m.Load(dir); err != nil {
		t.Fatal(err)
	}
	if want, err := m.Digest(); err != nil || got.Digest != want {
		t.Errorf("digest by numpy %s, want %s (%v)", got.Digest, want, err)
	}
	want := map[string][]float64{}
	for v := range m.store.IterVariables() {
		value, err := v.Value()
		if err != nil {
			t.Fatal(err)
		}
		tensors.MustConstFlatData(value, func(flat []float32) {
			numbers := make([]float64, len(flat))
			for i, x := range flat {
				numbers[i] = float64(x)
			}
			want[checkpointName(v)] = numbers
		})
	}
	if d := cmp.Diff(want, got.Values); d != "" {
		t.Errorf("tensors (-want +got):\n%s", d)
	}
}
