package models

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

// The purposes of the random numbers that training draws as it goes. The comments say what counts
// as a step of each.
const (
	streamClasses = "classes" // order of the classes: by epoch
	streamImages  = "images"  // images of a batch: by optimizer step
	streamAugment = "augment" // view of an image: by image, P*K an optimizer step
)

// stream returns the random numbers of one purpose at one step. It depends on
// nothing else, so a step can be repeated without those before it, and a new
// purpose shifts no other.
func stream(seed uint64, purpose string, step int) *rand.Rand {
	return rand.New(rand.NewPCG(streamState(seed, purpose, step)))
}

// streamState is what the generator of a stream starts from.
func streamState(seed uint64, purpose string, step int) (hi, lo uint64) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d\x00%s\x00%d", seed, purpose, step))
	return binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:])
}
