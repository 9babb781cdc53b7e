package pipeline

import (
	"strings"
	"testing"
)

// A name stays within what file systems allow, and other runs have another.
func TestFolderName(t *testing.T) {
	if got := folderName("diff", []string{"a", "b", "c"}); got != "diff-a-b-c" {
		t.Errorf("%q", got)
	}
	long := strings.Repeat("é", 95) // 190 bytes each
	one, other := folderName("diff", []string{long, "b", long}), folderName("diff", []string{long, "b", long + "x"})
	if len(one) > longestFolder || one == other || !strings.HasPrefix(one, "diff-é") || strings.ContainsRune(one, '\uFFFD') {
		t.Errorf("%d bytes: %q and %q", len(one), one, other)
	}
}
