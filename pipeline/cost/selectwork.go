package cost

import (
	"math"

	"bierbench/datasets"
	"bierbench/models"
)

// evaluationSize returns the number of images that a cell's model is evaluated on, and the searches
// among them.
func evaluationSize(c models.Config, m datasets.Manifest) (images int, all []searchSize, err error) {
	if c.Evaluate == models.EvaluateValidation {
		n := heldOutImages(c, m)
		return n, []searchSize{{1, n, n}}, nil
	}
	all, err = protocolSearches(m)
	return testImages(m), all, err
}

// heldOutImages returns the number of images of the held-out classes, if all classes have the same
// size.
func heldOutImages(c models.Config, m datasets.Manifest) int {
	return int(math.Round(c.HeldOut * float64(trainImages(m))))
}

// selectionWork is the work of selecting a model.
type selectionWork struct {
	looks  int     // comparisons of models
	images int     // that are embedded in a look
	scores float64 // multiply-adds of the search in a look
}

// estimateSelection returns the work of a configuration's selection; it has no looks where the
// configuration selects nothing.
func estimateSelection(c models.Config, m datasets.Manifest) (selectionWork, error) {
	if !c.Selects() {
		return selectionWork{}, nil
	}
	n := heldOutImages(c, m)
	w := selectionWork{looks: (c.Steps + c.SelectEvery - 1) / c.SelectEvery, images: n}
	one := searchSize{1, n, n}
	if c.Selection == models.SelectPeek {
		all, err := protocolSearches(m)
		if err != nil {
			return selectionWork{}, err
		}
		one, w.images = all[0], max(all[0].queries, all[0].gallery)
		if all[0].queries != all[0].gallery { // they are different images
			w.images = all[0].queries + all[0].gallery
		}
	}
	w.scores = float64(one.draws) * float64(one.queries) * float64(one.gallery) * float64(c.Size)
	return w, nil
}
