package datasets

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"math/bits"
	"runtime"
	"slices"

	"github.com/corona10/goimagehash"
)

// The words for how two images are alike.
const (
	ExactPair   = "exact"   // their source files have the same SHA-256
	NearPair    = "near"    // their perceptual hashes differ in at most NearBits bits
	FeaturePair = "feature" // the cosine of their features is high
)

// NearBits is the largest Hamming distance of the 64-bit perceptual hashes of two images that count as near
// duplicates.
const NearBits = 4

// Duplicates are the pairs of images of a data set that are alike.
type Duplicates struct {
	Set     string      `json:"set"`
	Variant string      `json:"variant"`
	Digest  string      `json:"digest"`
	Images  int         `json:"images"`
	Counts  []PairCount `json:"counts"`
	Pairs   []Pair      `json:"pairs"` // those that matter most, at most as many as were asked for
}

// PairCount is the number of pairs of a kind between two splits.
type PairCount struct {
	Kind       string `json:"kind"`
	A          Split  `json:"a"`
	B          Split  `json:"b"` // not before A in the order of splits
	Pairs      int    `json:"pairs"`
	OtherClass int    `json:"other_class"` // of them, those of two classes
}

// Pair is two images that are alike: rows of the data set, A before B.
type Pair struct {
	Kind     string    `json:"kind"`
	A        int       `json:"-"`
	B        int       `json:"-"`
	Names    [2]string `json:"names"`
	Splits   [2]Split  `json:"splits"`
	Classes  [2]int32  `json:"classes"`
	IDs      [2]int64  `json:"ids"`
	Distance int       `json:"distance"` // bits of the perceptual hashes; 0 for an exact pair, -1 where it was not measured
	Cosine   float32   `json:"cosine,omitempty"`
}

// NewPair returns the pair of two rows, of a kind.
func (d *Dataset) NewPair(kind string, a, b int) Pair {
	a, b = min(a, b), max(a, b)
	return Pair{
		Kind: kind, A: a, B: b, Distance: -1,
		Names: [2]string{d.Name(a), d.Name(b)}, Splits: [2]Split{d.Split(a), d.Split(b)},
		Classes: [2]int32{d.Class(a), d.Class(b)}, IDs: [2]int64{d.ID(a), d.ID(b)},
	}
}

// Less reports whether a pair matters more than another: first those across splits, then those of two
// classes, then the more alike.
func (p Pair) Less(q Pair) bool {
	rank := func(p Pair) int {
		n := 0
		if p.Splits[0] == p.Splits[1] {
			n += 2
		}
		if p.Classes[0] == p.Classes[1] {
			n++
		}
		return n
	}
	return cmp.Or(cmp.Compare(rank(p), rank(q)), cmp.Compare(p.Distance, q.Distance), cmp.Compare(q.Cosine, p.Cosine),
		cmp.Compare(p.A, q.A), cmp.Compare(p.B, q.B)) < 0
}

// FindDuplicates looks for images that are there more than once: by the SHA-256 of the source files, and by
// a 64-bit perceptual hash of the stored images, the signs of the low frequencies of their cosine transform
// at 64 x 64 pixels. Every image is decoded once. Pairs are found through five bands of the hash, of which
// two hashes that differ in at most four bits share one, so that none is missed and images are not
// compared one by one. At most most pairs are returned, all are counted.
func FindDuplicates(ctx context.Context, d *Dataset, most int, progress func(done, total int)) (*Duplicates, error) {
	hashes, err := d.perceptualHashes(ctx, progress)
	if err != nil {
		return nil, fmt.Errorf("audit %s/%s: %w", d.Manifest.Set, d.Manifest.Variant, err)
	}
	s := newPairSearch(d, hashes, most)
	s.exact()
	s.near()
	out := &Duplicates{
		Set: d.Manifest.Set, Variant: d.Manifest.Variant, Digest: d.Manifest.Digest, Images: d.Len(), Counts: s.counted(), Pairs: s.best(),
	}
	return out, ctx.Err()
}

// perceptualHashes returns the hash of every row's image.
func (d *Dataset) perceptualHashes(ctx context.Context, progress func(done, total int)) ([]uint64, error) {
	type result struct {
		hash uint64
		err  error
	}
	workers := runtime.GOMAXPROCS(0)
	hashes := make([]uint64, 0, d.Len())
	work := func(i int) (r result) {
		r.hash, r.err = d.perceptualHash(i)
		return r
	}
	err := inOrder(ctx, d.Rows(), workers, 4*workers, work, func(r result) error {
		if r.err != nil {
			return r.err
		}
		hashes = append(hashes, r.hash)
		if progress != nil {
			progress(len(hashes), d.Len())
		}
		return nil
	})
	return hashes, err
}

// perceptualHash returns the hash of row i's image.
func (d *Dataset) perceptualHash(i int) (uint64, error) {
	const side = 64 // of the image that the library transforms
	r, err := d.decodeRow(i)
	if err != nil {
		return 0, err
	}
	pixels := resample(r, side, side, Box{0, 0, side, side})
	m := image.NewRGBA(image.Rect(0, 0, side, side))
	for k := range side * side {
		copy(m.Pix[4*k:], pixels[3*k:3*k+3])
		m.Pix[4*k+3] = 0xff
	}
	hash, err := goimagehash.PerceptionHash(m)
	if err != nil {
		return 0, fmt.Errorf("row %d (%s): %w", i, d.Name(i), err)
	}
	return hash.GetHash(), nil
}

// A place is a split and a class of it.
type place struct {
	split Split
	class int32
}

// A pairNode is images that have the same hash, or the same source file.
type pairNode struct {
	hash   uint64
	rows   []int
	places []place // of the rows, each once
	counts []int   // rows at each place
}

// A pairSearch counts pairs and keeps those that matter most.
type pairSearch struct {
	d      *Dataset
	hashes []uint64
	most   int
	counts map[PairCount]*PairCount // by kind and splits
	pairs  []Pair
}

// newPairSearch returns a search of the rows that have these hashes.
func newPairSearch(d *Dataset, hashes []uint64, most int) *pairSearch {
	return &pairSearch{d: d, hashes: hashes, most: most, counts: map[PairCount]*PairCount{}}
}

// nodes groups the rows by a key, in the order of the first row of each.
func nodes[K comparable](s *pairSearch, key func(i int) K) []*pairNode {
	at := map[K]*pairNode{}
	var all []*pairNode
	for i, hash := range s.hashes {
		k := key(i)
		n := at[k]
		if n == nil {
			n = &pairNode{hash: hash}
			at[k] = n
			all = append(all, n)
		}
		n.rows = append(n.rows, i)
		where := place{s.d.Split(i), s.d.Class(i)}
		if last := len(n.places) - 1; last >= 0 && n.places[last] == where { // rows are sorted by it
			n.counts[last]++
			continue
		}
		n.places, n.counts = append(n.places, where), append(n.counts, 1)
	}
	return all
}

// exact finds pairs with the same source file.
func (s *pairSearch) exact() {
	for _, n := range nodes(s, s.d.SHA256) {
		s.within(ExactPair, n)
		s.show(ExactPair, n, n, 0)
	}
}

// near finds pairs whose hashes are near, but for the exact ones.
func (s *pairSearch) near() {
	all := nodes(s, func(i int) uint64 { return s.hashes[i] })
	for _, n := range all {
		s.within(NearPair, n)
		s.show(NearPair, n, n, 0)
	}
	for _, c := range s.counts { // exact pairs have equal hashes
		if c.Kind != ExactPair {
			continue
		}
		near := s.counts[PairCount{Kind: NearPair, A: c.A, B: c.B}]
		near.Pairs, near.OtherClass = near.Pairs-c.Pairs, near.OtherClass-c.OtherClass
	}
	nearHashes(all, func(a, b *pairNode, distance int) {
		for i, p := range a.places {
			for k, q := range b.places {
				s.count(NearPair, p, q, a.counts[i]*b.counts[k])
			}
		}
		s.show(NearPair, a, b, distance)
	})
}

// within counts the pairs of a node with itself.
func (s *pairSearch) within(kind string, n *pairNode) {
	for i, p := range n.places {
		if c := n.counts[i]; c > 1 {
			s.count(kind, p, p, c*(c-1)/2)
		}
		for k := i + 1; k < len(n.places); k++ {
			s.count(kind, p, n.places[k], n.counts[i]*n.counts[k])
		}
	}
}

// count adds pairs between two places.
func (s *pairSearch) count(kind string, p, q place, pairs int) {
	if splitRank(p.split) > splitRank(q.split) {
		p, q = q, p
	}
	key := PairCount{Kind: kind, A: p.split, B: q.split}
	c := s.counts[key]
	if c == nil {
		c = &key
		s.counts[PairCount{Kind: kind, A: p.split, B: q.split}] = c
	}
	c.Pairs += pairs
	if p.class != q.class {
		c.OtherClass += pairs
	}
}

// mostOfNodes is how many pairs of two nodes may be shown.
const mostOfNodes = 32

// show keeps some pairs of two nodes, or of a node with itself: those whose rows are far apart in the order
// of splits and classes come first, for they are of two splits or classes.
func (s *pairSearch) show(kind string, a, b *pairNode, distance int) {
	shown := 0
all:
	for i, x := range a.rows {
		for k, y := range slices.Backward(b.rows) {
			if a == b && k <= i {
				break
			}
			if kind == NearPair && s.d.SHA256(x) == s.d.SHA256(y) {
				continue
			}
			p := s.d.NewPair(kind, x, y)
			p.Distance = distance
			s.pairs = append(s.pairs, p)
			if shown++; shown == mostOfNodes {
				break all
			}
		}
	}
	if len(s.pairs) > 4*s.most+1024 {
		s.pairs = s.best()
	}
}

// best returns the pairs that matter most.
func (s *pairSearch) best() []Pair {
	sortPairs(s.pairs)
	return slices.Clone(s.pairs[:min(len(s.pairs), s.most)])
}

// sortPairs puts the pairs that matter most first.
func sortPairs(pairs []Pair) {
	slices.SortFunc(pairs, func(p, q Pair) int {
		switch {
		case p.Less(q):
			return -1
		case q.Less(p):
			return 1
		}
		return 0
	})
}

// counted returns the counts that are not 0, by kind and in the order of splits.
func (s *pairSearch) counted() []PairCount {
	all := []PairCount{}
	for _, c := range s.counts {
		if c.Pairs > 0 {
			all = append(all, *c)
		}
	}
	slices.SortFunc(all, func(a, b PairCount) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(splitRank(a.A), splitRank(b.A)), cmp.Compare(splitRank(a.B), splitRank(b.B)))
	})
	return all
}

// nearHashes calls use with every two nodes whose hashes differ in 1 to NearBits bits. The hash is cut into
// NearBits+1 bands: hashes that differ in so few bits have a band in common.
func nearHashes(all []*pairNode, use func(a, b *pairNode, distance int)) {
	const bands = NearBits + 1
	band := func(hash uint64, i int) uint64 {
		from, to := i*64/bands, (i+1)*64/bands
		return hash >> from & (1<<(to-from) - 1)
	}
	for i := range bands {
		buckets := map[uint64][]*pairNode{}
		for _, n := range all {
			key := band(n.hash, i)
			for _, other := range buckets[key] {
				distance := bits.OnesCount64(n.hash ^ other.hash)
				if distance == 0 || distance > NearBits {
					continue
				}
				seen := false // in an earlier band
				for k := range i {
					seen = seen || band(n.hash, k) == band(other.hash, k)
				}
				if !seen {
					use(other, n, distance)
				}
			}
			buckets[key] = append(buckets[key], n)
		}
	}
}

// SumPairs counts pairs that were found elsewhere, such as by features, and returns those that matter most.
// No two of them are alike.
func SumPairs(pairs []Pair, most int) ([]PairCount, []Pair) {
	s := &pairSearch{most: most, counts: map[PairCount]*PairCount{}, pairs: pairs}
	for _, p := range pairs {
		s.count(p.Kind, place{p.Splits[0], p.Classes[0]}, place{p.Splits[1], p.Classes[1]}, 1)
	}
	return s.counted(), s.best()
}
