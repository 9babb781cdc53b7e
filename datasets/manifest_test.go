package datasets

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
// what decides nothing. TestIntegrationManifestWithoutSeal looks at every byte.
func TestManifestWithoutSeal(t *testing.T) { checkManifestWithoutSeal(t, 9) }

// checkManifestWithoutSeal changes every step-th byte.
func checkManifestWithoutSeal(t *testing.T, step int) {
	t.Helper()
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
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return string(text) + m.ProtocolSuffix()
	}
	old, err := open(data)
	if err != nil {
		t.Fatal(err)
	}
	want := essence(m)
	if got := essence(*old); got != want || old.Seal != "" {
		t.Errorf("read as %s, want %s", got, want)
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

// A huge file in the place of a manifest or of an Arrow file is an error that names it. TestDamage has the
// pipes, folders and empty files.
func TestOpenHugeFile(t *testing.T) {
	dir, m := prepared(t)
	sparse := damage{name: "is a sparse file", put: func(path string) error {
		return errors.Join(os.WriteFile(path, nil, 0o644), os.Truncate(path, 40<<30))
	}}
	for _, name := range []string{manifestName, indexName, m.Parts[0].Name} {
		err := withDamage(t, filepath.Join(dir, name), sparse, func() error {
			_, err := Open(dir)
			return err
		})
		wantError(t, err, name, "42949672960 bytes")
	}
}

// What a manifest says is printed: nothing in it may speak to the terminal.
func TestManifestControlCharacters(t *testing.T) {
	for name, change := range map[string]func(m *Manifest){
		"layout":       func(m *Manifest) { m.Layout += "\x1b[2J" },
		"tool version": func(m *Manifest) { m.ToolVersion = "\u009b2J" },
		"reason":       func(m *Manifest) { m.Quarantine[0].Reason = "\a" },
		"missing":      func(m *Manifest) { m.Missing = []string{"a\nb"} },
	} {
		_, m, _ := preparedManifest(t)
		change(&m)
		data, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err = parseManifest(data); err == nil || !strings.Contains(err.Error(), "has control characters") {
			t.Errorf("%s: error is %v", name, err)
		}
	}
}
