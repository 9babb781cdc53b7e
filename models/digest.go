package models

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/ml/model"
)

// Digest returns the SHA-256, in hexadecimal, of the model's parameters: models of equal digests
// have equal bits. It covers every variable but Adam's moments, sorted by the name it has in a
// checkpoint: a line with name, element type and shape,
// "embedding/learner0/weights (Float32)[1024 96]", a newline, then the values as they lie in a
// checkpoint, little-endian and row-major. In frozen mode the backbone is not part of the model.
// The steps, the seconds and the configuration do not count.
func (m *Model) Digest() (string, error) {
	var parameters []*model.Variable
	for v := range m.store.IterVariables() {
		if !isMoment(v) && !isScratchVariable(v) {
			parameters = append(parameters, v)
		}
	}
	slices.SortFunc(parameters, func(a, b *model.Variable) int {
		return cmp.Compare(checkpointName(a), checkpointName(b))
	})
	hash := sha256.New()
	for _, v := range parameters {
		value, err := v.Value()
		if err != nil {
			return "", fmt.Errorf("digest of the model: %s: %w", checkpointName(v), err)
		}
		_, err = fmt.Fprintf(hash, "%s %s\n", checkpointName(v), shapeText(value.Shape()))
		if value.Size() > 0 {
			err = errors.Join(err, value.ConstBytes(func(data []byte) { _, _ = hash.Write(data) })) // a hash returns no error
		}
		if err != nil {
			return "", fmt.Errorf("digest of the model: %s: %w", checkpointName(v), err)
		}
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// shapeText is a shape as digests spell it, "(Float32)[1024 96]". Records hold
// digests, so it stays when the library writes shapes in another way.
func shapeText(s shapes.Shape) string {
	if s.Rank() == 0 {
		return fmt.Sprintf("(%s)", s.DType)
	}
	return fmt.Sprintf("(%s)%d", s.DType, s.Dimensions)
}
