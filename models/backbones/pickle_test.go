package backbones

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
)

// tinyDict is the pickle of a state dict by hand: tensor a [2, 2] is the storage 0 of count values,
// which is four bytes.
func tinyDict(count string) string {
	return "\x80\x02ccollections\nOrderedDict\n)R(X\x01\x00\x00\x00actorch._utils\n_rebuild_tensor_v2\n(" +
		"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu" + count +
		"tQK\x00K\x02K\x02\x86K\x02K\x01\x86\x89ccollections\nOrderedDict\n)RtRu."
}

// tinyValues are the four values of storage 0.
func tinyValues() []byte {
	b, err := binary.Append(nil, binary.LittleEndian, []float32{1, 2, 3, 4})
	if err != nil {
		panic(err)
	}
	return b
}

// legacyFile is the older of PyTorch's two formats around a pickle.
func legacyFile(dict string, count uint64, values []byte) []byte {
	out := []byte(legacyMagic + "\x80\x02M\xe9\x03." + "\x80\x02}." + dict + "\x80\x02]X\x01\x00\x00\x000a.")
	return append(binary.LittleEndian.AppendUint64(out, count), values...)
}

// archiveFile is the newer one: a ZIP archive of stored entries, or of others.
func archiveFile(dict string, method uint16, values []byte) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range map[string]string{"archive/data.pkl": dict, "archive/data/0": string(values)} {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		if err == nil {
			_, err = w.Write([]byte(content))
		}
		if err != nil {
			panic(err)
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

const (
	four     = "K\x04N"                           // a storage of 4 values, no view of another one
	fourOnly = "K\x04"                            // the same in an archive
	tebibyte = "\x8a\x06\x00\x00\x00\x00\x00\x01" // a storage of 2^40 values
)

func TestReadStateDict(t *testing.T) {
	for name, content := range map[string][]byte{
		"legacy":  legacyFile(tinyDict(four), 4, tinyValues()),
		"archive": archiveFile(tinyDict(fourOnly), zip.Store, tinyValues()),
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		dict, err := readStateDict(path)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, ok, err := dict.tensor("a")
		if err != nil || !ok || !slices.Equal(got.Shape().Dimensions, []int{2, 2}) ||
			!slices.Equal(tensors.MustCopyFlatData[float32](got), []float32{1, 2, 3, 4}) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if _, ok, err := dict.tensor("b"); ok || err != nil {
			t.Errorf("%s: tensor b: %v, %v", name, ok, err)
		}
	}
}

// Sizes that a file declares are compared with the file's before anything is allocated.
func TestStateDictsThatLie(t *testing.T) {
	damaged := archiveFile(tinyDict(fourOnly), zip.Store, tinyValues())
	at := bytes.Index(damaged, tinyValues())
	damaged[at] ^= 1
	for _, tt := range []struct {
		name    string
		content []byte
		want    string
	}{
		{"a storage of 1 TiB", legacyFile(tinyDict(tebibyte+"N"), 1<<40, tinyValues()), `storage "0": 1099511627776 values, want at most the 16 bytes that follow`},
		{"a count that is negative as a signed number", legacyFile(tinyDict(four), 1<<63, tinyValues()), "values, want at most the 16 bytes"},
		{"another count than the dict's", legacyFile(tinyDict(four), 3, tinyValues()), `storage "0": 3 values, want 4`},
		{"a storage of 1 TiB in an archive", archiveFile(tinyDict(tebibyte), zip.Store, tinyValues()), "16 bytes, want those of 1099511627776 values"},
		{"values that are missing", legacyFile(tinyDict(four), 4, tinyValues()[:15]), "want at most the 15 bytes"},
		{"bytes after the end", legacyFile(tinyDict(four), 4, append(tinyValues(), 0)), "1 bytes after the last storage"},
		{"a word of 2 GiB", legacyFile("\x80\x02X\xff\xff\xff\x7f.", 4, nil), "2147483647 bytes, want at most the"},
		{"bytes of 1 TiB", legacyFile("\x80\x04\x8e\x00\x00\x00\x00\x00\x01\x00\x00.", 4, nil), "1099511627776 bytes, want at most the"},
		{"a frame of 1 TiB", legacyFile("\x80\x04\x95\x00\x00\x00\x00\x00\x01\x00\x00.", 4, nil), "a frame of 1099511627776 bytes"},
		{"a number of 2 GiB", legacyFile("\x80\x02\x8b\xff\xff\xff\x7f.", 4, nil), "2147483647 bytes, want at most the"},
		{"a pickle without end", []byte(legacyMagic + "\x80\x02(((("), "the pickle does not end"},
		{"a line without end", []byte(legacyMagic + "\x80\x02cabc"), "the pickle does not end"},
		{"an operation that there is not", []byte(legacyMagic + "\x80\x02\xff."), "0xff is no operation"},
		{"more operations than any state dict", []byte(legacyMagic + "\x80\x02" + strings.Repeat("N", mostOperations) + "."), "a pickle of more than"},
		{"entries that are compressed, perhaps a thousandfold", archiveFile(tinyDict(fourOnly), zip.Deflate, make([]byte, 1<<20)), "want entries without compression"},
		{"values that do not have their checksum", damaged, "checksum"},
		{"a storage that is not there", archiveFile(strings.Replace(tinyDict(fourOnly), "\x000X", "\x001X", 1), zip.Store, tinyValues()), `there is no entry "1"`},
		{"another version of the format", bytes.Replace(legacyFile(tinyDict(four), 4, tinyValues()), []byte("M\xe9\x03"), []byte("M\xea\x03"), 1), "version 1002 of the format, want 1001"},
		{"keys that are no list", bytes.Replace(legacyFile(tinyDict(four), 4, tinyValues()), []byte("]X\x01\x00\x00\x000a."), []byte("X\x01\x00\x00\x000."), 1), "the storages' keys are a string, want a list"},
		{"a key that the dict has not", bytes.Replace(legacyFile(tinyDict(four), 4, tinyValues()), []byte("0a."), []byte("1a."), 1), "storage 0 of the file is none of the state dict"},
		{"storages that are missing", bytes.TrimSuffix(legacyFile(tinyDict(four), 4, nil), []byte("\x04\x00\x00\x00\x00\x00\x00\x00")), `storage "0": EOF`},
		{"a view of another storage", legacyFile(tinyDict("K\x04X\x01\x00\x00\x00v"), 4, tinyValues()), `storage "0" is a view of another one`},
		{"a negative number of values", legacyFile(tinyDict("J\xff\xff\xff\xffN"), 4, tinyValues()), "want a class, a key and a count"},
		{"what is saved is no storage", legacyFile(strings.Replace(tinyDict(four), "storage", "strange", 1), 4, tinyValues()), "want a storage"},
		{"a number in place of the dict", archiveFile("\x80\x02G\x00\x00\x00\x00\x00\x00\x00\x00.", zip.Store, nil), "holds a float64, want a state dict"},
		{"an archive's pickle without end", archiveFile("\x80\x02((((", zip.Store, nil), `entry "data.pkl": `},
		{"code to run", legacyFile("\x80\x02cos\nsystem\n(X\x02\x00\x00\x00lstR.", 4, nil), `class "system" of module "os"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "weights.pth")
			if err := os.WriteFile(path, tt.content, 0o600); err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := readStateDict(path)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), path) {
				t.Errorf("got %v, want %q and the file's name", err, tt.want)
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > 10<<20 {
				t.Errorf("allocated %d MiB", took>>20)
			}
		})
	}
}

// Tensors of other types than float32 are left out, of whatever size their values are, and so is
// what is no tensor.
func TestStateDictOfOtherTypes(t *testing.T) {
	read := func(content []byte) (stateDict, error) {
		path := filepath.Join(t.TempDir(), "weights.pth")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return readStateDict(path)
	}
	for class, size := range map[string]int{ // as PyTorch stores them, bytes
		"HalfStorage": 2, "DoubleStorage": 8, "CharStorage": 1, "ShortStorage": 2, "IntStorage": 4, "LongStorage": 8,
		"ByteStorage": 1, "BoolStorage": 1, "BFloat16Storage": 2,
	} {
		values := make([]byte, 4*size)
		dict := func(count string) string { return strings.Replace(tinyDict(count), "FloatStorage", class, 1) }
		for name, content := range map[string][]byte{
			"legacy":  legacyFile(dict(four), 4, values),
			"archive": archiveFile(dict(fourOnly), zip.Store, values),
		} {
			if got, err := read(content); err != nil || len(got) != 0 {
				t.Errorf("%s of %s: %d tensors, %v; want none and no error", name, class, len(got), err)
			}
		}
		if _, err := read(legacyFile(dict(four), 4, values[1:])); err == nil || !strings.Contains(err.Error(), `storage "0": 4 values, want at most the`) {
			t.Errorf("%s with a byte less: %v", class, err)
		}
	}
	// A plain dict of the number 1.
	if got, err := read(archiveFile("\x80\x02}X\x01\x00\x00\x00aK\x01s.", zip.Store, nil)); err != nil || len(got) != 0 {
		t.Errorf("a dict of numbers: %d tensors, %v", len(got), err)
	}
}

func FuzzStateDict(f *testing.F) {
	f.Add(legacyFile(tinyDict(four), 4, tinyValues()))
	f.Add(archiveFile(tinyDict(fourOnly), zip.Store, tinyValues()))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "weights.pth")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		dict, err := readStateDict(path)
		if err != nil {
			return
		}
		for name := range dict {
			if v, _, err := dict.tensor(name); err == nil && int(v.ByteSize()) > len(content) {
				t.Errorf("%d bytes of a tensor from a file of %d", v.ByteSize(), len(content))
			}
		}
	})
}
