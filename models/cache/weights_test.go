package cache

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAddWeights(t *testing.T) {
	c := Cache{Dir: filepath.Join(t.TempDir(), "cache")}
	accept := func(string) error { return nil }
	write := func(content string) string {
		path := filepath.Join(t.TempDir(), "mine.safetensors")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}

	// Before: the error names the command.
	_, err := c.Weights(t.Context(), "googlenet", quiet())
	checkSentence(t, err, "the file of pretrained weights googlenet", `run "bierbench setup --weights googlenet=FILE"`)

	// A file that its backbone cannot read leaves nothing behind.
	_, err = c.AddWeights(t.Context(), "googlenet", write("bad"), func(string) error { return errors.New("no conv1/7x7_s2") })
	if err == nil || !strings.Contains(err.Error(), "mine.safetensors does not fit: no conv1/7x7_s2") {
		t.Errorf("unfit file: %v", err)
	}
	if got := names(t, filepath.Join(c.Dir, "weights")); len(got) != 0 {
		t.Errorf("left %v", got)
	}

	first, err := c.AddWeights(t.Context(), "googlenet", write("one"), accept)
	if err != nil {
		t.Fatal(err)
	}
	if got, findErr := c.FindWeights("googlenet"); findErr != nil || got != first {
		t.Errorf("found %v, %v, want %v", got, findErr, first)
	}
	if first.SHA256 != hexSHA256([]byte("one")) || first.Verify() != nil {
		t.Errorf("recorded %v", first)
	}

	// The same bytes from another place: nothing is written.
	before, err := os.Stat(c.recordPath("googlenet"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := c.AddWeights(t.Context(), "googlenet", write("one"), func(string) error { t.Error("checked again"); return nil })
	if err != nil || again != first {
		t.Errorf("added again: %v, %v", again, err)
	}
	after, err := os.Stat(c.recordPath("googlenet"))
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("the record was written again (%v)", err)
	}

	// Another file takes its place.
	second, err := c.AddWeights(t.Context(), "googlenet", write("two"), accept)
	if err != nil {
		t.Fatal(err)
	}
	if got := names(t, filepath.Join(c.Dir, "weights")); len(got) != 2 || second.Path == first.Path {
		t.Errorf("weights holds %v", got)
	}

	// Damage is noticed: by size at every use, by content when asked.
	if err = os.WriteFile(second.Path, []byte("owt"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err = second.Verify(); err == nil || !strings.Contains(err.Error(), "SHA-256") {
		t.Errorf("changed file: %v", err)
	}
	if err = os.Truncate(second.Path, 1); err != nil {
		t.Fatal(err)
	}
	if _, err = c.FindWeights("googlenet"); err == nil || !strings.Contains(err.Error(), "has 1 bytes, want 3") {
		t.Errorf("cut file: %v", err)
	}
	// And adding the file again repairs it.
	if _, err = c.AddWeights(t.Context(), "googlenet", write("two"), accept); err != nil {
		t.Fatal(err)
	}
	if _, err = c.FindWeights("googlenet"); err != nil {
		t.Error(err)
	}
	if err = os.WriteFile(c.recordPath("googlenet"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = c.FindWeights("googlenet"); err == nil || !strings.Contains(err.Error(), "not a record") {
		t.Errorf("broken record: %v", err)
	}
}

func TestAddWeightsRefuses(t *testing.T) {
	c := Cache{Dir: t.TempDir()}
	if _, err := c.AddWeights(t.Context(), "resnet", "x", nil); err == nil || !strings.Contains(err.Error(), `"googlenet" "lite0"`) {
		t.Errorf("unknown name: %v", err)
	}
	if _, err := c.AddWeights(t.Context(), "googlenet", filepath.Join(t.TempDir(), "absent"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
	if _, err := c.AddWeights(t.Context(), "googlenet", t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "not a file") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := c.AddWeights(t.Context(), "googlenet", os.DevNull, nil); err == nil || !strings.Contains(err.Error(), "not a file") {
		t.Errorf("a device: %v", err)
	}
}

func TestSplitWeights(t *testing.T) {
	for value, want := range map[string][2]string{
		"lite0":              {"lite0", ""},
		"googlenet=a=b.file": {"googlenet", "a=b.file"}, // a file name may hold a =
	} {
		name, file, err := SplitWeights(value)
		if err != nil || name != want[0] || file != want[1] {
			t.Errorf("%s: %q, %q, %v", value, name, file, err)
		}
	}
	for _, value := range []string{"", "resnet", "googlenet="} {
		if _, _, err := SplitWeights(value); err == nil {
			t.Errorf("%q is accepted", value)
		}
	}
}
