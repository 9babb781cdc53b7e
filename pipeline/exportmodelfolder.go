package pipeline

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"bierbench/pipeline/internal/claims"
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
	return []string{cardFile, readmeFile, modelFile, onnxFile, valuesFile, idsFile, classesFile, embeddingsFile}
}

// A target is a folder that an export replaces.
type target struct {
	dir    string
	files  []string                                   // names that the export may write
	what   string                                     // that it writes
	owner  string                                     // RUN/CELL
	former func(dir string) (owner string, err error) // of an earlier export
	force  bool                                       // replace what another cell owns
}

// modelTarget is the folder of an exported model.
func modelTarget(dir string, card *ModelCard, force bool) target {
	return target{
		dir: dir, files: exportFiles(), what: "the model", owner: card.Run + "/" + card.Cell, force: force,
		former: func(dir string) (string, error) {
			c, err := readModelCard(dir)
			if err != nil {
				return "", err
			}
			return c.Run + "/" + c.Cell, c.checkReadme(dir)
		},
	}
}

// checkReadme returns an error where the README.md in the folder of a card is a user's, or has been
// changed by one: the page is there to be completed.
func (c *ModelCard) checkReadme(dir string) error {
	is, err := cardOf(filepath.Join(dir, readmeFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !slices.Contains(c.Files, is) {
		return fmt.Errorf("%s is not as export wrote it", readmeFile)
	}
	return nil
}

// replaceFolder lets write fill a folder beside the target, and puts that in its place. If anything
// fails, the target stays as it was.
func replaceFolder(t target, write func(dir string) error) error {
	dir, err := filepath.Abs(t.dir)
	if err != nil {
		return err
	}
	parent := filepath.Dir(dir)
	if err = sweepFolders(dir, filepath.Join(parent, ".tmp-"+filepath.Base(dir)+"-")); err != nil {
		return err
	}
	there, err := t.check()
	if err != nil {
		return err
	}
	return t.replace(dir, there, write)
}

// replace does what replaceFolder does, once the folder may be replaced; dir is its absolute path.
func (t target) replace(dir string, there bool, write func(dir string) error) (err error) {
	parent := filepath.Dir(dir)
	if err = os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	fresh, free, err := temporaryFolder(parent, ".tmp-"+filepath.Base(dir)+"-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(fresh)); free() }()
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

// folderClaim is the claim that a process holds in its temporary folder.
const folderClaim = "folder"

// temporaryFolder makes a folder that is swept once this process has ended, unless it is removed
// before. free ends the claim of it.
func temporaryFolder(parent, prefix string) (dir string, free func(), err error) {
	if dir, err = os.MkdirTemp(parent, prefix+"*"); err != nil {
		return "", nil, err
	}
	held, err := claims.Open(dir)
	if err != nil {
		return "", nil, errors.Join(err, os.RemoveAll(dir))
	}
	if _, err = held.Try(folderClaim); err != nil { // a file system without locks has no sweeping
		held.Close()
		return dir, func() {}, os.Remove(filepath.Join(dir, claims.FileName))
	}
	return dir, held.Close, nil
}

// sweepFolders removes the temporary folders that killed processes have left, all of whose paths begin
// with a prefix. Where an export to dir was killed between taking the old one away and putting the new
// one in its place, the old one comes back; dir is empty for folders of another use.
func sweepFolders(dir, prefix string) error {
	entries, err := os.ReadDir(filepath.Dir(prefix))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), filepath.Base(prefix)) {
			continue
		}
		left := filepath.Join(filepath.Dir(prefix), e.Name())
		if _, err := os.Stat(filepath.Join(left, claims.FileName)); err != nil {
			continue // another program's, or it has just been made
		}
		held, err := claims.Look(left)
		if err != nil {
			return err
		}
		busy, err := held.Held(folderClaim)
		held.Close()
		if err != nil {
			return err
		}
		if busy {
			continue
		}
		if _, err := os.Lstat(dir); dir != "" && errors.Is(err, os.ErrNotExist) {
			if err := os.Rename(filepath.Join(left, "old"), dir); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
		if err := os.RemoveAll(left); err != nil {
			return err
		}
	}
	return nil
}

// check returns an error where the folder must not be replaced, and whether it exists. A file that
// export did not write is never removed.
func (t target) check() (there bool, err error) {
	entries, err := os.ReadDir(t.dir)
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
		if !slices.Contains(t.files, e.Name()) || !e.Type().IsRegular() {
			return true, fmt.Errorf("%s holds %s, which export did not write; name another folder", t.dir, e.Name())
		}
	}
	former, err := t.former(t.dir)
	if err != nil {
		return true, fmt.Errorf("%s is not a whole export: %w; name another folder or remove it", t.dir, err)
	}
	if former != t.owner && !t.force {
		return true, fmt.Errorf("%s holds %s of %s; --force replaces it", t.dir, t.what, former)
	}
	return true, nil
}
