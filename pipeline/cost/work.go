package cost

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"

	"bierbench/datasets"
	"bierbench/models"
	"bierbench/models/backbones"
	"bierbench/models/losses"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// trainKind returns everything of a configuration that changes what a step costs. Left out are the
// options that only change its numbers, the number of steps, the seed, and the data set: a batch
// has the same size in all of them. But a loss may have proxies of its classes, the training
// classes.
func trainKind(c models.Config, classes int) (string, error) {
	on := func(v float64) float64 { // a term of weight 0 may be left out of the step
		if v > 0 {
			return 1
		}
		return 0
	}
	proxies := classes * proxiesOfClass(c)
	c.Seed, c.Steps = 0, 0
	c.Constants, c.PosCount, c.Scale = nil, "", ""
	c.Initial, c.InitialSteps, c.InitialRate, c.InitialTolerance, c.InitialLambdaW, c.InitialNormAxis = "", 0, 0, 0, 0, ""
	c.Selection, c.SelectEvery, c.SelectBy, c.HeldOut, c.Evaluate = "", 0, "", 0, ""
	c.BoostingStart, c.Shrinkage, c.NegativeFactor = 0, 0, 0
	c.BackboneRate, c.EmbeddingRate, c.RegressorRate, c.ProxyRate, c.DecayFactor, c.DecayEvery = 0, 0, 0, 0, 0, 0
	c.LambdaDiv, c.LambdaW, c.WeightDecay = on(c.LambdaDiv), on(c.LambdaW), on(c.WeightDecay)
	if c.Diversity == models.DiversityNone {
		c.LambdaDiv, c.LambdaW, c.Hidden, c.NormAxis = 0, 0, 0, ""
	}
	if c.Diversity == models.DiversityActivation {
		c.Hidden = 0
	}
	if c.Mode == models.Frozen {
		c.Input = 0 // the step sees features
	}
	c.Backbone, c.Features = backboneKind(c), nil
	data, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("kind of training: %w", err)
	}
	sum := sha256.Sum256(data)
	words := []string{c.Backbone, c.Mode}
	if c.Mode == models.Finetune {
		words = append(words, fmt.Sprintf("%dpx", c.Input))
	}
	if c.Untrained {
		words = append(words, "untrained")
	} else {
		words = append(words, fmt.Sprintf("%dx%d", c.Classes, c.Images), fmt.Sprint(c.Learners), c.Boosting, c.Diversity)
	}
	if proxies > 0 {
		words = append(words, fmt.Sprintf("%d proxies", proxies))
	}
	return strings.Join(append(words, hex.EncodeToString(sum[:4])), " "), nil
}

// backboneKind returns what of a backbone changes the cost of what stands on it: all imported features
// of one width cost the same.
func backboneKind(c models.Config) string {
	if c.Features != nil {
		return fmt.Sprintf("file:%d", c.Features.Width)
	}
	return c.Backbone
}

// featuresKind returns what changes the cost of the feature of an image.
func featuresKind(c models.Config) string { return fmt.Sprintf("%s %dpx", c.Backbone, c.Input) }

// embedKind returns what changes the cost of the embedding of an image.
func embedKind(c models.Config) string {
	if c.Mode == models.Frozen {
		return fmt.Sprintf("%s frozen %v", backboneKind(c), c.Learners)
	}
	return fmt.Sprintf("%s finetune %dpx %v", c.Backbone, c.Input, c.Learners)
}

// evaluateKind returns the widths of the vectors that an evaluation searches by.
func evaluateKind(c models.Config) string {
	if c.Untrained {
		return fmt.Sprint([]int{c.Size})
	}
	return fmt.Sprint(c.Learners)
}

// overheadKind returns what changes the rest of the time of a cell.
func overheadKind(c models.Config) string {
	if c.Untrained {
		return backboneKind(c) + " untrained"
	}
	return fmt.Sprintf("%s %s %d", backboneKind(c), c.Mode, c.Size)
}

// A searchSize is the size of the searches of a protocol: the number of draws, and that of the
// queries and the gallery images in each.
type searchSize struct{ draws, queries, gallery int }

// protocolSearches returns the searches of the protocols of a data set, by the counts in its
// manifest.
func protocolSearches(m datasets.Manifest) ([]searchSize, error) {
	protocols, err := m.Protocols()
	if err != nil {
		return nil, err
	}
	var out []searchSize
	for _, p := range protocols {
		all, classes := testImages(m), m.Classes[string(datasets.Test)]
		if p.List != 0 {
			listed := listRows(m, p)
			classes = max(1, classes*listed/max(all, 1)) // as if all classes had the same number of images
			all = listed
		}
		switch p.Kind {
		case datasets.KindQueryGallery:
			out = append(out, searchSize{1, m.Counts[string(datasets.Query)], m.Counts[string(datasets.Gallery)]})
		case datasets.KindOneGallery:
			out = append(out, searchSize{plan.GalleryDraws, max(all-classes, 0), classes})
		default:
			out = append(out, searchSize{1, all, all})
		}
	}
	return out, nil
}

// listRows returns the number of images of the list that a protocol is about. The name of the list
// ends in the middle word of the protocol: test_list_800.txt and vehicleid-800-loo. Where the
// manifest has no such list, it is the number of all test images.
func listRows(m datasets.Manifest, p datasets.Protocol) int {
	words := strings.Split(p.ID, "-")
	for _, l := range m.Lists {
		if name := strings.TrimSuffix(path.Base(l.Name), path.Ext(l.Name)); len(words) == 3 && strings.HasSuffix(name, "_"+words[1]) {
			return min(l.Rows, testImages(m))
		}
	}
	return testImages(m)
}

// testImages returns the number of images that are embedded and searched.
func testImages(m datasets.Manifest) int {
	return m.Counts[string(datasets.Test)] + m.Counts[string(datasets.Query)] + m.Counts[string(datasets.Gallery)]
}

// trainImages returns the number of training images, with those that a cell holds out.
func trainImages(m datasets.Manifest) int { return m.Counts[string(datasets.Train)] }

// trainClasses returns the number of training classes, with those that a cell holds out.
func trainClasses(m datasets.Manifest) int { return m.Classes[string(datasets.Train)] }

// evaluateAmount returns the number of multiply-adds of all scores: of the whole vector, of every
// learner, and of every learner with those before it.
func evaluateAmount(c models.Config, all []searchSize) float64 {
	width := c.Size
	if !c.Untrained && len(c.Learners) > 1 {
		before := 0
		for i, d := range c.Learners {
			width += d
			if before += d; i > 0 {
				width += before
			}
		}
	}
	pairs := 0.0
	for _, s := range all {
		pairs += float64(s.draws) * float64(s.queries) * float64(s.gallery)
	}
	return pairs * float64(width)
}

// proxiesOfClass returns the number of proxies that a loss has for each training class.
func proxiesOfClass(c models.Config) int {
	loss, err := losses.For(c.Config)
	if err != nil || c.Untrained {
		return 0
	}
	return loss.Proxies()
}

// headParameters returns the number of parameters of the embedding, the regressors and the proxies
// of the training classes. width is that of the pooled feature.
func headParameters(c models.Config, width, classes int) int64 {
	if c.Untrained {
		return 0
	}
	n := 0
	for i, d := range c.Learners {
		n += (width + 1 + classes*proxiesOfClass(c)) * d
		if c.Diversity == models.DiversityAdversarial {
			for _, earlier := range c.Learners[:i] {
				n += (d+1)*c.Hidden + (c.Hidden+1)*earlier
			}
		}
	}
	return int64(n)
}

// backboneParameters returns the number of parameters of a network: of those that it draws, or by
// the size of its file of pretrained weights; 0 where that file is not there.
func backboneParameters(w *workspace.Workspace, net backbones.Backbone) int64 {
	if net.Weights == "" {
		var n int64
		for _, v := range net.Create(rand.New(rand.NewPCG(0, 0))) {
			n += int64(v.Value.Shape().Size())
		}
		return n
	}
	weights, err := w.Cache.FindWeights(net.Weights)
	if err != nil {
		return 0
	}
	info, err := os.Stat(weights.Path)
	if err != nil {
		return 0
	}
	return info.Size() / 4
}

// tableBytes returns the memory in bytes that grows with the data set. In frozen mode these are the
// features, their training and test halves, and the copy of the training half on the device. In
// both modes it is the embedding with its copies in a search: the benchmark of a search of 60,502 x
// 512 took 858 MB, which is five copies beside an idle process.
func tableBytes(c models.Config, width int, m datasets.Manifest) int64 {
	bytes := int64(testImages(m)) * int64(c.Size) * 4 * (1 + 5)
	if c.Mode == models.Frozen {
		bytes += int64(m.Rows+testImages(m)+2*trainImages(m)) * int64(width) * 4
	}
	return bytes
}

// Remember stores what a done cell took, for the estimates of later plans. An error is logged: it
// is no reason to fail the cell.
func Remember(ctx context.Context, w *workspace.Workspace, r *runs.Run, c plan.Cell, record runs.Cell) {
	found, err := cellMeasurements(r, c, record)
	if err == nil {
		err = addMeasured(ctx, w, found)
	}
	if err != nil && ctx.Err() == nil {
		w.Log.Warn("what the cell took is not kept for estimates", "cell", c.Path(), "error", err)
	}
}

// RememberFeatures stores what the computation of features took. It may have been done for no cell.
func RememberFeatures(ctx context.Context, w *workspace.Workspace, c models.Config, took FeaturesWork) {
	m := measurement{Work: workFeatures, Kind: featuresKind(c), Amount: float64(took.Images), Seconds: took.Seconds}
	if err := addMeasured(ctx, w, withBasis([]measurement{m}, BasisMeasured)); err != nil && ctx.Err() == nil {
		w.Log.Warn("what the features took is not kept for estimates", "backbone", c.Backbone, "error", err)
	}
}

// cellMeasurements returns what a done cell took, without features.
func cellMeasurements(r *runs.Run, c plan.Cell, record runs.Cell) ([]measurement, error) {
	kind, err := trainKind(c.Config, trainClasses(c.Manifest))
	if err != nil {
		return nil, err
	}
	net, err := c.Config.Network()
	if err != nil {
		return nil, err
	}
	images, all, err := evaluationSize(c.Config, c.Manifest)
	if err != nil {
		return nil, err
	}
	rows, test := float64(c.Manifest.Rows), float64(images)
	found := []measurement{
		{Work: workEmbed, Kind: embedKind(c.Config), Amount: test, Seconds: record.Timing["embed"]},
		{Work: workEvaluate, Kind: evaluateKind(c.Config), Amount: evaluateAmount(c.Config, all), Seconds: record.Timing["evaluate"]},
		{Work: workOverhead, Kind: overheadKind(c.Config), Amount: rows, Seconds: max(record.Timing["overhead"], 0)},
		{Work: workMemory, Kind: kind, Amount: float64(tableBytes(c.Config, net.Features, c.Manifest)), Memory: record.Memory},
	}
	if !c.Config.Untrained {
		steps, err := r.Steps(record)
		if err != nil {
			return nil, err
		}
		seconds := make([]float64, len(steps))
		for i, s := range steps {
			seconds[i] = s.Seconds
		}
		found = append(found, stepTime(kind, seconds, record.Timing["train"]))
		if c.Config.Initialises() {
			found = append(found, measurement{
				Work: workInitial, Kind: initialKind(c.Config), Amount: initialImages(c.Manifest), Seconds: record.Timing["initialise"],
			})
		}
	}
	return withBasis(found, BasisMeasured), nil
}

// withBasis returns the measurements with their basis. Those that measured nothing are left out.
func withBasis(found []measurement, basis string) []measurement {
	var out []measurement
	for _, m := range found {
		if m.Seconds+m.Setup > 0 || m.Memory > 0 {
			m.Basis = basis
			out = append(out, m)
		}
	}
	return out
}

// stepTime returns the measurement of a training whose i-th step ended elapsed[i] seconds after it
// began. The first step compiles, and so does the first one after a restart: steps that took more
// than ten times the median are set-up. Of a single step, all of total counts as its time.
func stepTime(kind string, elapsed []float64, total float64) measurement {
	m := measurement{Work: workTrain, Kind: kind, Amount: float64(len(elapsed)), Seconds: total}
	if len(elapsed) < 2 {
		return m
	}
	var each []measurement
	for i := range elapsed[1:] {
		each = append(each, measurement{Seconds: elapsed[i+1] - elapsed[i]})
	}
	usual := median(each, func(x measurement) float64 { return x.Seconds })
	sum, n := 0.0, 0
	for _, x := range each {
		if x.Seconds <= 10*usual {
			sum += x.Seconds
			n++
		}
	}
	step := sum / float64(n)
	m.Seconds = step * m.Amount
	m.Setup = max(elapsed[0]-step, 0)
	return m
}

// initialKind returns what changes the cost of an initialisation besides the number of its images.
// How many steps it takes to converge is not known before it was tried, so everything that decides
// this is part of the kind.
func initialKind(c models.Config) string {
	hidden := 0
	if c.Initial == models.InitialAdversarial {
		hidden = c.Hidden
	}
	return fmt.Sprint(backboneKind(c), " ", c.Input, "px ", c.Learners, " ", c.Initial, " ", hidden, " ", c.InitialSteps,
		" ", c.InitialRate, " ", c.InitialTolerance, " ", c.InitialLambdaW, " ", c.InitialNormAxis)
}

// initialImages returns the number of images that an initialisation looks at, with those that a
// cell holds out.
func initialImages(m datasets.Manifest) float64 {
	return float64(min(trainImages(m), models.InitialImages))
}

// FeaturesBatch is the number of images that go through a frozen backbone at a time. Measured times
// are for this number.
const FeaturesBatch = 32

// FeaturesWork is the work of computing features: how many images took how many seconds. It is zero
// where the features were cached.
type FeaturesWork struct {
	Images  int
	Seconds float64
}

// CountClasses returns the number of different classes.
func CountClasses(classes []int32) int {
	return len(slices.Compact(slices.Sorted(slices.Values(classes))))
}
