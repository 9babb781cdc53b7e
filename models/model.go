package models

import (
	"fmt"
	"math"
	"math/rand/v2"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"bierbench/models/backbones"
	"bierbench/models/xla"
)

// The scopes of a model's variables.
const (
	embeddingScope = "embedding"
	regressorScope = "regressor"
	proxyScope     = "proxy" // used in training alone
)

// A Model is a backbone with an embedding layer: M independent fully connected learners over one
// pooled feature. Its variables live on the backend.
type Model struct {
	Config   Config
	Step     int     // optimizer steps taken
	Seconds  float64 // spent in training, all attempts added up
	backend  *xla.Backend
	backbone backbones.Backbone
	store    *model.Store
	width    int           // of the pooled feature
	classes  int           // of the training part
	sampling batchSampling // what is known about the batches
}

// New returns the model before its first step. weights is the file of the backbone's pretrained
// weights; it is not read when the backbone is trained from scratch, nor in frozen mode, where
// features are computed elsewhere. classes is the number of classes on which it is trained: a loss
// may have proxies of them.
func New(b *xla.Backend, c Config, weights string, classes int) (*Model, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	net, err := c.Network()
	if err == nil && net.Features == 0 {
		err = fmt.Errorf("features: the width of %s is not known", c.Backbone)
	}
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	if err := c.checkParameters(net.Features, classes); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	m := &Model{Config: c, backend: b, backbone: net, store: model.NewStore(), width: net.Features, classes: classes}
	if c.Mode == Finetune {
		if err := net.AddVariables(m.store.Scope(backbones.Scope), weights, stream(c.Seed, "backbone", 0)); err != nil {
			return nil, fmt.Errorf("model: %w", err)
		}
	}
	m.addLearners()
	if n := c.proxies(); n > 0 {
		if classes < 2 {
			return nil, fmt.Errorf("model: %d training classes; a loss with proxies needs at least 2", classes)
		}
		m.addProxies(classes * n)
	}
	return m, nil
}

// Finalize frees the model's variables on the backend; the model cannot be used after that.
func (m *Model) Finalize() { m.store.Finalize() }

// addLearners creates the embedding matrices with zero biases and, for the
// adversarial loss, the regressors.
func (m *Model) addLearners() {
	c := m.Config
	for i, w := range c.initialMatrices(m.width) {
		scope := xla.Below(m.store.RootScope(), embeddingScope, learnerName(i))
		scope.VariableWithValue("weights", w)
		scope.VariableWithValue("biases", tensors.FromFlatDataAndDimensions(make([]float32, c.Learners[i]), c.Learners[i]))
	}
	if c.Diversity == DiversityAdversarial {
		addRegressors(m.store.RootScope(), c)
	}
}

// initialMatrices returns the values [width, d_m] with which the embedding matrices begin:
// orthogonal, or Xavier's, after which an optimisation may follow.
func (c Config) initialMatrices(width int) []*tensors.Tensor {
	if c.Initial == InitialOrthogonal {
		return orthogonalMatrices(c.Seed, width, c.Learners)
	}
	var out []*tensors.Tensor
	for i, d := range c.Learners {
		out = append(out, xavier(stream(c.Seed, "embedding", i), width, d))
	}
	return out
}

// addProxies creates n proxies for every learner. Each is standard normal, and so a random
// direction, for the loss takes proxies at unit length.
func (m *Model) addProxies(n int) {
	for i, d := range m.Config.Learners {
		random := stream(m.Config.Seed, "proxy", i)
		values := make([]float32, n*d)
		for j := range values {
			values[j] = float32(random.NormFloat64())
		}
		xla.Below(m.store.RootScope(), proxyScope, learnerName(i)).VariableWithValue("proxies", tensors.FromFlatDataAndDimensions(values, n, d))
	}
}

// proxies returns the learners' proxies, M nodes [classes*proxies, d_m], or
// nil where the loss has none.
func (m *Model) proxies(scope *model.Scope, g *Graph) []*Node {
	if m.Config.proxies() == 0 {
		return nil
	}
	out := make([]*Node, len(m.Config.Learners))
	for i, d := range m.Config.Learners {
		out[i] = xla.Variable(xla.Below(scope, proxyScope, learnerName(i)), g, "proxies", m.classes*m.Config.proxies(), d)
	}
	return out
}

func learnerName(i int) string { return fmt.Sprintf("learner%d", i) }

func pairName(i, j int) string { return fmt.Sprintf("from%dto%d", j, i) }

// xavier returns a float32 [in, out] matrix, uniform in +-sqrt(6/(in+out))
// (Glorot and Bengio 2010, eq. 16).
func xavier(random *rand.Rand, in, out int) *tensors.Tensor {
	limit := math.Sqrt(6 / float64(in+out))
	values := make([]float32, in*out)
	for i := range values {
		values[i] = float32((2*random.Float64() - 1) * limit)
	}
	return tensors.FromFlatDataAndDimensions(values, in, out)
}

// learners returns every learner's output for the pooled feature, M nodes [batch, d_m], and the
// learners' matrices [width, d_m]. x is [batch, width].
func (m *Model) learners(scope *model.Scope, x *Node) (embeddings, matrices []*Node) {
	x.AssertDims(-1, m.width)
	g := x.Graph()
	for i, d := range m.Config.Learners {
		in := xla.Below(scope, embeddingScope, learnerName(i))
		w := xla.Variable(in, g, "weights", m.width, d)
		bias := xla.Variable(in, g, "biases", d)
		embeddings = append(embeddings, Add(xla.Product(x, w), Reshape(bias, 1, d)))
		matrices = append(matrices, w)
	}
	return embeddings, matrices
}

// pooled returns the backbone's feature of a batch: input is [batch, S, S, 3]
// uint8 RGB when the backbone is trained, else the features [batch, width].
func (m *Model) pooled(scope *model.Scope, input *Node) *Node {
	if m.Config.Mode == Frozen {
		return input
	}
	return m.backbone.Forward(scope.At(backbones.Scope), m.backbone.Normalize(input))
}
