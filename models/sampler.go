package models

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// A sampler draws P-K batches: P classes with K images each, as indices into the training images.
// The batch of a step is a pure function of (seed, step).
//
// An epoch visits every class once, in an order of its own. A class with fewer than K images gives
// all it has, and the batch is filled from the classes that follow; the last batch of an epoch is
// filled from the classes at the epoch's start. No image is twice in a batch, and every batch has
// P*K images.
type sampler struct {
	seed   uint64
	images int     // K
	size   int     // P*K
	byID   [][]int // images of each class, classes in ascending order of their number

	epoch int            // the epoch that plan holds
	first int            // its first step
	plan  [][]batchClass // classes of each of its steps
	none  bool           // plan holds nothing yet
}

// A batchClass is a class in a batch and how many of its images the batch takes.
type batchClass struct{ class, take int }

// newSampler prepares batches of p classes with k images. classes[i] is the
// class of training image i.
func newSampler(seed uint64, classes []int32, p, k int) (*sampler, error) {
	members := map[int32][]int{}
	for i, c := range classes {
		members[c] = append(members[c], i)
	}
	numbers := make([]int32, 0, len(members))
	for c := range members {
		numbers = append(numbers, c)
	}
	slices.Sort(numbers)
	s := &sampler{seed: seed, images: k, size: p * k, none: true}
	available := 0
	for _, c := range numbers {
		s.byID = append(s.byID, members[c])
		available += min(k, len(members[c]))
	}
	if available < s.size {
		return nil, fmt.Errorf("batch of %d classes x %d images: the training part gives %d images in %d classes at %d a class; "+
			"lower classes or images, such as to classes: %d", p, k, available, len(numbers), k, max(available/k, 1))
	}
	if len(numbers) < 2 {
		return nil, fmt.Errorf("batch of %d classes x %d images: the training part has %d class", p, k, len(numbers))
	}
	return s, nil
}

// batch returns the images of a step, counted from 0, class by class.
func (s *sampler) batch(step int) []int {
	if s.none || step < s.first {
		s.seek(0, 0)
	}
	for step >= s.first+len(s.plan) {
		s.seek(s.epoch+1, s.first+len(s.plan))
	}
	random := stream(s.seed, streamImages, step)
	out := make([]int, 0, s.size)
	for _, v := range s.plan[step-s.first] {
		out = append(out, draw(random, s.byID[v.class], v.take)...)
	}
	return out
}

// seek lays out the steps of an epoch.
func (s *sampler) seek(epoch, first int) {
	order := stream(s.seed, streamClasses, epoch).Perm(len(s.byID))
	s.epoch, s.first, s.plan, s.none = epoch, first, nil, false
	for next := 0; next < len(order); {
		var batch []batchClass
		room := s.size
		seen := map[int]bool{}
		fill := func(from int) int {
			for ; from < len(order) && room > 0; from++ {
				class := order[from]
				if seen[class] {
					continue
				}
				take := min(s.images, room, len(s.byID[class]))
				batch = append(batch, batchClass{class, take})
				seen[class] = true
				room -= take
			}
			return from
		}
		next = fill(next)
		fill(0) // only the epoch's last batch still has room
		s.plan = append(s.plan, batch)
	}
}

// draw returns n different members in random order.
func draw(random *rand.Rand, members []int, n int) []int {
	picked := slices.Clone(members)
	for i := range n {
		j := i + random.IntN(len(picked)-i)
		picked[i], picked[j] = picked[j], picked[i]
	}
	return picked[:n]
}
