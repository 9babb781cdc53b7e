package main

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// pack ARCHIVE DIR writes a folder into a .zip, .tar or .tgz file, with the folder's own name in front.
func pack(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: pack archive dir")
	}
	file, dir := ts.MkAbs(args[0]), ts.MkAbs(args[1])
	f, err := os.Create(file)
	ts.Check(err)
	files := os.DirFS(filepath.Dir(dir))
	below, err := filesOf(dir)
	ts.Check(err)
	var add func(name string, data []byte) error
	var closers []io.Closer
	if strings.HasSuffix(file, ".zip") {
		z := zip.NewWriter(f)
		closers = []io.Closer{z}
		add = func(name string, data []byte) error {
			w, err := z.Create(name)
			if err == nil {
				_, err = w.Write(data)
			}
			return err
		}
	} else {
		var to io.Writer = f
		if strings.HasSuffix(file, ".tgz") {
			g := gzip.NewWriter(f)
			to, closers = g, []io.Closer{g}
		}
		w := tar.NewWriter(to)
		closers = append([]io.Closer{w}, closers...)
		add = func(name string, data []byte) error {
			err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(data))})
			if err == nil {
				_, err = w.Write(data)
			}
			return err
		}
	}
	for _, name := range below {
		r, err := files.Open(path.Join(filepath.Base(dir), name))
		ts.Check(err)
		data, err := io.ReadAll(r)
		ts.Check(errors.Join(err, r.Close(), add(path.Join(filepath.Base(dir), name), data)))
	}
	for _, c := range append(closers, f) {
		ts.Check(c.Close())
	}
}

// filesOf returns the slash paths of the files below a folder.
func filesOf(dir string) ([]string, error) {
	var names []string
	err := filepath.WalkDir(dir, func(name string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		below, err := filepath.Rel(dir, name)
		names = append(names, filepath.ToSlash(below))
		return err
	})
	return names, err
}
