package datasets

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"hash"
)

// A contentDigest sums up what a data set holds: set, release, options, each row with its image,
// and what is left out.
type contentDigest struct{ h hash.Hash }

// newDigest returns a digest that has the set, the release and the options.
func newDigest(m Manifest) (contentDigest, error) {
	d := contentDigest{sha256.New()}
	options, err := json.Marshal(m.Options)
	if err != nil {
		return d, err
	}
	d.number(int64(m.Schema))
	d.text(m.Set)
	d.text(m.Release)
	d.text(string(options))
	return d, nil
}

// row adds a row of the data set. Rows come in the order in which they are stored.
func (d contentDigest) row(s stored) {
	d.number(s.row.ID)
	d.text(s.row.Name)
	d.number(int64(s.row.Class))
	d.text(s.row.ClassName)
	d.text(s.row.Superclass)
	d.text(string(s.row.Split))
	d.number(int64(s.row.List))
	d.number(int64(s.width))
	d.number(int64(s.height))
	if s.box != nil {
		d.text("box")
		for _, v := range []int{s.box.X0, s.box.Y0, s.box.X1, s.box.Y1} {
			d.number(int64(v))
		}
	}
	d.h.Write(s.source[:])
	d.h.Write(s.sum[:])
}

// finish adds what is missing or quarantined and returns the digest, hexadecimal.
func (d contentDigest) finish(m Manifest) string {
	for _, name := range m.Missing {
		d.text("missing " + name)
	}
	for _, q := range m.Quarantine {
		d.text("quarantined " + q.Name)
	}
	return hex.EncodeToString(d.h.Sum(nil))
}

// text adds a string, its length first.
func (d contentDigest) text(s string) {
	d.number(int64(len(s)))
	d.h.Write([]byte(s))
}

// number adds a number, 8 bytes, little endian.
func (d contentDigest) number(v int64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(v))
	d.h.Write(b[:])
}
