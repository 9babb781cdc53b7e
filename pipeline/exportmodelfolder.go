package pipeline

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"bierbench/runs"
)

// copyWhole copies a file. A link would tie the exported file to that of the run.
func copyWhole(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	err = runs.WriteFileFunc(to, 0o644, func(out io.Writer) error {
		_, failed := io.Copy(out, in)
		return failed
	})
	return errors.Join(err, in.Close())
}

// exportFiles returns the names that an exported folder may hold.
func exportFiles() []string {
	return []string{cardFile, modelFile, valuesFile, idsFile, classesFile, embeddingsFile}
}

// replaceFolder lets write fill a folder beside dir, and puts that in the place of dir. If anything
// fails, dir stays as it was.
func replaceFolder(dir string, card *ModelCard, force bool, write func(dir string) error) (err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	there, err := checkTarget(dir, card, force)
	if err != nil {
		return err
	}
	parent := filepath.Dir(dir)
	if err = os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(parent, ".tmp-"+filepath.Base(dir)+"-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(fresh)) }()
	content := filepath.Join(fresh, "new")
	if err = os.Mkdir(content, 0o755); err != nil {
		return err
	}
	if err = write(content); err != nil {
		return err
	}
	if there {
		old := filepath.Join(fresh, "old")
		if err = os.Rename(dir, old); err != nil {
			return err
		}
		if err = os.Rename(content, dir); err != nil {
			return errors.Join(err, os.Rename(old, dir))
		}
	} else if err = os.Rename(content, dir); err != nil {
		return err
	}
	return runs.SyncFolder(parent)
}

// checkTarget returns an error where a folder must not be replaced, and whether it exists. A file
// that export did not write is never removed.
func checkTarget(dir string, card *ModelCard, force bool) (there bool, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if len(entries) == 0 {
		return true, nil
	}
	for _, e := range entries {
		if !slices.Contains(exportFiles(), e.Name()) || !e.Type().IsRegular() {
			return true, fmt.Errorf("%s holds %s, which export did not write; name another folder", dir, e.Name())
		}
	}
	former, err := readModelCard(dir)
	if err != nil {
		return true, fmt.Errorf("%s is not a whole export: %w; name another folder or remove it", dir, err)
	}
	if (former.Run != card.Run || former.Cell != card.Cell) && !force {
		return true, fmt.Errorf("%s holds the model of %s/%s; --force replaces it", dir, former.Run, former.Cell)
	}
	return true, nil
}
