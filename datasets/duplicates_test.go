package datasets

import (
	"bytes"
	"image/jpeg"
	"math/bits"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// Copies are found where they are put: a file twice in one class, one in both splits, a JPEG that was
// encoded again in another class. Nothing else of the set is alike.
func TestFindDuplicates(t *testing.T) {
	s := newRawSet(t)
	rows := s.sorted(t) // 3 train classes and 2 test classes of 4
	read := func(r *Row) []byte {
		data, err := os.ReadFile(filepath.Join(s.root, r.File))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	m, err := jpeg.Decode(bytes.NewReader(read(rows[8])))
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err = jpeg.Encode(&again, m, &jpeg.Options{Quality: 60}); err != nil {
		t.Fatal(err)
	}
	s.write(t, rows[1].File, read(rows[0]))
	s.write(t, rows[13].File, read(rows[5]))
	s.write(t, rows[4].File, again.Bytes())
	_, d := s.ingest(t, s.options(t))
	got, err := FindDuplicates(t.Context(), d, 10, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []PairCount{
		{ExactPair, Train, Train, 1, 0}, // 0 and 1
		{ExactPair, Train, Test, 1, 1},  // 5 and 13
		{NearPair, Train, Train, 1, 1},  // 4 and 8
	}
	if len(got.Counts) != len(want) || got.Images != 20 {
		t.Fatalf("counts are %+v, want %+v", got.Counts, want)
	}
	for i, c := range got.Counts {
		if c != want[i] {
			t.Errorf("count is %+v, want %+v", c, want[i])
		}
	}
	for i, p := range [][3]any{{ExactPair, 5, 13}, {NearPair, 4, 8}, {ExactPair, 0, 1}} { // what matters most comes first
		if q := got.Pairs[i]; q.Kind != p[0] || q.A != p[1] || q.B != p[2] {
			t.Errorf("pair %d is %+v, want %v", i, q, p)
		}
	}
	if few, err := FindDuplicates(t.Context(), d, 1, nil); err != nil || len(few.Pairs) != 1 || len(few.Counts) != 3 {
		t.Errorf("with one pair: %+v, %v", few, err)
	}
}

// The search by bands finds what comparing all with all finds, each pair once. Hashes are random, and
// half of them are a few bits from another one.
func TestNearHashes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 0))
	seen := map[uint64]bool{}
	var all []*pairNode
	for len(all) < 2000 {
		hash := r.Uint64()
		if len(all) > 0 && r.IntN(2) == 0 {
			hash = all[r.IntN(len(all))].hash
			for range 1 + r.IntN(6) {
				hash ^= 1 << r.IntN(64)
			}
		}
		if !seen[hash] {
			seen[hash] = true
			all = append(all, &pairNode{hash: hash})
		}
	}
	want := map[[2]uint64]int{}
	for i, a := range all {
		for _, b := range all[i+1:] {
			if distance := bits.OnesCount64(a.hash ^ b.hash); distance <= NearBits {
				want[[2]uint64{a.hash, b.hash}] = distance
			}
		}
	}
	found := 0
	nearHashes(all, func(a, b *pairNode, distance int) {
		found++
		if want[[2]uint64{a.hash, b.hash}] != distance {
			t.Errorf("%x and %x: distance %d, want %d", a.hash, b.hash, distance, want[[2]uint64{a.hash, b.hash}])
		}
	})
	if found != len(want) || found < 500 {
		t.Errorf("%d pairs, want %d", found, len(want))
	}
}

// What the search takes for as many images as Stanford Online Products has, without hashing them.
func BenchmarkNearHashes(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 0))
	all := make([]*pairNode, 120_053)
	for i := range all {
		all[i] = &pairNode{hash: r.Uint64()}
	}
	for b.Loop() {
		nearHashes(all, func(*pairNode, *pairNode, int) {})
	}
}
