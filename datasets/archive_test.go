package datasets

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A packed is one member of an archive that a test writes.
type packed struct {
	name string
	data string
	kind byte // of a tar header; 0 stands for a regular file
}

// zipOf returns a zip file. An odd member is stored, an even one deflated.
func zipOf(tb testing.TB, members ...packed) []byte {
	tb.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i, m := range members {
		h := &zip.FileHeader{Name: m.name, Method: zip.Deflate}
		if i%2 == 1 {
			h.Method = zip.Store
		}
		switch m.kind {
		case tar.TypeSymlink:
			h.SetMode(fs.ModeSymlink | 0o777)
		case tar.TypeChar:
			h.SetMode(fs.ModeDevice | fs.ModeCharDevice | 0o600)
		default:
			h.SetMode(0o644)
		}
		w, err := z.CreateHeader(h)
		if err != nil {
			tb.Fatal(err)
		}
		if _, err = io.WriteString(w, m.data); err != nil && m.data != "" {
			tb.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// tarOf returns a tar file.
func tarOf(tb testing.TB, members ...packed) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Typeflag: m.kind, Mode: 0o644, Size: int64(len(m.data))}
		switch {
		case m.kind == tar.TypeSymlink || m.kind == tar.TypeLink:
			h.Linkname = "/etc/passwd"
		case m.kind == 0 && strings.HasSuffix(m.name, "/"):
			h.Typeflag = tar.TypeDir
		case m.kind == 0:
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(h); err != nil {
			tb.Fatal(err)
		}
		if _, err := io.WriteString(w, m.data); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// gzipOf compresses data.
func gzipOf(tb testing.TB, data []byte) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(data)
	if err = errors.Join(err, w.Close()); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// filesBelow returns what is in a folder as members with a folder in front.
func filesBelow(tb testing.TB, dir, prefix string) []packed {
	tb.Helper()
	var all []packed
	for name, data := range contents(tb, dir) {
		all = append(all, packed{name: prefix + filepath.ToSlash(name), data: data})
	}
	slices.SortFunc(all, func(a, b packed) int { return strings.Compare(a.name, b.name) })
	return all
}

// writeTo writes a file into a new folder and returns its path.
func writeTo(tb testing.TB, dir, name string, data []byte) string {
	tb.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		tb.Fatal(err)
	}
	return file
}

// smallMini writes miniature sets that are as small as they can be.
func smallMini(tb testing.TB) string {
	tb.Helper()
	raw := tb.TempDir()
	if err := WriteMini(tb.Context(), raw, MiniOptions{Seed: 1, Classes: 3, Images: 2}); err != nil {
		tb.Fatal(err)
	}
	return raw
}

// ingestMini ingests a miniature set.
func ingestMini(tb testing.TB, set Set, raw string) (*Manifest, error) {
	tb.Helper()
	o := DefaultIngestOptions()
	o.Raw, o.Out, o.Custom, o.Workers, o.Size = raw, tb.TempDir(), MiniRelease, 2, 32
	m, dir, err := Ingest(tb.Context(), set, o)
	left, globbed := filepath.Glob(filepath.Join(o.Out, ".unpacked*"))
	if globbed != nil || len(left) > 0 {
		tb.Errorf("ingest left %v", left)
	}
	if err == nil {
		_, err = Verify(tb.Context(), dir, nil)
	}
	return m, err
}

// An archive of any kind is the data set that its folder is, in every layout, with what macOS puts into
// archives and without folders of their own in the directory.
func TestIngestArchives(t *testing.T) {
	raw := smallMini(t)
	for _, set := range Published() {
		t.Run(set.Name, func(t *testing.T) {
			dir, err := Locate(set, raw)
			if err != nil {
				t.Fatal(err)
			}
			want, err := ingestMini(t, set, dir)
			if err != nil {
				t.Fatal(err)
			}
			top := set.Folders[0]
			members := append(filesBelow(t, dir, top+"/"), packed{name: "__MACOSX/" + top + "/._x", data: "resource fork"}, packed{name: top + "/.DS_Store"})
			slices.Reverse(members) // an order that is not the lists'
			flat := append([]packed{{name: "./"}}, filesBelow(t, dir, "./")...)
			zipped, tarred := zipOf(t, members...), tarOf(t, members...)
			for name, data := range map[string][]byte{
				top + ".zip": zipped, top + ".tar": tarred, top + ".tgz": gzipOf(t, tarred), "download.tar.gz": gzipOf(t, tarOf(t, flat...)),
				"unpacked on the way.tgz": tarred, "in upper case.ZIP": zipped,
			} {
				file := writeTo(t, t.TempDir(), name, data)
				raws := []string{file}
				if strings.HasPrefix(name, top) {
					raws = append(raws, filepath.Dir(file)) // the folder that holds the published archive
				}
				for _, raw := range raws {
					m, err := ingestMini(t, set, raw)
					if err != nil {
						t.Errorf("%s: %v", raw, err)
						continue
					}
					note := ", read from " + name
					if name != "download.tar.gz" {
						note += " (2 members of macOS left out)"
					}
					if m.Digest != want.Digest || m.Layout != want.Layout+note {
						t.Errorf("%s: digest %.8s, layout %s, want %.8s and %s", name, m.Digest, m.Layout, want.Digest, want.Layout+note)
					}
				}
			}
		})
	}
}

// Published archives that lie in the folder of the lists are read there.
func TestIngestArchivesInFolder(t *testing.T) {
	raw := smallMini(t)
	for name, c := range map[string]struct {
		set  Set
		move map[string]string // folder to the archive that takes its place
	}{
		"cub images":        {cub(), map[string]string{"images": "images.tgz"}},
		"inshop img":        {inshop(), map[string]string{"Img/img": "Img/img.zip"}},
		"inshop everything": {inshop(), map[string]string{"Img": "Img-20260101T120000Z-001.zip", "Anno": "Anno.zip", "Eval": "Eval.tgz"}},
		"vehicleid":         {vehicleid(), map[string]string{"image": "image.zip"}},
		"cars devkit":       {cars196(), map[string]string{"devkit": "car_devkit.tgz", "car_ims": "car_ims.tgz", "cars_train": "cars_train.tgz", "cars_test": "cars_test.tgz"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := Locate(c.set, raw)
			if err != nil {
				t.Fatal(err)
			}
			want, err := ingestMini(t, c.set, dir)
			if err != nil {
				t.Fatal(err)
			}
			home := filepath.Join(t.TempDir(), "one", "two")
			if err = os.CopyFS(home, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			for folder, archive := range c.move {
				path := filepath.Join(home, folder)
				if _, err = os.Stat(path); err != nil {
					continue // the miniature has another layout
				}
				members := filesBelow(t, path, filepath.Base(folder)+"/")
				data := zipOf(t, members...)
				if strings.HasSuffix(archive, ".tgz") {
					data = gzipOf(t, tarOf(t, members...))
				}
				writeTo(t, home, archive, data)
				if err = os.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
			}
			for _, raw := range []string{home, filepath.Dir(home)} {
				m, err := ingestMini(t, c.set, raw)
				if err != nil || m.Digest != want.Digest || !strings.Contains(m.Layout, "read from ") {
					t.Errorf("got %+v, %v", m, err)
				}
			}
		})
	}
}

// Nothing in an archive leads out of it, and nothing is larger than the archive says.
func TestArchiveRefuses(t *testing.T) {
	good := packed{name: "a/b.txt", data: "hello"}
	large := packed{name: "zeros", data: strings.Repeat("\x00", 1<<20)}
	encrypted := zipOf(t, good)
	for _, at := range []int{6, bytes.Index(encrypted, []byte("PK\x01\x02")) + 8} { // the flags of both headers
		encrypted[at] |= encryptedZip
	}
	deflate64 := zipOf(t, good)
	for _, at := range []int{8, bytes.Index(deflate64, []byte("PK\x01\x02")) + 10} { // the method
		deflate64[at] = 9
	}
	var commented bytes.Buffer
	w := tar.NewWriter(&commented)
	h := &tar.Header{Name: "holes", Typeflag: tar.TypeReg, Format: tar.FormatPAX, PAXRecords: map[string]string{"comment": "fourteen bytes"}}
	if err := errors.Join(w.WriteHeader(h), w.Close()); err != nil {
		t.Fatal(err)
	}
	holes := bytes.Replace(commented.Bytes(), []byte("comment=fourteen bytes"), []byte("GNU.sparse.name=abcdef"), 1) // the writer refuses it
	whole := tarOf(t, good, packed{name: "c.txt", data: "more"})
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"zip above":             {zipOf(t, good, packed{name: "../x", data: "y"}), `member "../x" is refused: its path leaves the archive`},
		"tar above":             {tarOf(t, good, packed{name: "a/../../x", data: "y"}), `member "a/../../x" is refused: its path leaves the archive`},
		"zip absolute":          {zipOf(t, packed{name: "/etc/passwd", data: "y"}), `member "/etc/passwd" is refused: its path is absolute`},
		"tar absolute":          {tarOf(t, packed{name: "/etc/passwd", data: "y"}), `member "/etc/passwd" is refused: its path is absolute`},
		"absolute behind a dot": {tarOf(t, packed{name: ".//etc/../../x", data: "y"}), `its path leaves the archive`},
		"zip backslash":         {zipOf(t, packed{name: `..\x`, data: "y"}), `is refused: its path has a backslash`},
		"control characters":    {zipOf(t, packed{name: "a\x1b[2J", data: "y"}), `member "a\x1b[2J" is refused: its path has control characters`},
		"long name":             {tarOf(t, packed{name: strings.Repeat("x/", 3000) + "y"}), `has a name of 6001 bytes, want at most 4096`},
		"zip link":              {zipOf(t, packed{name: "a/link", data: "/etc/passwd", kind: tar.TypeSymlink}), `member "a/link" is refused: it is a symbolic link`},
		"tar link":              {tarOf(t, packed{name: "a/link", kind: tar.TypeSymlink}), `member "a/link" is refused: it is a symbolic link`},
		"tar hard link":         {tarOf(t, packed{name: "a/link", kind: tar.TypeLink}), `member "a/link" is refused: it is a hard link`},
		"zip device":            {zipOf(t, packed{name: "tty", kind: tar.TypeChar}), `member "tty" is refused: it is a device`},
		"tar device":            {tarOf(t, packed{name: "tty", kind: tar.TypeChar}), `member "tty" is refused: it is a device`},
		"tar pipe":              {tarOf(t, packed{name: "p", kind: tar.TypeFifo}), `member "p" is refused: it is a pipe`},
		"tar with holes":        {holes, `member "holes" is refused: it has holes`},
		"unknown kind":          {tarOf(t, packed{name: "p", kind: 'Q'}), `member "p" is refused: it is of the unknown kind 'Q'`},
		"zip twice":             {zipOf(t, good, good), `member "a/b.txt" comes twice`},
		"tar twice":             {tarOf(t, good, packed{name: "./a/b.txt"}), `member "./a/b.txt" comes twice, first as "a/b.txt"`},
		"file and folder":       {tarOf(t, good, packed{name: "a", data: "x"}), `member "a" is a file and a folder`},
		"folder and file":       {zipOf(t, packed{name: "a", data: "x"}, good), `member "a/b.txt" is a folder and a file`},
		"encrypted":             {encrypted, `member "a/b.txt" is encrypted: unpack the archive with the publisher's password`},
		"deflate64":             {deflate64, `member "a/b.txt" is compressed in a way that is not read (method 9)`},
		"zip bomb":              {zipOf(t, large), `member "zeros" is refused: the archive unpacks to more than 100 times its size`},
		"tgz bomb":              {gzipOf(t, tarOf(t, large)), `member "zeros" is refused: the archive unpacks to more than 100 times its size`},
		"large":                 {tarOf(t, packed{name: "x", data: strings.Repeat("1234567", 1<<20)}), `member "x" is refused: the archive unpacks to more than 4194304 bytes`},
		"zip cut off":           {zipOf(t, good)[:60], "zip file has no directory at its end: it is cut off or damaged"},
		"tar cut off":           {whole[:1536+2], `member "c.txt" is cut off`},
		"tar cut off between":   {whole[:1024], `member "a/b.txt" is the last one, without an end of the archive`},
		"tgz cut off":           {gzipOf(t, whole)[:90], "is cut off: the archive is not whole"},
		"tgz with a wrong sum":  {flipped(gzipOf(t, whole), -6), "is damaged: gzip: invalid checksum"},
		"web page":              {[]byte("<!DOCTYPE html><title>Log in"), `want an archive (.tar.gz, .tgz, .tar, .zip), but the file begins with "<!DOCTYPE html>`},
		"empty":                 {nil, `but the file begins with ""`},
		"gzip of something":     {gzipOf(t, []byte("text")), "is cut off"},
		"too many":              {zipOf(t, slices.Repeat([]packed{{name: "d/"}}, 99)...), `is one too many: want at most 64 members`},
	} {
		t.Run(name, func(t *testing.T) {
			l := standardArchiveLimits()
			l.members, l.total, l.free = 64, 4<<20, 1<<19
			file := writeTo(t, t.TempDir(), "x.zip", c.data)
			a, err := openArchive(t.Context(), file, ".", t.TempDir(), l)
			if err == nil {
				t.Fatalf("opened %v", a.members)
			}
			wantError(t, err, file, c.want)
		})
	}
}

// flipped returns data with a bit turned, counted from the end for a negative offset.
func flipped(data []byte, at int) []byte {
	data = bytes.Clone(data)
	data[(at+len(data))%len(data)] ^= 4
	return data
}

// A member that does not hold what the directory says is an error where it is read.
func TestArchiveLies(t *testing.T) {
	data := zipOf(t, packed{name: "a", data: strings.Repeat("photo", 100)}, packed{name: "b", data: strings.Repeat("photo", 100)})
	directory := bytes.Index(data, []byte("PK\x01\x02"))
	second := directory + 4 + bytes.Index(data[directory+4:], []byte("PK\x01\x02"))
	for name, c := range map[string]struct {
		member string
		change func([]byte)
		want   string
	}{
		"more":     {"a", func(d []byte) { binary.LittleEndian.PutUint32(d[directory+24:], 20) }, `member "a" is refused: it unpacks to more than the 20 bytes that the archive says`},
		"less":     {"a", func(d []byte) { binary.LittleEndian.PutUint32(d[directory+24:], 600) }, `member "a" is cut off`},
		"checksum": {"b", func(d []byte) { d[second+16] ^= 1 }, `member "b" is damaged: zip: checksum error`},
		"content":  {"b", func(d []byte) { d[bytes.LastIndex(d[:directory], []byte("photo"))] ^= 1 }, `member "b" is damaged: zip: checksum error`},
		"place":    {"b", func(d []byte) { binary.LittleEndian.PutUint32(d[second+42:], uint32(len(d)-30)) }, `member "b" is`},
	} {
		t.Run(name, func(t *testing.T) {
			d := bytes.Clone(data)
			c.change(d)
			a, err := openArchive(t.Context(), writeTo(t, t.TempDir(), "x.zip", d), ".", "", standardArchiveLimits())
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			f, size, err := a.open(c.member)
			if err == nil {
				_, err = io.ReadFull(f, make([]byte, size))
			}
			wantError(t, err, "x.zip", c.want)
		})
	}
}

// Whatever is in an archive, it is opened within its limits or refused.
func FuzzArchive(f *testing.F) {
	members := []packed{{name: "top/"}, {name: "top/a.txt", data: "1 2\n"}, {name: "top/b/c.jpg", data: strings.Repeat("x", 600)}, {name: "__MACOSX/._a", data: "?"}}
	f.Add(zipOf(f, members...))
	f.Add(tarOf(f, members...))
	f.Add(gzipOf(f, tarOf(f, members...)))
	f.Add(tarOf(f, packed{name: strings.Repeat("long/", 40) + "x", data: "y"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		l := archiveLimits{members: 100, names: 10000, directory: 1 << 16, total: 1 << 20, ratio: 100, free: 1 << 12}
		dir := t.TempDir()
		a, err := openArchive(t.Context(), writeTo(t, dir, "x.zip", data), ".", dir, l)
		if err != nil {
			return
		}
		defer a.Close()
		s := &Source{name: "x.zip", base: ".", layers: []layer{a}, folded: folded{}}
		err = walkSource(s, ".", func(name string, info fs.FileInfo) error {
			if !fs.ValidPath(name) {
				t.Fatalf("name is %q", name)
			}
			if info.IsDir() {
				return nil
			}
			r, size, damaged := s.Open(name)
			if damaged != nil {
				return nil
			}
			defer r.Close()
			read, failed := io.ReadAll(r)
			if int64(len(read)) > size || failed == nil && int64(len(read)) != size {
				t.Fatalf("%q has %d bytes, read %d", name, size, len(read))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

// walkSource calls use with every name in a source.
func walkSource(s *Source, dir string, use func(name string, info fs.FileInfo) error) error {
	entries, err := s.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("list %q: %w", dir, err)
	}
	for _, e := range entries {
		name := strings.TrimPrefix(dir+"/"+e.Name(), "./")
		info, err := s.Stat(name)
		if err == nil {
			err = use(name, info)
		}
		if err == nil && info.IsDir() {
			err = walkSource(s, name, use)
		}
		if err != nil {
			return fmt.Errorf("%q: %w", name, err)
		}
	}
	return nil
}

// An archive that takes long is left when the context ends.
func TestArchiveCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	data := tarOf(t, packed{name: "a", data: "b"})
	for name, data := range map[string][]byte{"x.tar": data, "x.tgz": gzipOf(t, data)} {
		if _, err := openArchive(ctx, writeTo(t, t.TempDir(), name, data), ".", t.TempDir(), standardArchiveLimits()); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a .tgz file is unpacked to has no name while it is open, so that nothing stays after a kill.
func TestSpoolFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "datasets")
	f, err := spoolFile(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if entries, failed := os.ReadDir(dir); failed != nil || len(entries) > 0 {
		t.Errorf("folder holds %v, %v", entries, failed)
	}
	if _, err = f.WriteString("content"); err != nil {
		t.Error(err)
	}
}
