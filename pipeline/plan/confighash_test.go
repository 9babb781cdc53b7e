package plan

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"bierbench/pipeline/suite"
)

// TestConfigHashesStay holds the hashes of the configurations of built-in suites
// against those in records of existing workspaces: another hash makes their
// cells stale. The file was written by the build of 30 November 2026.
func TestConfigHashesStay(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "confighashes.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(data)) {
		name, _, _ := strings.Cut(line, " ")
		if len(names) == 0 || names[len(names)-1] != name {
			names = append(names, name)
		}
	}
	var got strings.Builder
	for _, name := range names {
		s, err := suite.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for i, block := range s.Blocks {
			for _, v := range block.Methods {
				for _, size := range block.Sizes {
					config, err := block.Config(v, size)
					if err != nil {
						t.Fatal(err)
					}
					hash, err := configHash(config)
					if err != nil {
						t.Fatal(err)
					}
					fmt.Fprintf(&got, "%s %d %s-%d %s\n", name, i, v.Label, size, hash[:16])
				}
			}
		}
	}
	if diff := cmp.Diff(string(data), got.String()); diff != "" {
		t.Errorf("hashes of configurations changed (- stored, + now):\n%s", diff)
	}
}
