package cost

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"bierbench/models"
	"bierbench/models/backbones"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// Total is what the cells of a plan that are not done take together.
type Total struct {
	Cells   int     `json:"cells"`   // number of cells that are not done
	Unknown int     `json:"unknown"` // number of these cells whose time is not known; it is not in Seconds
	Seconds float64 `json:"seconds"` // for one cell after the other
	Memory  int64   `json:"memory"`  // bytes of the largest cell whose memory is known
	Disk    int64   `json:"disk"`    // bytes that stay
	Peak    int64   `json:"peak"`    // bytes on the disk during the run, with the checkpoints of a training
	Free    int64   `json:"free"`    // bytes that are free on the workspace's file system; -1 where it does not tell
}

// Fits reports whether the disk has room for the peak.
func (t Total) Fits() bool { return t.Free < 0 || t.Peak <= t.Free }

// Estimate fills in the cost of every cell that is not done. The time comes from what was measured
// on this machine, the memory from measured peaks or, in frozen mode, from the sizes of the tables,
// the disk from the sizes of the files. The first cell that needs features pays for them.
func Estimate(w *workspace.Workspace, p *plan.Plan) error {
	e, err := newEstimator(w, p)
	if err != nil {
		return fmt.Errorf("estimate: %w", err)
	}
	for i := range p.Cells {
		if p.Cells[i].State == plan.Done {
			p.Cells[i].Cost = runs.Cost{}
			continue
		}
		if p.Cells[i].Cost, err = e.cost(p.Cells[i]); err != nil {
			return fmt.Errorf("estimate %s: %w", p.Cells[i].Path(), err)
		}
	}
	p.Checkpoints = e.checkpoints
	return nil
}

// Sum adds up the costs that Estimate has filled in.
func Sum(w *workspace.Workspace, p *plan.Plan) Total {
	t := Total{Free: freeBytes(w.Dir)}
	for _, c := range p.Cells {
		if c.State == plan.Done {
			continue
		}
		t.Cells++
		if c.Cost.Basis == "" {
			t.Unknown++
		}
		t.Seconds += c.Cost.Seconds
		t.Memory = max(t.Memory, c.Cost.Memory)
		t.Disk += c.Cost.Disk
	}
	t.Peak = t.Disk + p.Checkpoints
	return t
}

// freeBytes returns the bytes that ordinary users may still write to a folder's file system, 0
// where that is not known.
func freeBytes(dir string) int64 {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return -1
	}
	return int64(s.Bavail) * s.Bsize
}

// idleMemory is the resident memory in bytes of a process with the CPU backend and a cell of hardly
// any data. Measured were 180 MB without training, and 231 and 247 MB with the step of a baseline.
// Compiling the step of an ensemble with regressors took up to 430 MB; that is known once one was
// done.
const idleMemory = 250 << 20

// An estimator estimates the cells of one plan.
type estimator struct {
	w           *workspace.Workspace
	run         string // folder
	found       *measurements
	weights     map[string]string    // SHA-256 by backbone
	kinds       map[kindKey]kindCost // the same for all seeds
	parameters  map[string]int64     // number by backbone
	counted     map[string]struct{}  // keys of features that an earlier cell pays for
	compiled    map[string]bool      // kinds of features whose network an earlier cell compiles
	checkpoints int64                // most bytes that a training of the plan holds besides its result
}

// kindKey identifies cells that differ only in the seed.
type kindKey struct{ config, data string }

// kindCost is what a cell of a kind takes, without features.
type kindCost struct {
	known    bool    // the time of every work is known
	basis    string  // of the least certain work
	step     float64 // seconds of one step
	once     float64 // seconds of everything but steps and features
	memory   int64
	disk     int64
	features string // key of the features that it reads; empty where it needs none or they are cached
}

// newEstimator reads what was measured.
func newEstimator(w *workspace.Workspace, p *plan.Plan) (*estimator, error) {
	found, err := readMeasured(w)
	if err != nil {
		return nil, err
	}
	return &estimator{
		w: w, run: filepath.Join(w.Runs().Dir, p.Run), found: found, weights: p.Weights,
		kinds: map[kindKey]kindCost{}, parameters: map[string]int64{}, counted: map[string]struct{}{}, compiled: map[string]bool{},
	}, nil
}

// cost returns what a cell still takes.
func (e *estimator) cost(c plan.Cell) (runs.Cost, error) {
	key := kindKey{c.ConfigHash, c.Data.Dir}
	x, ok := e.kinds[key]
	if !ok {
		var err error
		if x, err = e.estimateKind(c); err != nil {
			return runs.Cost{}, err
		}
		e.kinds[key] = x
	}
	left := c.Config.Steps
	if c.State == plan.Interrupted || c.State == plan.Failed || c.State == plan.Running {
		left = max(0, left-checkpointStep(filepath.Join(e.run, filepath.FromSlash(c.Path()), "checkpoint")))
	}
	cost := runs.Cost{Seconds: x.once + x.step*float64(left), Memory: x.memory, Disk: x.disk, Basis: x.basis}
	known := x.known
	if _, paid := e.counted[x.features]; x.features != "" && !paid {
		e.counted[x.features] = struct{}{}
		net, err := c.Config.Network()
		if err != nil {
			return cost, err
		}
		kind := featuresKind(c.Config)
		t := e.estimateTime(workFeatures, kind, float64(c.Manifest.Rows))
		cost.Seconds += t.seconds
		if !e.compiled[kind] { // a process keeps the network for the next data set
			e.compiled[kind] = true
			cost.Seconds += t.setup
		}
		cost.Disk += int64(c.Manifest.Rows) * int64(net.Features*4+8)
		known = known && t.known
		cost.Basis = lessCertain(cost.Basis, t.basis)
	}
	if !known {
		cost.Seconds, cost.Basis = 0, ""
	}
	return cost, nil
}

// Predicted returns the cost that the record of a cell keeps when the cell begins. It is that of
// the whole cell even where the cell is continued, because the time in a record is as well. It is
// nil where there is no estimate.
func Predicted(c plan.Cell) *runs.Cost {
	switch {
	case (c.State == plan.Interrupted || c.State == plan.Failed) && c.Record.Predicted != nil:
		return c.Record.Predicted
	case c.Cost == runs.Cost{}:
		return nil
	}
	return &c.Cost
}

// workTime is the estimated time of a piece of work.
type workTime struct {
	known          bool
	basis          string
	seconds, setup float64
}

// estimateTime estimates an amount of a kind of work by the measured rate.
func (e *estimator) estimateTime(work, of string, amount float64) workTime {
	found := e.found.nearest(work, of, amount)
	if len(found) == 0 && work == workEvaluate { // a multiply-add takes about the same time in all widths
		found = nearestAmounts(e.found.works[work], amount)
	}
	if len(found) == 0 {
		return workTime{}
	}
	return workTime{
		known: true, basis: found[len(found)-1].Basis,
		seconds: amount * median(found, func(m measurement) float64 { return m.Seconds / m.Amount }),
		setup:   median(found, func(m measurement) float64 { return m.Setup }),
	}
}

// lessCertain returns the less certain of two bases. An empty basis is that of no work.
func lessCertain(a, b string) string {
	if a == "" || b == BasisProbe {
		return b
	}
	return a
}

// estimateKind estimates what is the same for all seeds of a cell.
func (e *estimator) estimateKind(c plan.Cell) (x kindCost, err error) {
	net, err := c.Config.Network()
	if err != nil {
		return x, err
	}
	kind, err := trainKind(c.Config, trainClasses(c.Manifest))
	if err != nil {
		return x, err
	}
	images, all, err := evaluationSize(c.Config, c.Manifest)
	if err != nil {
		return x, err
	}
	selection, err := estimateSelection(c.Config, c.Manifest)
	if err != nil {
		return x, err
	}
	x.known = true
	add := func(t workTime) {
		x.known = x.known && t.known
		x.basis = lessCertain(x.basis, t.basis)
		x.once += t.setup
	}
	evaluation := e.estimateTime(workEvaluate, evaluateKind(c.Config), evaluateAmount(c.Config, all))
	add(evaluation)
	x.once += evaluation.seconds
	if !c.Config.Untrained {
		steps := e.estimateTime(workTrain, kind, float64(c.Config.Steps))
		embed := e.estimateTime(workEmbed, embedKind(c.Config), float64(images))
		add(steps)
		add(embed)
		x.step = steps.seconds / float64(c.Config.Steps)
		x.once += embed.seconds
	}
	if c.Config.Initialises() { // no probe measures it, which could take longer than all the rest
		initial := e.estimateTime(workInitial, initialKind(c.Config), initialImages(c.Manifest))
		add(initial)
		x.once += initial.seconds
	}
	if n := float64(selection.looks); n > 0 {
		embed := e.estimateTime(workEmbed, embedKind(c.Config), float64(selection.images))
		compare := e.estimateTime(workEvaluate, evaluateKind(c.Config), selection.scores)
		add(embed) // its set-up: it is compiled once more
		x.once += n * (embed.seconds + compare.seconds)
	}
	// The overhead is small: a cell whose overhead is not known still has a known time.
	x.once += e.overhead(c)
	if c.Config.Mode == models.Frozen {
		if x.features, err = e.features(c, net); err != nil {
			return x, err
		}
	}
	parameters := headParameters(c.Config, net.Features, trainClasses(c.Manifest)) + e.trained(c.Config, net)
	x.memory = e.memory(c, net, kind, all, parameters)
	x.disk = cellDisk(c, images, all, parameters)
	if !c.Config.Untrained {
		// Values and two moments of each parameter, in the two checkpoints that are kept and the
		// one that is being written.
		most := (3*3 - 1) * 4 * parameters
		if selection.looks > 0 { // and two models that may be the best
			most += 2 * 4 * parameters
		}
		e.checkpoints = max(e.checkpoints, most)
	}
	return x, nil
}

// overhead returns the least that was measured, by the number of images of the data set. Waiting
// for the features of another process counts as overhead of a cell, but does not belong to its
// kind.
func (e *estimator) overhead(c plan.Cell) float64 {
	rows := float64(c.Manifest.Rows)
	found := e.found.nearest(workOverhead, overheadKind(c.Config), rows)
	if len(found) == 0 {
		return 0
	}
	rate := func(m measurement) float64 { return m.Seconds / m.Amount }
	return rows * rate(slices.MinFunc(found, func(a, b measurement) int { return cmp.Compare(rate(a), rate(b)) }))
}

// features returns the key of the features that a cell needs, empty where they are cached or imported.
func (e *estimator) features(c plan.Cell, net backbones.Backbone) (string, error) {
	if net.Imported {
		return "", nil
	}
	key := backbones.FeaturesKey(c.Manifest.Digest, e.weights[c.Backbone], net, c.Config.Input)
	if _, ok := e.counted[key]; ok {
		return key, nil
	}
	_, err := os.Stat(filepath.Join(e.w.FeaturesDir(), key+".arrow"))
	switch {
	case err == nil:
		return "", nil
	case errors.Is(err, fs.ErrNotExist):
		return key, nil
	default:
		return "", err
	}
}

// trained returns the number of parameters of a backbone that is trained, else 0.
func (e *estimator) trained(c models.Config, net backbones.Backbone) int64 {
	if c.Mode != models.Finetune {
		return 0
	}
	n, ok := e.parameters[net.Name]
	if !ok {
		n = backboneParameters(e.w, net)
		e.parameters[net.Name] = n
	}
	return n
}

// memory returns a measured peak of the kind, with the size of the tables adapted to the cell. The
// peak of a probe is that of a cell without a search, which is added. Where nothing was measured,
// it is the formula of the package documentation in frozen mode, else 0: what the activations of a
// network take in a training end to end is not known before it was tried.
func (e *estimator) memory(c plan.Cell, net backbones.Backbone, kind string, all []searchSize, parameters int64) int64 {
	bytes := tableBytes(c.Config, net.Features, c.Manifest)
	formula := idleMemory + bytes + 4*4*parameters + scoreBytes(all) // values, gradients, two moments
	if c.Config.Mode != models.Frozen {
		formula = 0
	}
	found := e.found.nearest(workMemory, kind, float64(bytes))
	if len(found) == 0 {
		return formula
	}
	peak := max(int64(median(found, func(m measurement) float64 { return float64(m.Memory) - m.Amount })), 0) + bytes
	if found[0].Basis == BasisProbe {
		return max(peak+scoreBytes(all), formula)
	}
	return peak
}

// scoreBytes returns the memory of one block of scores of the largest search.
func scoreBytes(all []searchSize) int64 {
	most := 0
	for _, s := range all {
		most = max(most, 4*s.queries*s.gallery)
	}
	return int64(min(most, 64<<20))
}

// cellDisk returns the size of the files of a done cell in bytes. The rows of the Arrow files have
// the sizes of their schemas; train.jsonl has lines of the usual length, cell.json has its usual
// size.
func cellDisk(c plan.Cell, images int, all []searchSize, parameters int64) int64 {
	const (
		embeddingRow = 8 + 4 + 4 + 1                                  // id, class, split, list
		queryRow     = 8 + 5*4 + 2*8 + plan.NearestPerQuery*(8+4) + 8 // id, class, draw, ranks, AP, R-precision, nearest, scores, their offsets
		fixed        = 12 << 10                                       // cell.json, schemas and footers
	)
	bytes := int64(images)*int64(c.Config.Size*4+embeddingRow) + fixed
	for _, s := range all {
		if c.Config.Selection != models.SelectPeek { // whose queries are not kept
			bytes += int64(s.draws) * int64(s.queries) * queryRow
		}
	}
	if c.Config.Selects() {
		bytes += 4 * parameters // the chosen model beside the last
	}
	if !c.Config.Untrained {
		line := int64(140 + 40*len(c.Config.Learners))
		bytes += 4*parameters + int64(c.Config.Steps)*line
	}
	return bytes
}

// checkpointStep returns the step of the newest checkpoint in a folder by the names of the files, 0
// where there is none.
func checkpointStep(dir string) int {
	files, err := os.ReadDir(dir)
	if err != nil {
		return 0 // there is no folder yet
	}
	newest := 0
	for _, f := range files {
		name, ok := strings.CutSuffix(strings.TrimPrefix(f.Name(), "step-"), ".safetensors")
		if n, err := strconv.Atoi(name); ok && err == nil {
			newest = max(newest, n)
		}
	}
	return newest
}
