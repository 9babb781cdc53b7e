package backbones

import (
	"context"

	"bierbench/models/cache"
	"bierbench/models/xla"
)

// AddWeights copies a file of pretrained weights into the cache, unless the backbone of these
// weights cannot read it. name is one of cache.WeightsNames.
func AddWeights(ctx context.Context, folder cache.Cache, name, file string) (cache.Weights, error) {
	return folder.AddWeights(ctx, name, file, func(path string) error {
		for _, b := range All() {
			if b.Weights != name || b.Load == nil {
				continue
			}
			return xla.Catch("read", func() {
				if _, err := b.Load(path); err != nil {
					panic(err)
				}
			})
		}
		return nil
	})
}
