package datasets

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// A damage is a way in which a file can be other than it was written. It puts the file back with restore.
type damage struct {
	name string
	data []byte                  // what the file holds; nil: see put
	put  func(path string) error // what takes the file's place
	loud bool                    // it can only be an error that names the file
}

// damagesOf returns flips of single bits, cuts, other files of the same kind and what is no file. There
// are so many flips and cuts.
func damagesOf(data []byte, flips int, others map[string][]byte) []damage {
	random := rand.New(rand.NewPCG(uint64(len(data)), 1))
	var all []damage
	for k := range flips {
		at := random.IntN(len(data))
		if flips >= len(data) {
			at = k % len(data)
		}
		changed := bytes.Clone(data)
		changed[at] ^= 1 << random.IntN(8)
		all = append(all, damage{name: fmt.Sprintf("byte %d is %#02x", at, changed[at]), data: changed})
		changed = bytes.Clone(data)
		copy(changed[at:], []byte{0xff, 0xff, 0xff, 0x3f})
		all = append(all, damage{name: fmt.Sprintf("1 GiB at byte %d", at), data: changed})
		if k%8 == 0 {
			all = append(all, damage{name: fmt.Sprintf("cut to %d bytes", at), data: data[:at]})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(others)) {
		all = append(all, damage{name: "is " + name, data: others[name]})
	}
	return append(all,
		damage{name: "is twice as long", data: append(bytes.Clone(data), data...)},
		damage{name: "is empty", data: []byte{}, loud: true},
		damage{name: "is a pipe", put: makePipe, loud: true},
		damage{name: "is a folder", put: func(path string) error { return os.Mkdir(path, 0o755) }, loud: true},
	)
}

// withDamage puts a damage in the place of a file, calls use, and restores the file. It fails the test
// where use hangs, panics, or takes more memory than twice the files and 100 MiB.
func withDamage(t *testing.T, path string, d damage, use func() error) error {
	t.Helper()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err = os.Remove(path); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if failed := errors.Join(os.RemoveAll(path), os.WriteFile(path, whole, 0o644)); failed != nil {
			t.Fatal(failed)
		}
	}()
	if d.put == nil {
		err = os.WriteFile(path, d.data, 0o644)
	} else {
		err = d.put(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	result := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				result <- nil
				t.Errorf("%s %s: panic: %v", filepath.Base(path), d.name, p)
			}
		}()
		result <- use()
	}()
	select {
	case err = <-result:
	case <-time.After(time.Minute):
		t.Fatalf("%s %s: hangs", filepath.Base(path), d.name)
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 100<<20+2*uint64(len(d.data)) {
		t.Errorf("%s %s: took %d MiB", filepath.Base(path), d.name, took>>20)
	}
	return err
}

// essence is all that readers get from an open data set.
func essence(d *Dataset) (string, error) {
	var b strings.Builder
	fmt.Fprintln(&b, d.Digest(), d.Manifest.ProtocolSuffix(), d.Manifest.Set, d.Manifest.Release, d.Manifest.Variant, d.Manifest.Options,
		d.Manifest.Counts, d.Manifest.Classes, d.TestHash(d.Rows()))
	for i := range d.Len() {
		width, height := d.Size(i)
		fmt.Fprintln(&b, d.ID(i), d.Name(i), d.Class(i), d.ClassName(i), d.Superclass(i), d.Split(i), d.List(i), width, height, d.Box(i), d.SHA256(i))
		data, err := d.Image(i)
		if err != nil {
			return "", err
		}
		b.Write(data)
	}
	return b.String(), nil
}

// checkPreparedDamage damages every file of a prepared data set: readers get an error that names the file,
// or what they got before, and then Verify has the error.
func checkPreparedDamage(t *testing.T, flips int) {
	t.Helper()
	dir, m := prepared(t)
	s := newRawSet(t)
	s.rows[3].ClassName = "another"
	_, other, err := ingestSet(t.Context(), s.set(), s.options(t), sizeLimits{batch: 12 << 10, part: partReserve + 24<<10, index: 7})
	if err != nil {
		t.Fatal(err)
	}
	read := func() (got string, err error) {
		d, err := Open(dir)
		if err != nil {
			return "", err
		}
		got, err = essence(d)
		return got, errors.Join(err, d.Close())
	}
	want, err := read()
	if err != nil {
		t.Fatal(err)
	}
	files := contents(t, dir)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		others := map[string][]byte{"that of another data set": []byte(contents(t, other)[name])}
		if name == m.Parts[0].Name {
			others["another part"] = []byte(files[m.Parts[1].Name])
		}
		for _, d := range damagesOf([]byte(files[name]), flips, others) {
			if string(d.data) == files[name] {
				continue // a part that both have
			}
			var got string
			err := withDamage(t, filepath.Join(dir, name), d, func() (err error) {
				got, err = read()
				return err
			})
			switch {
			case err != nil && !strings.Contains(err.Error(), name):
				t.Errorf("%s %s: the error does not name it: %v", name, d.name, err)
			case err == nil && got != want:
				t.Errorf("%s %s: readers get something else", name, d.name)
			case err == nil && d.loud:
				t.Errorf("%s %s: no error", name, d.name)
			}
			err = withDamage(t, filepath.Join(dir, name), d, func() (failed error) {
				_, failed = Verify(t.Context(), dir, nil)
				return failed
			})
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s %s: verify says %v", name, d.name, err)
			}
		}
	}
}

// checkListDamage damages every list of every layout. Readers get an error that names a list, or the rows
// that they got before, or other rows, which then have another digest.
func checkListDamage(t *testing.T, flips int) {
	t.Helper()
	for _, set := range Published() {
		root := fiveSets()[set.Folders[0]].write(t)
		read := func() (rows, digest string, err error) {
			l, err := readFolder(t.Context(), set, root, "mini")
			if err != nil {
				return "", "", err
			}
			sorted, err := sortedRows(l)
			if err != nil {
				return "", "", err
			}
			sum, err := newDigest(Manifest{Set: set.Name})
			for _, r := range sorted {
				rows += fmt.Sprintln(r.ID, r.Name, r.File, r.Class, r.ClassName, r.Superclass, r.Split, r.List, r.Box)
				sum.row(stored{row: r, box: r.Box})
			}
			return rows, sum.finish(Manifest{}), err
		}
		want, digest, err := read()
		if err != nil {
			t.Fatal(err)
		}
		files := contents(t, root)
		for _, name := range slices.Sorted(maps.Keys(files)) {
			others := map[string][]byte{}
			for other, text := range files {
				if other != name {
					others[other] = []byte(text)
				}
			}
			for _, d := range damagesOf([]byte(files[name]), flips, others) {
				var rows, sum string
				err := withDamage(t, filepath.Join(root, filepath.FromSlash(name)), d, func() (err error) {
					rows, sum, err = read()
					return err
				})
				named := err != nil && slices.ContainsFunc(slices.Collect(maps.Keys(files)), func(list string) bool {
					return strings.Contains(err.Error(), filepath.Base(list)) && (!d.loud || list == name)
				})
				switch {
				case err != nil && !named:
					t.Errorf("%s, %s %s: the error names no list: %v", set.Name, name, d.name, err)
				case err == nil && d.loud:
					t.Errorf("%s, %s %s: no error", set.Name, name, d.name)
				case err == nil && (rows == want) != (sum == digest):
					t.Errorf("%s, %s %s: other rows with the same digest", set.Name, name, d.name)
				}
			}
		}
	}
}

// The full sweep is TestIntegrationDamage.
func TestDamage(t *testing.T) {
	t.Run("prepared", func(t *testing.T) { checkPreparedDamage(t, 4) })
	t.Run("lists", func(t *testing.T) { checkListDamage(t, 20) })
}
