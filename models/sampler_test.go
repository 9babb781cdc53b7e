package models

import (
	"slices"
	"testing"
)

// classesOf returns the class of every image, for classes of the given sizes.
func classesOf(sizes ...int) []int32 {
	var out []int32
	for class, n := range sizes {
		for range n {
			out = append(out, int32(class))
		}
	}
	return out
}

func TestSamplerBatches(t *testing.T) {
	even := make([]int, 30)
	for i := range even {
		even[i] = 6
	}
	cases := []struct {
		name  string // the reason for the case
		sizes []int
		p, k  int
	}{
		{"every class has enough images", even, 6, 5},
		{"the epoch does not divide into whole batches", even[:13], 4, 4},
		{"small classes are filled from further ones", []int{1, 2, 3, 9, 1, 1, 4, 9, 9, 2, 1, 3}, 4, 4},
		{"one batch is exactly everything", []int{2, 2, 2}, 3, 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			classes := classesOf(c.sizes...)
			s, err := newSampler(7, classes, c.p, c.k)
			if err != nil {
				t.Fatal(err)
			}
			visited := map[int32]bool{}
			epoch := 0
			for step := range 40 {
				batch := s.batch(step)
				if s.epoch != epoch {
					if len(visited) != len(c.sizes) {
						t.Fatalf("epoch %d visited %d of %d classes", epoch, len(visited), len(c.sizes))
					}
					visited, epoch = map[int32]bool{}, s.epoch
				}
				if len(batch) != c.p*c.k {
					t.Fatalf("step %d: %d images, want %d", step, len(batch), c.p*c.k)
				}
				sorted := slices.Sorted(slices.Values(batch))
				if len(slices.Compact(sorted)) != len(batch) {
					t.Fatalf("step %d: an image is there twice: %v", step, batch)
				}
				perClass := map[int32]int{}
				for _, i := range batch {
					visited[classes[i]] = true
					perClass[classes[i]]++
					if perClass[classes[i]] > c.k {
						t.Fatalf("step %d: more than %d images of class %d", step, c.k, classes[i])
					}
				}
			}
		})
	}
}

// A batch is a function of (seed, step): a sampler that jumps and one that
// walks agree, and another seed gives other batches.
func TestSamplerIsPure(t *testing.T) {
	classes := classesOf(3, 8, 5, 1, 9, 9, 2, 7, 7, 7)
	walk, err := newSampler(3, classes, 3, 3)
	if err != nil {
		t.Fatal(err)
	}
	var walked [][]int
	for step := range 25 {
		walked = append(walked, walk.batch(step))
	}
	jump, err := newSampler(3, classes, 3, 3)
	if err != nil {
		t.Fatal(err)
	}
	other, err := newSampler(4, classes, 3, 3)
	if err != nil {
		t.Fatal(err)
	}
	same := 0
	for _, step := range []int{24, 3, 17, 0, 24, 9} {
		if got := jump.batch(step); !slices.Equal(got, walked[step]) {
			t.Errorf("step %d: %v after a jump, %v in order", step, got, walked[step])
		}
		if slices.Equal(other.batch(step), walked[step]) {
			same++
		}
	}
	if same > 0 {
		t.Errorf("%d of 6 batches are the same under another seed", same)
	}
}

func TestSamplerRefuses(t *testing.T) {
	for name, sizes := range map[string][]int{
		"fewer images than a batch": {2, 2},
		"one class":                 {40},
	} {
		if _, err := newSampler(1, classesOf(sizes...), 4, 4); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
