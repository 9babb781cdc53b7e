package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// checkout is the folder of README.md, seen from this package.
var checkout = filepath.Join("..", "..", "..")

const (
	// pathHeading is the heading in README.md under which its path from images to
	// a verdict stands: images in class folders, a suite, and command lines.
	pathHeading = "## One path, from your images to a verdict"
	// pathSuite is what README.md calls the suite.
	pathSuite = "mine.yaml"
	// commandWords begin the command lines of the pages.
	commandWords = "go tool bierbench "
)

// TestREADMEPath does what README.md tells a reader to do, word for word, with a
// miniature data set in the place of DIR. Only run is told more than README.md
// says: a small network from scratch, small images and batches, two steps and one
// seed, for the path is tested and not what comes out.
func TestREADMEPath(t *testing.T) {
	smaller := []string{
		"--set", "backbone=convnet", "--set", "input=16", "--set", "sizes=[24]", "--set", "seeds=[0]", "--set", "steps=2",
		"--set", "classes=6", "--set", "images=3",
	}
	text, err := os.ReadFile(filepath.Join(checkout, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n"+pathHeading+"\n")
	if !ok {
		t.Fatalf("README.md has no heading %q", pathHeading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	images, suite, lines := fences(section, ""), fences(section, "yaml"), fences(section, "sh")
	if len(images) != 1 || len(suite) != 1 || len(lines) != 1 || !strings.Contains(section, "`"+pathSuite+"`") {
		t.Fatalf("%d lists of images, %d suites and %d blocks of commands; want one of each, and the suite called %s",
			len(images), len(suite), len(lines), pathSuite)
	}

	raw := filepath.Join(smallMini(t), "CUB_200_2011", "images") // class folders, too
	for line := range strings.Lines(images[0]) {
		if ok, _ := filepath.Match("DIR/*/*.*", strings.TrimSpace(line)); !ok {
			t.Errorf("README.md shows %q, want an image in a class folder", line)
		}
	}
	t.Chdir(t.TempDir())
	if err = os.WriteFile(pathSuite, []byte(suite[0]), 0o666); err != nil {
		t.Fatal(err)
	}

	var done []string
	for _, line := range commandLines(t, lines[0]) {
		args := slices.Clone(line)
		for i, word := range args {
			if word == "DIR" {
				args[i] = raw
			}
		}
		if args[0] == "run" {
			args = append(args, smaller...)
		}
		stdout, stderr, code := commandLineIn(t, ".", args...)
		if code != exitOK || stdout == "" {
			t.Fatalf("%s: code %d\n%s%s", strings.Join(line, " "), code, stdout, stderr)
		}
		if args[0] == "diff" && !strings.Contains(stdout, "mine: methods against baseline") {
			t.Errorf("%s:\n%s", strings.Join(line, " "), stdout)
		}
		done = append(done, args[0])
	}
	if want := []string{"ingest", "plan", "run", "report", "diff"}; !slices.Equal(done, want) {
		t.Errorf("README.md's path is %q, want %q", done, want)
	}
	for _, ending := range []string{"html", "md", "csv", "json", "tex"} {
		if _, err := os.Stat(filepath.Join("reports", "mine", "report."+ending)); err != nil {
			t.Error(err)
		}
	}
}

// What README.md's path leaves in the checkout does not make the build one with
// uncommitted changes, and nothing that is committed is ignored.
func TestREADMEFilesAreIgnored(t *testing.T) {
	git := func(args ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), "git", append([]string{"-C", checkout}, args...)...).Output()
		return strings.TrimSpace(string(out)), err
	}
	if top, err := git("rev-parse", "--show-prefix"); err != nil || top != "" {
		t.Skipf("%s is no checkout of git: %q, %v", checkout, top, err)
	}
	for _, written := range []string{
		pathSuite, "datasets/sop/mine-s256-jpeg/manifest.json", "datasets/folder/mine-s256-jpeg/manifest.json", "models/features/key.arrow", "models/measured/machine.jsonl",
		"runs/mine/run.json", "reports/mine/report.html", "tb/mine/events", "ml/1/meta.yaml", "mlflow.db", "raw/CUB_200_2011/images.txt",
	} {
		if _, err := git("check-ignore", "--quiet", "--no-index", written); err != nil {
			t.Errorf("%s is not ignored: %v", written, err)
		}
	}
	if hidden, err := git("ls-files", "--cached", "--ignored", "--exclude-standard"); err != nil || hidden != "" {
		t.Errorf("committed and ignored: %s, %v", hidden, err)
	}
}

// TestPagesCommands reads every command line on the pages of this repository:
// its command, flags and number of arguments must be there, and so must the
// suites and data sets that it names.
func TestPagesCommands(t *testing.T) {
	read := pages(t)
	inline := regexp.MustCompile("`" + commandWords + "[^`]+`")
	seen := 0
	for _, page := range read {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		lines := strings.Join(fences(text, "sh"), "")
		for _, span := range inline.FindAllString(text, -1) {
			lines += strings.ReplaceAll(strings.Trim(span, "`"), "\n", " ") + "\n"
		}
		for _, line := range commandLines(t, lines) {
			if line[0] == "COMMAND" {
				continue // stands for any
			}
			seen++
			if err := accepts(line); err != nil {
				t.Errorf("%s: %s%s: %v", page, commandWords, strings.Join(line, " "), err)
			}
		}
	}
	if seen < 50 {
		t.Errorf("%d command lines on %d pages: they are looked for in the wrong way", seen, len(read))
	}
}

// TestPagesLinks finds the file, and where one is named the heading, of every link
// between the pages, and every picture.
func TestPagesLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]*)(?:#([^)]*))?\)`)
	for _, page := range pages(t) {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(data), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file := page
			if m[1] != "" {
				file = filepath.Join(filepath.Dir(page), filepath.FromSlash(m[1]))
			}
			target, err := os.ReadFile(file)
			if err != nil {
				t.Errorf("%s: %v", page, err)
				continue
			}
			if m[2] != "" && !slices.Contains(anchors(string(target)), m[2]) {
				t.Errorf("%s: no heading of %s is #%s", page, file, m[2])
			}
		}
	}
}

// anchors returns what a code host calls the headings of a page.
func anchors(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		if heading, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && line[0] == '#' {
			name := regexp.MustCompile("[^a-z0-9 _-]").ReplaceAllString(strings.ToLower(strings.TrimSpace(heading)), "")
			all = append(all, strings.ReplaceAll(name, " ", "-"))
		}
	}
	return all
}

// pages returns the pages of this repository that people read.
func pages(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"*.md", "*/README.md", "pipeline/*/[A-Z]*.md", "pipeline/*/*/[A-Z]*.md"} {
		found, err := filepath.Glob(filepath.Join(checkout, filepath.FromSlash(pattern)))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, found...)
	}
	return all
}

// accepts reports why the command would refuse a command line.
func accepts(line []string) error {
	root := newRootCommand(&app{})
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	named, rest, err := root.Find(line)
	if err != nil {
		return err
	}
	if named == root {
		return fmt.Errorf("no command %q", line[0])
	}
	if err = named.ParseFlags(rest); err != nil {
		return err
	}
	args := named.Flags().Args()
	if err = named.ValidateArgs(args); err != nil {
		return err
	}
	if named.Name() == "help" {
		if topic, _, err := root.Find(args); err != nil || topic == root {
			return fmt.Errorf("no help on %q", args)
		}
		return nil
	}
	for _, arg := range args {
		if len(named.ValidArgs) > 0 && !slices.Contains(named.ValidArgs, arg) && filepath.Ext(arg) != ".yaml" {
			return fmt.Errorf("%q is none of %q", arg, named.ValidArgs)
		}
	}
	return nil
}

// fences returns the blocks of a Markdown text that are fenced for a language.
func fences(text, language string) []string {
	var blocks []string
	inside, wanted := false, false
	for line := range strings.Lines(text) {
		fence, isFence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case isFence && inside:
			inside = false
		case isFence:
			inside, wanted = true, fence == language
			if wanted {
				blocks = append(blocks, "")
			}
		case inside && wanted:
			blocks[len(blocks)-1] += line
		}
	}
	return blocks
}

// commandLines returns the words behind "go tool bierbench" of every such command
// in lines of a shell, without comments. Other commands are left out.
func commandLines(t *testing.T, text string) [][]string {
	t.Helper()
	var all [][]string
	for line := range strings.Lines(text) {
		words := shellWords(t, line)
		for len(words) > 0 {
			end := slices.IndexFunc(words, func(w string) bool { return w == "&" || w == "&&" })
			if end < 0 {
				end = len(words)
			}
			if len(words[:end]) > 3 && strings.Join(words[:3], " ")+" " == commandWords {
				all = append(all, words[3:end])
			}
			words = words[min(end+1, len(words)):]
		}
	}
	return all
}

// shellWords splits a line as a shell does, as far as the pages need it: quotes
// hold words together, and a # that begins a word begins a comment.
func shellWords(t *testing.T, line string) []string {
	t.Helper()
	var words []string
	word, quote, begun := "", rune(0), false
	for _, c := range strings.TrimSpace(line) + " " {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word += string(c)
		case c == '\'' || c == '"':
			quote, begun = c, true
		case c == ' ' && begun:
			words = append(words, word)
			word, begun = "", false
		case c == ' ':
		case c == '#' && !begun:
			return words
		default:
			word, begun = word+string(c), true
		}
	}
	if quote != 0 {
		t.Fatalf("a quote is open in %q", line)
	}
	return words
}
