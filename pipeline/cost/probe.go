package cost

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"bierbench/datasets"
	"bierbench/models"
	"bierbench/models/backbones"
	"bierbench/models/cache"
	"bierbench/models/retrieval"
	"bierbench/models/xla"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/workspace"
)

const (
	probeWarmUp = 2    // steps before those that are timed; the first compiles
	probeSteps  = 20   // steps that are timed
	probeImages = 64   // images that are timed, for features and embeddings
	probeRows   = 5000 // largest number of training images of a probe
	probeSearch = 2048 // vectors that are searched among each other
)

// Probe measures what Estimate lacks for the plan, each kind of work once: some steps of a
// training, features or embeddings of some images, a search among random vectors. It returns the
// number of works that it measured. It writes nothing into the run.
func Probe(ctx context.Context, w *workspace.Workspace, p *plan.Plan) (works int, err error) {
	e, err := newEstimator(w, p)
	if err != nil {
		return 0, fmt.Errorf("probe: %w", err)
	}
	for _, c := range p.Cells {
		if c.State == plan.Done {
			continue
		}
		n, err := probeCell(ctx, w, e, c)
		if err != nil {
			return works, fmt.Errorf("probe for %s: %w", c.Path(), err)
		}
		if works += n; n > 0 {
			if e, err = newEstimator(w, p); err != nil {
				return works, fmt.Errorf("probe: %w", err)
			}
		}
	}
	return works, nil
}

// A probe tries the works of one cell.
type probe struct {
	w       *workspace.Workspace
	cell    plan.Cell
	net     backbones.Backbone
	backend *xla.Backend
	weights cache.Weights
	data    *datasets.Dataset
	random  *rand.Rand
}

// probeCell measures the works of a cell that were never measured.
func probeCell(ctx context.Context, w *workspace.Workspace, e *estimator, c plan.Cell) (works int, err error) {
	kind, err := trainKind(c.Config, trainClasses(c.Manifest))
	if err != nil {
		return 0, err
	}
	net, err := c.Config.Network()
	if err != nil {
		return 0, err
	}
	missing := func(work, of string) bool { return len(e.found.nearest(work, of, 1)) == 0 }
	var tries []func(*probe, context.Context) ([]measurement, error)
	if c.Config.Mode == models.Frozen && missing(workFeatures, featuresKind(c.Config)) {
		key, failed := e.features(c, net)
		if failed != nil {
			return 0, failed
		}
		if key != "" { // not cached
			tries = append(tries, (*probe).features)
		}
	}
	if !c.Config.Untrained && (missing(workTrain, kind) || missing(workEmbed, embedKind(c.Config))) {
		tries = append(tries, (*probe).training)
	}
	if missing(workEvaluate, evaluateKind(c.Config)) {
		tries = append(tries, (*probe).evaluation)
	}
	if len(tries) == 0 {
		return 0, nil
	}
	t := &probe{w: w, cell: c, net: net, random: rand.New(rand.NewPCG(1, 1))}
	if t.backend, err = w.OpenBackend(ctx); err != nil {
		return 0, err
	}
	if net.Weights != "" {
		if t.weights, err = w.Cache.Weights(ctx, net.Weights, w.Log); err != nil {
			return 0, err
		}
	}
	if t.data, err = datasets.Open(c.Data.Dir); err != nil {
		return 0, err
	}
	defer t.data.Close()
	w.Progress.Start("probe "+c.Group.Path(), len(tries))
	defer w.Progress.Finish()
	for i, try := range tries {
		found, err := try(t, ctx)
		if err != nil {
			return works, err
		}
		found = withBasis(found, BasisProbe)
		if err := addMeasured(ctx, w, found); err != nil {
			return works, err
		}
		works++
		w.Progress.Advance(i+1, "")
	}
	return works, nil
}

// measureSeconds returns the seconds that f takes.
func measureSeconds(f func() error) (float64, error) {
	began := time.Now()
	err := f()
	return time.Since(began).Seconds(), err
}

// fitLine takes the seconds of two amounts of work apart: seconds = setup + amount * unit.
func fitLine(amount1, seconds1, amount2, seconds2 float64) (setup, unit float64) {
	unit = max(seconds2-seconds1, 0) / (amount2 - amount1)
	return max(seconds1-amount1*unit, 0), unit
}

// features takes one batch through the network, which compiles it, and then the images that are
// timed.
func (t *probe) features(ctx context.Context) ([]measurement, error) {
	c := t.cell.Config
	extract := func(n int) (float64, error) {
		return measureSeconds(func() error {
			_, err := backbones.Extract(ctx, t.backend, t.net, t.weights.Path, n, c.Input, FeaturesBatch,
				func(i int, dst []uint8) error {
					return t.data.Pixels(i%t.data.Len(), datasets.View{Size: c.Input}, dst)
				}, nil)
			return err
		})
	}
	first, err := extract(FeaturesBatch)
	if err != nil {
		return nil, err
	}
	took, err := extract(probeImages)
	if err != nil {
		return nil, err
	}
	return []measurement{{
		Work: workFeatures, Kind: featuresKind(c), Amount: probeImages, Seconds: took,
		Setup: max(first-took*FeaturesBatch/probeImages, 0),
	}}, nil
}

// training takes some steps and embeds some images. In frozen mode the features are random numbers,
// which take as long as true ones.
func (t *probe) training(ctx context.Context) ([]measurement, error) {
	c := t.cell.Config
	kind, err := trainKind(c, trainClasses(t.cell.Manifest))
	if err != nil {
		return nil, err
	}
	workspace.ResetPeakMemory()
	c.Steps = probeWarmUp + probeSteps
	rows := t.data.Rows(datasets.Train)
	rows = rows[:min(len(rows), probeRows)]
	input := models.TrainData{Workers: t.w.Workers}
	for _, i := range rows {
		input.Classes = append(input.Classes, t.data.Class(i))
	}
	if c.Mode == models.Frozen {
		input.Features = t.numbers(len(rows) * t.net.Features)
	}
	input.Pixels = func(i int, random models.PixelRandom, dst []uint8) error {
		return t.data.Pixels(rows[i], datasets.View{Size: c.Input, Random: random}, dst)
	}
	m, err := models.New(t.backend, c, t.weights.Path, CountClasses(input.Classes))
	if err != nil {
		return nil, err
	}
	var elapsed []float64
	err = m.Train(ctx, input, models.TrainOptions{OnStep: func(s models.Step) error {
		elapsed = append(elapsed, s.Seconds)
		return nil
	}})
	if err != nil {
		return nil, err
	}
	step := (elapsed[len(elapsed)-1] - elapsed[probeWarmUp-1]) / probeSteps
	train := measurement{
		Work: workTrain, Kind: kind, Amount: probeSteps, Seconds: probeSteps * step,
		Setup: max(elapsed[probeWarmUp-1]-probeWarmUp*step, 0),
	}

	// Two amounts: both times contain the compilation, and their difference does not.
	batch := probeImages / 2
	if c.Mode == models.Frozen {
		batch = len(rows)
	}
	embed := func(n int) (float64, error) {
		data := models.EmbedData{Images: n, Workers: t.w.Workers, Pixels: func(i int, dst []uint8) error {
			return t.data.Pixels(i%t.data.Len(), datasets.View{Size: c.Input}, dst)
		}}
		if c.Mode == models.Frozen {
			data.Features = slices.Concat(slices.Repeat([][]float32{input.Features}, n/batch)...)
		}
		return measureSeconds(func() error {
			_, failed := m.Embed(ctx, data)
			return failed
		})
	}
	one, err := embed(batch)
	if err != nil {
		return nil, err
	}
	three, err := embed(3 * batch)
	if err != nil {
		return nil, err
	}
	setup, unit := fitLine(float64(batch), one, float64(3*batch), three)
	manifest := t.cell.Manifest
	manifest.Rows = len(rows)
	manifest.Counts = map[string]int{string(datasets.Train): len(rows), string(datasets.Test): 3 * batch}
	return []measurement{
		train,
		{Work: workEmbed, Kind: embedKind(c), Amount: float64(2 * batch), Seconds: float64(2*batch) * unit, Setup: setup},
		{Work: workMemory, Kind: kind, Amount: float64(tableBytes(c, t.net.Features, manifest)), Memory: workspace.PeakMemory()},
	}, nil
}

// numbers returns n random numbers, standard normal.
func (t *probe) numbers(n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(t.random.NormFloat64())
	}
	return out
}

// evaluation searches random vectors among each other, as a leave-one-out protocol does.
func (t *probe) evaluation(ctx context.Context) ([]measurement, error) {
	c := t.cell.Config
	s := retrieval.Search{Width: c.Size, SelfExcluded: true, Recalls: []int{1, 2, 4, 8}, Nearest: plan.NearestPerQuery}
	s.Queries = t.numbers(probeSearch * c.Size)
	for i := range probeSearch {
		s.QueryIDs = append(s.QueryIDs, int64(i))
		s.QueryClasses = append(s.QueryClasses, int32(i/16))
	}
	s.Gallery, s.GalleryIDs, s.GalleryClasses = s.Queries, s.QueryIDs, s.QueryClasses
	sizes := c.Learners
	if c.Untrained {
		sizes = []int{c.Size}
	}
	all := func() error {
		found, err := retrieval.Retrieve(ctx, t.backend, s)
		if err != nil {
			return err
		}
		if len(sizes) > 1 {
			if _, err = retrieval.LearnerRecalls(ctx, t.backend, s, sizes, found.Metrics); err != nil {
				return err
			}
		}
		_, err = retrieval.Correlation(ctx, t.backend, s.Queries, s.Width, sizes)
		return err
	}
	if err := all(); err != nil { // compiles
		return nil, err
	}
	took, err := measureSeconds(all)
	if err != nil {
		return nil, err
	}
	amount := evaluateAmount(c, []searchSize{{1, probeSearch, probeSearch}})
	return []measurement{{Work: workEvaluate, Kind: evaluateKind(c), Amount: amount, Seconds: took}}, nil
}
