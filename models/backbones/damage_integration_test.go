//go:build integration

package backbones

import (
	"os"
	"path/filepath"
	"testing"

	"bierbench/models/internal/modelstest"
)

// Every byte of every kind of file.
func TestIntegrationDamagedWeightsAndFeatures(t *testing.T) { damagedFiles(t, 1) }

// The published weights, as a user may give them to set-up: whatever is in the file, reading ends,
// and takes no more memory than twice the file and 100 MiB.
func TestIntegrationDamagedLite0(t *testing.T) {
	content, err := os.ReadFile(modelstest.WeightsFile(t, "lite0"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "lite0.pth")
	if err = os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	modelstest.Damages(t, path, []byte(legacyMagic), len(content)/100, func() error {
		_, err := lite0().Load(path)
		return err
	})
	// The pickles come first, and every one of their bytes counts.
	head := content[:20_000]
	for at := 0; at < len(head); at += 97 {
		content[at] ^= 4
		if err = os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _ = lite0().Load(path)
		content[at] ^= 4
	}
}
