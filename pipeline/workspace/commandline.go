package workspace

import (
	"slices"
	"strconv"
	"strings"
	"unicode"

	"bierbench/models/xla"
)

// CommandLine returns a command line of bierbench for a person who works in this workspace to type,
// such as the next step of a message. words are the command and its arguments. It gets the flag
// that names the workspace and, where the command computes cells, those of the backend.
func (w *Workspace) CommandLine(words ...string) string {
	line := []string{ModulePath}
	if w.Dir != "" && w.Dir != "." {
		line = append(line, "-C", w.Dir)
	}
	if len(words) > 0 && slices.Contains([]string{"run", "submit"}, words[0]) {
		line = append(line, w.backendFlags()...)
	}
	return ShellLine(append(line, words...)...)
}

// backendFlags returns the global flags that open the backend of this workspace again.
func (w *Workspace) backendFlags() []string {
	var flags []string
	if w.Backend != "" {
		flags = append(flags, "--backend", w.Backend)
	}
	if w.Devices > 1 {
		flags = append(flags, "--devices", strconv.Itoa(w.Devices))
	}
	if w.GPUMemory > 0 && w.Backend != xla.CPU {
		flags = append(flags, "--gpu-memory", strconv.FormatFloat(w.GPUMemory, 'g', -1, 64))
	}
	return flags
}

// ShellLine returns the words of a command line as one would type them into a shell.
func ShellLine(words ...string) string {
	typed := make([]string, len(words))
	for i, word := range words {
		if word == "" || strings.ContainsFunc(word, func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_./:=,+@%", r)
		}) {
			word = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
		typed[i] = word
	}
	return strings.Join(typed, " ")
}
