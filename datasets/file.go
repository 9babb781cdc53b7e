package datasets

import (
	"errors"
	"os"
	"path/filepath"
)

// A newFile is a file while it is written, under a temporary name in its folder. Only commit gives
// it its own name, so that a file of that name is whole.
type newFile struct {
	*os.File
	path string
}

// createFile starts a file. Nobody else writes to the folder: an ingest holds the lock of its set.
func createFile(path string) (*newFile, error) {
	f, err := os.Create(path + ".tmp")
	if err != nil {
		return nil, err
	}
	return &newFile{f, path}, nil
}

// commit syncs the file, renames it and syncs its folder. Where a step fails, the file is removed.
func (f *newFile) commit() error {
	err := errors.Join(f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), f.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(f.path))
}

// abandon closes the file and removes it.
func (f *newFile) abandon() error { return errors.Join(f.Close(), os.Remove(f.Name())) }

// writeFile writes a whole file.
func writeFile(path string, data []byte) error {
	f, err := createFile(path)
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err != nil {
		return errors.Join(err, f.abandon())
	}
	return f.commit()
}

// syncDir makes the names in dir durable: a rename in it survives a power cut.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
