package main

import (
	"errors"
	"io"
	"os"
	"syscall"
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
	readOnly, err := os.Open(out.Name()) // which takes nothing
	if err != nil {
		t.Fatal(err)
	}
	defer readOnly.Close()
	if err = (&app{stdout: readOnly}).printText(words); !errors.Is(err, syscall.EBADF) {
		t.Errorf("%v, want that nothing could be written", err)
	}
}
