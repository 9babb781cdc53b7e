package pipeline

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// TestNamesOfIntegrationTests holds that a test has a name that begins with TestIntegration where
// its file has the build tag integration, and nowhere else: "task test:integration" runs these.
func TestNamesOfIntegrationTests(t *testing.T) {
	files, tagged := 0, 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		files++
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		tag := false
		for _, group := range file.Comments {
			tag = tag || group.Pos() < file.Package && strings.Contains(group.List[0].Text, "go:build integration")
		}
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Test") || f.Name.Name == "TestMain" {
				continue
			}
			if named := strings.HasPrefix(f.Name.Name, "TestIntegration"); named != tag {
				t.Errorf("%s: %s: the file has the tag: %t", path, f.Name.Name, tag)
			} else if tag {
				tagged++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 100 || tagged < 10 {
		t.Errorf("%d files with %d integration tests were looked at", files, tagged)
	}
}
