package models

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

// stream returns the random numbers of one purpose at one step. It depends on
// nothing else, so a step can be repeated without those before it, and a new
// purpose shifts no other.
func stream(seed uint64, purpose string, step int) *rand.Rand {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d\x00%s\x00%d", seed, purpose, step))
	return rand.New(rand.NewPCG(binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:])))
}
