package datasets

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// preparedManifest is the manifest of a small data set, and its bytes.
func preparedManifest(tb testing.TB) (dir string, m Manifest, data []byte) {
	tb.Helper()
	s := newRawSet(tb)
	s.write(tb, s.rows[4].File, []byte("broken"))
	o := s.options(tb)
	o.MaxQuarantine = 0.1
	_, dir, err := Ingest(tb.Context(), s.set(), o)
	if err != nil {
		tb.Fatal(err)
	}
	read, err := ReadManifest(dir)
	if err != nil {
		tb.Fatal(err)
	}
	if data, err = os.ReadFile(filepath.Join(dir, manifestName)); err != nil {
		tb.Fatal(err)
	}
	return dir, *read, data
}

// Every changed bit of a manifest is noticed by its reader, which opens no other file.
func TestManifestSeal(t *testing.T) {
	_, _, data := preparedManifest(t)
	for at := range data {
		for bit := range 8 {
			changed := bytes.Clone(data)
			changed[at] ^= 1 << bit
			if m, err := parseManifest(changed); err == nil {
				t.Fatalf("bit %d of byte %d changed: read as %+v", bit, at, m)
			}
		}
	}
	for name, changed := range map[string][]byte{
		"an end too many":         append(bytes.Clone(data), '\n'),
		"another line at the end": append(bytes.Clone(data), "{}\n"...),
		"CRLF":                    bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n")),
		"an empty seal":           bytes.Replace(data, []byte(`"subset": true`), []byte(`"subset": false`), 1),
	} {
		if _, err := parseManifest(changed); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A manifest without a seal is read where it agrees with the index; a changed bit is noticed, or is in
// what decides nothing.
func TestManifestWithoutSeal(t *testing.T) {
	dir, m, sealed := preparedManifest(t)
	data := unsealed(sealed)
	open := func(data []byte) (*Manifest, error) {
		if err := os.WriteFile(filepath.Join(dir, manifestName), data, 0o644); err != nil {
			t.Fatal(err)
		}
		d, err := Open(dir)
		if err != nil {
			return nil, err
		}
		return &d.Manifest, d.Close()
	}
	// essence is what labels, records and readers go by.
	essence := func(m Manifest) string {
		m.Seal, m.Unlisted = "", 0
		for i := range m.Quarantine {
			m.Quarantine[i] = Quarantined{Name: m.Quarantine[i].Name}
		}
		for i := range m.Parts { // Verify and the digests of the images look after the parts
			m.Parts[i].SHA256 = ""
		}
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return string(data) + m.ProtocolSuffix()
	}
	old, err := open(data)
	if err != nil {
		t.Fatal(err)
	}
	want := essence(m)
	if got := essence(*old); got != want || old.Seal != "" {
		t.Errorf("read as %s, want %s", got, want)
	}
	step := 1
	if testing.Short() {
		step = 7
	}
	for at := 0; at < len(data); at += step {
		changed := bytes.Clone(data)
		changed[at] ^= 1 << (at % 8)
		if got, err := open(changed); err == nil && essence(*got) != want {
			t.Fatalf("byte %d changed to %q: read as %s", at, changed[max(at-20, 0):at+1], essence(*got))
		}
	}
}

// A manifest that says that it has more rows than its index can hold is an error to all readers, and
// ingest writes the data set again.
func TestManifestRowsBounded(t *testing.T) {
	for _, rows := range []string{"100000000000", "4600000000000000000", "-5"} {
		s := newRawSet(t)
		o := s.options(t)
		_, dir, err := Ingest(t.Context(), s.set(), o)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, manifestName)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		data = bytes.ReplaceAll(unsealed(data), []byte(`"rows": 20`), []byte(`"rows": `+rows))
		data = bytes.ReplaceAll(data, []byte(`"train": 12`), []byte(`"train": `+rows))
		data = bytes.ReplaceAll(data, []byte(`"test": 8,`), nil)
		if err = os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err = ReadManifest(dir)
		wantError(t, err, "manifest.json: ", "rows in ")
		_, err = Open(dir)
		wantError(t, err, "manifest.json: ", "rows in ")
		if m, _ := s.ingest(t, o); !m.Fresh {
			t.Errorf("%s rows: ingest kept the data set", rows)
		}
	}
}

// A pipe, a folder, an empty or a huge file in the place of a manifest or of an Arrow file is an error
// that names it.
func TestOpenNotAFile(t *testing.T) {
	for _, name := range []string{manifestName, indexName, "part-0000.arrow"} {
		for kind, put := range map[string]func(path string) error{
			"a pipe":        func(path string) error { return makePipe(path) },
			"a folder":      func(path string) error { return os.Mkdir(path, 0o755) },
			"an empty file": func(path string) error { return os.WriteFile(path, nil, 0o644) },
			"a sparse file": func(path string) error {
				f, err := os.Create(path)
				if err != nil {
					return err
				}
				defer f.Close()
				return f.Truncate(40 << 30)
			},
		} {
			t.Run(fmt.Sprintf("%s is %s", name, kind), func(t *testing.T) {
				dir, _ := prepared(t)
				path := filepath.Join(dir, name)
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				if err := put(path); err != nil {
					t.Skip(err)
				}
				began := time.Now()
				d, err := Open(dir)
				if err == nil {
					_ = d.Close()
				}
				wantError(t, err, name)
				if kind == "a pipe" && !strings.Contains(err.Error(), "is a pipe, want a regular file") {
					t.Errorf("error is %v", err)
				}
				if took := time.Since(began); took > 5*time.Second {
					t.Errorf("took %v", took)
				}
			})
		}
	}
}
