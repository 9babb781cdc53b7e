package main

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

// What a terminal would obey is written as in a string of Go.
func TestEscaped(t *testing.T) {
	for text, want := range map[string]string{
		"plain\ttext\n":        "plain\ttext\n",
		"a\x1b[2Jb\rc\x00":     `a\x1b[2Jb\rc\x00`,
		"C1 \u009b31m":         `C1 \u009b31m`,
		"turned \u202egnp.exe": `turned \u202egnp.exe`,
		"no text \xff\x9b":     `no text \xff\x9b`,
		"größe, 日本":            "größe, 日本",
	} {
		if got := escaped(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// Text on stdout is escaped, and an output that takes nothing is an error of the command.
func TestPrintText(t *testing.T) {
	out, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	words := func(w io.Writer) error {
		_, failed := io.WriteString(w, "failed \x1b]0;owned\a\n")
		return failed
	}
	if err = (&app{stdout: out}).printText(words); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(out.Name())
	if err != nil || string(got) != "failed \\x1b]0;owned\\a\n" {
		t.Errorf("%q, %v", got, err)
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("there is no /dev/full here")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	if err = (&app{stdout: full}).printText(words); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("%v, want that nothing could be written", err)
	}
}
