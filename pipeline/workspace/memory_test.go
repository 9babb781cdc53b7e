package workspace

import (
	"os"
	"path/filepath"
	"testing"
)

// The least limit of a group and of those above it counts, in both versions of control groups.
func TestMemoryLimit(t *testing.T) {
	for _, tt := range []struct {
		name, groups string
		files        map[string]string
		want         int64
	}{
		{"version 2", "0::/a/b\n", map[string]string{"a/b/memory.max": "max\n", "a/memory.max": "419430400\n", "memory.max": "999999999\n"}, 419430400},
		{"version 2 in a container, which sees its group as the root", "0::/\n", map[string]string{"memory.max": "1000\n"}, 1000},
		{"version 1", "3:cpu:/x\n4:memory:/a\n", map[string]string{
			"memory/a/memory.limit_in_bytes": "2000\n", "memory/memory.limit_in_bytes": "9223372036854771712\n",
		}, 2000},
		{"version 1 without a limit", "4:memory:/a\n", map[string]string{"memory/a/memory.limit_in_bytes": "9223372036854771712\n"}, 0},
		{"a path that leaves its root", "0::/../../a\n", map[string]string{"a/memory.max": "7\n"}, 7},
		{"no group", "", nil, 0},
		{"a broken line", "0:\n", nil, 0},
	} {
		root := t.TempDir()
		groups := filepath.Join(root, "groups")
		if err := os.WriteFile(groups, []byte(tt.groups), 0o644); err != nil {
			t.Fatal(err)
		}
		for name, content := range tt.files {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got := memoryLimit(groups, root); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}
