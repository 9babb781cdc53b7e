package pipeline

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"bierbench/models"
	"bierbench/models/backbones"
	"bierbench/models/losses"
	"bierbench/runs"
)

// modelCardSchema is the version of the format of model.json.
const modelCardSchema = 1

// ModelCard is the file model.json: what another program needs in order to use an exported model,
// and where the model comes from.
type ModelCard struct {
	Schema int    `json:"schema"`
	Run    string `json:"run"`
	Cell   string `json:"cell"` // path
	runs.Key
	Commit string `json:"commit"` // of the bierbench that trained it

	Metric    string        `json:"metric"`
	Input     InputCard     `json:"input"`
	Network   NetworkCard   `json:"network"`
	Features  *FeaturesCard `json:"features,omitempty"` // in frozen mode
	Embedding EmbeddingCard `json:"embedding"`
	ONNX      *ONNXCard     `json:"onnx,omitempty"` // where there is a model.onnx

	Training       json.RawMessage      `json:"training"` // the whole configuration
	Initialisation *runs.Initialisation `json:"initialisation,omitempty"`
	Selection      *runs.Selection      `json:"selection,omitempty"`
	Digests        DigestCard           `json:"digests"`
	Evaluations    []runs.Evaluation    `json:"evaluations"` // as reported, on embeddings.arrow
	Rows           string               `json:"rows"`        // order of the rows of the arrays, in words
	Environment    runs.Environment     `json:"environment"`
	Files          []FileCard           `json:"files"`
}

// InputCard says how the input of a network is made from an image.
type InputCard struct {
	Pixels   int      `json:"pixels"` // per side of the network's input
	Prepared Prepared `json:"prepared"`

	ShortestSide [2]int `json:"shortest_side"` // what an image's shortest side is clamped to, pixels
	Resize       string `json:"resize"`
	Crop         string `json:"crop"`

	Channels string     `json:"channels"` // order
	Mean     [3]float64 `json:"mean"`     // of these channels
	Scale    float64    `json:"scale"`
	Values   string     `json:"values"`
}

// Prepared says what Ingest did to the published images.
type Prepared struct {
	Variant string `json:"variant"`
	Box     bool   `json:"box"`  // cropped to the bounding box
	Pad     bool   `json:"pad"`  // longest side scaled to Size and padded with white to a square
	Size    int    `json:"size"` // without Pad the shortest side is reduced to it where it is longer, pixels
	Store   string `json:"store"`
	Resize  string `json:"resize"`
}

// NetworkCard says which backbone computes the pooled feature.
type NetworkCard struct {
	Name     string `json:"name"`
	Features int    `json:"features"`
	InFile   bool   `json:"in_file"`           // its trained tensors are in model.safetensors
	Weights  string `json:"weights,omitempty"` // SHA-256 of the pretrained weights: the features are of these, or training began with them
	Network  string `json:"network"`
	Tensors  string `json:"tensors,omitempty"`
}

// FeaturesCard names the workspace's file of the pooled features of every image of the data set.
// Images are found by id.
type FeaturesCard struct {
	Key  string `json:"key"`  // of imported features their SHA-256
	File string `json:"file"` // relative to the workspace
	// What the one who imported features made elsewhere says of them.
	Origin        string `json:"origin,omitempty"`
	Preprocessing string `json:"preprocessing,omitempty"`
}

// EmbeddingCard says how an embedding is computed from a pooled feature.
type EmbeddingCard struct {
	Size      int       `json:"size"`
	Weights   string    `json:"weights,omitempty"`  // name of the matrix [features, size]
	Biases    string    `json:"biases,omitempty"`   // name of the vector [size]
	Learners  []int     `json:"learners,omitempty"` // number of columns of each slice, in order
	Scale     string    `json:"scale,omitempty"`
	Factors   []float64 `json:"factors,omitempty"` // of the slices
	NormFloor float64   `json:"norm_floor"`
	Rule      string    `json:"rule"`
}

// DigestCard holds hexadecimal digests of the model and of what it was made from.
type DigestCard struct {
	Model  string `json:"model,omitempty"` // of all parameters in training, also of those that are not exported
	Config string `json:"config"`
	Data   string `json:"data"`
}

// FileCard is a file beside the card.
type FileCard struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

const (
	resizeRule = "bilinear with a triangle filter whose support grows with the reduction (Pillow's BILINEAR), rows then columns, " +
		"weights of 22 bits, each result rounded to 8 bits; the other side is rounded half up"
	inputRule     = "(pixel - mean) * scale of 8-bit pixels, channel by channel"
	cropRule      = "the central square of the input's size, offsets rounded down"
	sliceRule     = "y = feature W + b; each slice of y is divided by max(its length, norm_floor) and multiplied by its factor"
	unitRule      = "the feature divided by max(its length, norm_floor)"
	madeElsewhere = "the features were made elsewhere; preprocessing in features says how, as far as it is known"
	rowsRule      = "row i of embeddings.npy, ids.npy, classes.npy and embeddings.arrow is one image, in the prepared data set's order; " +
		"embeddings.arrow also has its split (query and gallery where the set has them) and list"
)

// newModelCard returns the card of a cell without its list of files. m is nil for a cell without
// training.
func newModelCard(r *runs.Run, c runs.Cell, config models.Config, m *models.TestModel, e runs.Embeddings) (*ModelCard, error) {
	net, err := config.Network()
	if err != nil {
		return nil, err
	}
	backbone := net.Card
	prepared, err := preparedBy(c.Variant)
	if err != nil {
		return nil, err
	}
	card := &ModelCard{
		Schema: modelCardSchema, Run: r.Record.ID, Cell: c.Path(), Key: c.Key, Commit: c.Environment.Commit,
		Metric: "dot product of two embeddings: the larger, the more alike",
		Input: InputCard{
			Pixels: config.Input, Prepared: prepared,
			ShortestSide: [2]int{config.Input, (2*config.Input*256 + 224) / (2 * 224)},
			Resize:       "the shortest side is clamped to shortest_side, else the image is left alone; " + resizeRule,
			Crop:         cropRule, Channels: backbone.Channels, Mean: backbone.Mean, Scale: backbone.Scale, Values: inputRule,
		},
		Network: NetworkCard{
			Name: net.Name, Features: net.Features, InFile: config.Mode == models.Finetune, Weights: c.Environment.Weights,
			Network: backbone.Network,
		},
		Embedding: EmbeddingCard{Size: e.Width, NormFloor: losses.NormFloor, Rule: unitRule},
		Training:  c.Config, Initialisation: c.Initialisation, Selection: c.Selection,
		Digests:     DigestCard{Model: c.ModelDigest, Config: c.ConfigHash, Data: c.DataHash},
		Evaluations: c.Evaluations, Rows: rowsRule, Environment: c.Environment,
	}
	switch {
	case card.Network.InFile:
		card.Network.Tensors = backbone.Tensors
	case net.Imported && config.Features == nil:
		return nil, fmt.Errorf("the record does not say which features %s it was trained on", net.Name)
	case net.Imported:
		card.Input = InputCard{Prepared: prepared, Values: madeElsewhere}
		card.Network.Features = config.Features.Width
		name, _ := backbones.ImportName(net.Name)
		i := backbones.Import{Name: name, Set: c.Dataset, Variant: c.Variant, Features: *config.Features}
		card.Features = &FeaturesCard{
			Key: i.Features.Digest, File: filepath.ToSlash(i.Path("models/features")),
			Origin: i.Features.Origin, Preprocessing: i.Features.Preprocessing,
		}
	default:
		key := backbones.FeaturesKey(c.DataHash, c.Environment.Weights, net, config.Input)
		card.Features = &FeaturesCard{Key: key, File: "models/features/" + key + ".arrow"}
	}
	if m != nil {
		card.Digests.Model = m.Digest
		card.Embedding.Weights, card.Embedding.Biases = models.EmbeddingWeights, models.EmbeddingBiases
		card.Embedding.Learners, card.Embedding.Scale, card.Embedding.Factors = config.Learners, config.Scale, m.Factors
		card.Embedding.Rule = sliceRule
	}
	return card, nil
}

// preparation matches the end of the name of a variant: crop, padding, size and storage.
var preparation = regexp.MustCompile(`(\+box)?(\+pad)?-s(\d+)-(jpeg|rgb)$`)

// preparedBy reads from the name of a variant how its images were prepared.
func preparedBy(variant string) (Prepared, error) {
	found := preparation.FindStringSubmatch(variant)
	if found == nil {
		return Prepared{}, fmt.Errorf("variant %q does not say how its images were prepared", variant)
	}
	size, err := strconv.Atoi(found[3])
	if err != nil {
		return Prepared{}, fmt.Errorf("variant %q: %w", variant, err)
	}
	return Prepared{Variant: variant, Box: found[1] != "", Pad: found[2] != "", Size: size, Store: found[4], Resize: resizeRule}, nil
}

// seal lists the files in the folder with their digests and writes the card.
func (c *ModelCard) seal(dir string) error {
	c.Files = nil
	for _, name := range exportFiles() {
		f, err := cardOf(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		c.Files = append(c.Files, f)
	}
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(c); err != nil {
		return err
	}
	return runs.WriteFile(filepath.Join(dir, cardFile), []byte(text.String()), 0o644)
}

// cardOf returns the size and the digest of a file.
func cardOf(path string) (FileCard, error) {
	f, err := os.Open(path)
	if err != nil {
		return FileCard{}, err
	}
	hash := sha256.New()
	size, err := io.Copy(hash, f)
	return FileCard{Name: filepath.Base(path), Bytes: size, SHA256: hex.EncodeToString(hash.Sum(nil))}, errors.Join(err, f.Close())
}

// readModelCard reads the card in a folder.
func readModelCard(dir string) (*ModelCard, error) {
	path := filepath.Join(dir, cardFile)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var c ModelCard
	if err = json.Unmarshal(data, &c); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if c.Schema < 1 || c.Run == "" || c.Cell == "" {
		return nil, fmt.Errorf("%s is not the card of a model", path)
	}
	return &c, nil
}
