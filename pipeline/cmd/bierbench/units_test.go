package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestHumanSeconds(t *testing.T) {
	for _, c := range []struct {
		seconds float64
		want    string
	}{
		{0, "0 s"},
		{0.0423, "0.042 s"},
		{1.25, "1.2 s"},
		{9.96, "10 s"}, // two digits, not 1e+01
		{59.4, "59 s"},
		{59.6, "1 min"}, // never 60 s
		{80, "1 min 20 s"},
		{3599.7, "1 h"},
		{7500, "2 h 5 min"},
		{86390, "1 d"},
		{273600, "3 d 4 h"},
	} {
		if got := humanSeconds(c.seconds); got != c.want {
			t.Errorf("%g: %q, want %q", c.seconds, got, c.want)
		}
	}
}

func TestHumanBytes(t *testing.T) {
	for _, c := range []struct {
		bytes int64
		want  string
	}{
		{0, "0 bytes"},
		{999, "999 bytes"},
		{1000, "1.0 kB"},
		{9960, "10 kB"},
		{310_400_000, "310 MB"},
		{999_600_000, "1.0 GB"}, // never 1000 MB
		{1_234_000_000_000, "1.2 TB"},
	} {
		if got := humanBytes(c.bytes); got != c.want {
			t.Errorf("%d: %q, want %q", c.bytes, got, c.want)
		}
	}
}

func TestCounted(t *testing.T) {
	for _, c := range []struct {
		n    int
		noun string
		want string
	}{
		{1, "cell", "1 cell"},
		{0, "cell", "0 cells"},
		{2, "listed image", "2 listed images"},
		{3, "class", "3 classes"},
		{1, "query", "1 query"},
		{4, "query", "4 queries"},
	} {
		if got := counted(c.n, c.noun); got != c.want {
			t.Errorf("%d %s: %q, want %q", c.n, c.noun, got, c.want)
		}
	}
}

// A number in front of a noun comes from counted, which knows that one is no
// plural. Columns of numbers are a table: their line says so.
func TestCountsAreWords(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	plural := regexp.MustCompile(`%d (\w+ )?\w+s\b`)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(source), "\n") {
			if found := plural.FindString(line); found != "" && !strings.HasSuffix(line, "// a table") {
				t.Errorf("%s:%d: %q prints a number and a plural; use counted", file, i+1, found)
			}
		}
	}
}
