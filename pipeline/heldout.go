package pipeline

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"bierbench/datasets"
	"bierbench/models"
)

// validationProtocol follows the name of the set in the name of the protocol for held-out classes:
// leave-one-out among their training images.
const validationProtocol = "-validation"

// rowDivision is the division of the rows of a data set by one configuration.
type rowDivision struct {
	train   []int // rows of the classes that are trained on
	heldOut []int // rows of the training classes that are held out
	test    []int // rows that the model is evaluated on, ascending
}

// divideRows divides the rows of a data set. The held-out classes depend on the training classes
// and the share alone. They are the same for every method and every seed, so that settings are
// compared on the same images.
func divideRows(data *datasets.Dataset, c models.Config) (rowDivision, error) {
	p := rowDivision{train: data.Rows(datasets.Train), test: data.Rows(datasets.Test, datasets.Query, datasets.Gallery)}
	if !c.HoldsOut() {
		return p, nil
	}
	all := p.train
	var classes []int32
	for _, row := range all {
		classes = append(classes, data.Class(row))
	}
	held, err := heldOutClasses(classes, c.HeldOut)
	if err != nil {
		return rowDivision{}, fmt.Errorf("%s: %w", data.Manifest.Set, err)
	}
	p.train = nil
	for i, row := range all {
		if _, out := slices.BinarySearch(held, classes[i]); out {
			p.heldOut = append(p.heldOut, row)
		} else {
			p.train = append(p.train, row)
		}
	}
	if c.Evaluate == models.EvaluateValidation {
		p.test = p.heldOut
	}
	return p, nil
}

// heldOutClasses draws the share of the classes that is held out, at least two classes, and returns
// them in ascending order.
func heldOutClasses(classes []int32, share float64) ([]int32, error) {
	distinct := slices.Compact(slices.Sorted(slices.Values(classes)))
	n := max(2, int(math.Round(share*float64(len(distinct)))))
	if len(distinct)-n < 2 {
		return nil, fmt.Errorf("held_out: %g of %d training classes leaves %d to train on; want at least 2",
			share, len(distinct), max(len(distinct)-n, 0))
	}
	seed := sha256.Sum256([]byte("held out"))
	random := rand.New(rand.NewPCG(binary.LittleEndian.Uint64(seed[:]), binary.LittleEndian.Uint64(seed[8:])))
	random.Shuffle(len(distinct), func(i, j int) { distinct[i], distinct[j] = distinct[j], distinct[i] })
	held := distinct[:n]
	slices.Sort(held)
	return held, nil
}

// protocolsOf returns the protocols that a configuration's model is evaluated by on a data set.
func protocolsOf(m datasets.Manifest, c models.Config) ([]datasets.Protocol, error) {
	if c.Evaluate != models.EvaluateValidation {
		return m.Protocols()
	}
	set, err := datasets.Lookup(m.Set)
	return []datasets.Protocol{validationProtocolOf(set)}, err
}

// recordedProtocols returns every protocol that an evaluation in a record of a set's data may have: data
// of the user's own has those that its splits allow, and a model may be scored on held-out classes.
func recordedProtocols(set datasets.Set) []datasets.Protocol {
	return append(slices.Clip(set.Protocols), validationProtocolOf(set))
}

// validationProtocolOf returns the protocol of the images of held-out training classes.
func validationProtocolOf(set datasets.Set) datasets.Protocol {
	return datasets.Protocol{ID: set.Name + validationProtocol, Kind: datasets.KindLeaveOneOut, Recalls: set.Protocols[0].Recalls}
}
