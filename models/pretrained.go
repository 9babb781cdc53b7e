package models

import "context"

// AddWeights copies a file of pretrained weights into the cache, after the
// backbone that they are of has read it without complaint.
func AddWeights(ctx context.Context, cache Cache, name, file string) (Weights, error) {
	return cache.AddWeights(ctx, name, file, func(path string) error {
		for _, b := range Backbones() {
			if b.Weights != name || b.Load == nil {
				continue
			}
			return catch("read", func() {
				if _, err := b.Load(path); err != nil {
					panic(err)
				}
			})
		}
		return nil
	})
}
