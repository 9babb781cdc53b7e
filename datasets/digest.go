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
type contentDigest struct {
	hash hash.Hash
	buf  []byte // what is not yet in hash
}

// newDigest returns a digest that has the set, the release and the options.
func newDigest(m Manifest) (*contentDigest, error) {
	options, err := json.Marshal(m.Options)
	if err != nil {
		return nil, err
	}
	d := &contentDigest{hash: sha256.New()}
	d.number(int64(m.Schema))
	d.text(m.Set)
	d.text(m.Release)
	d.text(string(options))
	return d, nil
}

// row adds a row of the data set. Rows come in the order in which they are stored.
func (d *contentDigest) row(s stored) {
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
		d.number(int64(s.box.X0))
		d.number(int64(s.box.Y0))
		d.number(int64(s.box.X1))
		d.number(int64(s.box.Y1))
	}
	d.buf = append(d.buf, s.source[:]...)
	d.buf = append(d.buf, s.sum[:]...)
	d.flush()
}

// finish adds what is missing or quarantined and returns the digest, hexadecimal.
func (d *contentDigest) finish(m Manifest) string {
	for _, name := range m.Missing {
		d.text("missing " + name)
	}
	for _, q := range m.Quarantine {
		d.text("quarantined " + q.Name)
	}
	return d.sum()
}

// sum returns the digest, hexadecimal.
func (d *contentDigest) sum() string {
	d.flush()
	return hex.EncodeToString(d.hash.Sum(nil))
}

// text adds a string, its length first.
func (d *contentDigest) text(s string) {
	d.number(int64(len(s)))
	d.buf = append(d.buf, s...)
}

// number adds a number, 8 bytes, little endian.
func (d *contentDigest) number(v int64) {
	d.buf = binary.LittleEndian.AppendUint64(d.buf, uint64(v))
}

// flush hands buf to hash.
func (d *contentDigest) flush() {
	d.hash.Write(d.buf)
	d.buf = d.buf[:0]
}
