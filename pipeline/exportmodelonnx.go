package pipeline

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"bierbench/models"
	"bierbench/models/backbones"
	"bierbench/models/cache"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// ONNXCard says how model.onnx is used. The values of its input are plain: what InputCard says after
// the crop is done by the network.
type ONNXCard struct {
	File   string `json:"file"`
	Opset  int    `json:"opset"` // version of its operators
	Input  string `json:"input"` // name
	Shape  string `json:"shape"` // of the input, in words
	Output string `json:"output"`
}

// writeONNX writes model.onnx into a folder and says so in the card. Where there can be none it
// returns the reason, and writes nothing.
func writeONNX(ctx context.Context, w *workspace.Workspace, dir string, c runs.Cell, config models.Config,
	card *ModelCard, m *models.TestModel,
) (without string, err error) {
	net, err := backbones.Named(config.Backbone)
	if err != nil {
		return "", err
	}
	var weights cache.Weights
	if net.Weights != "" && config.Mode == models.Frozen {
		weights, err = w.Cache.Weights(ctx, net.Weights, w.Log)
		switch {
		case ctx.Err() != nil:
			return "", context.Cause(ctx)
		case err != nil:
			return err.Error(), nil //nolint:nilerr // without these weights everything else is exported
		case c.Environment.Weights == "":
			return "the record of the cell does not say by which weights its features were computed", nil
		case weights.SHA256 != c.Environment.Weights:
			return fmt.Sprintf("the features of the cell are of weights %s of digest %.12s, those here have %.12s",
				net.Weights, c.Environment.Weights, weights.SHA256), nil
		}
	}
	o := &ONNXCard{
		File: onnxFile, Opset: models.ONNXOpset, Input: models.ONNXInput, Output: models.ONNXOutput,
		Shape: fmt.Sprintf("uint8 [N, %d, %d, 3], RGB, any N", config.Input, config.Input),
	}
	err = models.WriteONNX(filepath.Join(dir, onnxFile), config, m, weights.Path, onnxProperties(card, o))
	if errors.Is(err, models.ErrNoONNX) {
		return err.Error(), nil
	}
	if err == nil {
		card.ONNX = o
	}
	return "", err
}

// onnxProperties returns what the file says about itself.
func onnxProperties(card *ModelCard, o *ONNXCard) map[string]string {
	p := map[string]string{
		"run": card.Run, "cell": card.Cell, "backbone": card.Network.Name, "data_digest": card.Digests.Data,
		"input":         o.Input + ": " + o.Shape + "; normalised inside the network",
		"output":        o.Output + ": " + card.Metric,
		"prepared":      card.Input.Prepared.words(),
		"preprocessing": card.Input.Resize + "; then " + card.Input.Crop,
		"shortest_side": fmt.Sprintf("%d to %d pixels", card.Input.ShortestSide[0], card.Input.ShortestSide[1]),
	}
	if card.Digests.Model != "" {
		p["model_digest"] = card.Digests.Model
	}
	return p
}

// words says what ingest did to the published images.
func (p Prepared) words() string {
	text := ""
	if p.Box {
		text = "cropped to the bounding box; "
	}
	if p.Pad {
		text += fmt.Sprintf("longest side scaled to %d pixels and padded with white to a square", p.Size)
	} else {
		text += fmt.Sprintf("shortest side reduced to %d pixels where it is longer", p.Size)
	}
	if p.Store == "jpeg" {
		text += "; kept as JPEG of quality 95 where something was changed"
	}
	return text
}
