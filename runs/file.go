package runs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// temporaryPrefix begins the names of files that are being written. A killed process leaves some
// behind; Run.Sweep removes those of a cell.
const temporaryPrefix = ".tmp-"

// WriteFile writes a whole file: after a crash or a power cut the path holds either the old content
// or the new one. The data goes to a temporary file in the same folder, which is synced and renamed;
// then the folder is synced. Where a step fails, the temporary file is removed.
func WriteFile(path string, data []byte, mode fs.FileMode) error {
	return WriteFileFunc(path, mode, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// WriteFileFunc is WriteFile for content that is not in memory: write produces it.
func WriteFileFunc(path string, mode fs.FileMode, write func(w io.Writer) error) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, temporaryPrefix+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	err = errors.Join(write(f), f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return SyncFolder(dir)
}

// SyncFolder makes the names in a folder durable: a rename in it survives a power cut.
func SyncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
