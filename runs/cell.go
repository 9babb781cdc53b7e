package runs

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Schema is the version of cell.json and run.json that this package writes.
const Schema = 1

// The states of a cell.
const (
	Running = "running"
	Done    = "done"
	Failed  = "failed"
)

// A Group is the cells that differ in the seed alone.
type Group struct {
	Dataset  string `json:"dataset"`        // cub, cars196, sop, inshop or vehicleid, or labels
	Variant  string `json:"variant"`        // official+box-s256-jpeg, mini-s256-jpeg, ...
	Backbone string `json:"backbone"`       // googlenet, lite0, convnet, or file:NAME for imported features
	Mode     string `json:"mode"`           // frozen or finetune
	Method   string `json:"method"`         // the label in the suite
	Size     int    `json:"embedding_size"` // width of the test-time vector
}

// Path returns <dataset>.<variant>/<backbone>-<mode>/<method>-<size>. A backbone file:NAME is file-NAME
// there: not every system takes a colon in the name of a folder.
func (g Group) Path() string {
	return path.Join(g.Dataset+"."+g.Variant, g.backboneFolder()+"-"+g.Mode, fmt.Sprintf("%s-%d", g.Method, g.Size))
}

// backboneFolder returns the name of the backbone in paths.
func (g Group) backboneFolder() string {
	if name, ok := strings.CutPrefix(g.Backbone, "file:"); ok {
		return "file-" + name
	}
	return g.Backbone
}

// A Key identifies a cell inside a run.
type Key struct {
	Group
	Seed int `json:"seed"`
}

// Path returns the cell's folder relative to its run's folder, with slashes.
func (k Key) Path() string {
	return path.Join(k.Group.Path(), fmt.Sprintf("seed-%d", k.Seed))
}

// Cell is the record of one cell, cell.json. Metrics are fractions in [0, 1].
type Cell struct {
	Schema int `json:"schema"`
	Key
	Run            string          `json:"run,omitempty"` // id of its run; older records have none
	Config         json.RawMessage `json:"config"`        // the resolved models.Config
	ConfigHash     string          `json:"config_hash"`   // SHA-256, hex, of Config without the seed
	DataHash       string          `json:"data_hash"`     // digest of the data set's manifest
	Started        time.Time       `json:"started"`
	Status         string          `json:"status"` // running, done or failed
	Error          string          `json:"error,omitempty"`
	Log            []string        `json:"log,omitempty"` // the last lines of the log of a failed cell
	Evaluations    []Evaluation    `json:"evaluations"`
	Correlation    *Correlation    `json:"correlation,omitempty"`
	Initialisation *Initialisation `json:"initialisation,omitempty"` // nil where the embedding matrices were drawn
	Selection      *Selection      `json:"selection,omitempty"`      // nil where the last model is evaluated
	// Timing is stage -> seconds: features, initialise (in the attempt that did it), train (with
	// set-up and the last save), select, embed, evaluate, overhead (in no stage), total.
	Timing     map[string]float64 `json:"timing"`
	Throughput map[string]float64 `json:"throughput"` // "train images/s", "train steps/s", "embed images/s"
	// Memory is the largest resident memory of the process during the cell, in bytes; 0 where
	// unknown.
	Memory      int64  `json:"memory,omitempty"`
	ModelDigest string `json:"model_digest,omitempty"` // SHA-256, hex, of the trained variables
	// External is set where the vectors were made by another program.
	External  *External `json:"external,omitempty"`
	Predicted *Cost     `json:"predicted,omitempty"` // prediction made before the cell began
	// Files has the SHA-256, hex, of the files beside the record, by name: embeddings.arrow,
	// queries-<protocol>.arrow, labels.arrow, and train.jsonl of a finished cell. Those who read a file compare it.
	// Older records have none.
	Files       map[string]string `json:"files,omitempty"`
	Environment Environment       `json:"environment"`
	// Earlier are the environments of earlier attempts whose checkpoint the training went on from,
	// oldest first, where they differ from what followed.
	Earlier []Environment `json:"earlier,omitempty"`
}

// Cost is the cost of a cell, predicted or measured.
type Cost struct {
	Seconds float64 `json:"seconds"`
	Memory  int64   `json:"memory"` // resident, bytes
	Disk    int64   `json:"disk"`   // bytes in the run's folder and, for the first cell that needs them, of the cached features
	Basis   string  `json:"basis"`  // what the time is taken from: measured, probe or empty where it is not known
}

// Evaluation is the result on one protocol of the cell's data set.
type Evaluation struct {
	Protocol string                `json:"protocol"`  // cub-loo+box+subset, ...
	At       string                `json:"at"`        // last, selected or peek
	TestHash string                `json:"test_hash"` // digest of the test images' ids, classes and source hashes
	Queries  int                   `json:"queries"`
	Gallery  int                   `json:"gallery"`
	Excluded int                   `json:"excluded"` // queries without a positive, left out of Queries
	Metrics  map[string]float64    `json:"metrics"`  // "R@1", "MAP@R", "R-precision"
	Bounds   map[string][2]float64 `json:"bounds"`   // the same names: [pessimistic, optimistic]
	Learners []Learner             `json:"learners,omitempty"`
}

// Collapsed reports whether a metric's bounds differ by more than 0.1 point. Ties then decide the
// number, and it gets no verdict.
func (e Evaluation) Collapsed(metric string) bool {
	b, ok := e.Bounds[metric]
	return ok && b[1]-b[0] > 0.001
}

// Learner is one learner of an ensemble, in boosting order. Recalls are R@K by name, "R@1", "R@2",
// ..., for 1 and every K of the protocol. They are means over draws where there are several. Older
// records have no recalls.
type Learner struct {
	Size              int                `json:"size"`
	R1                float64            `json:"R@1"`            // its slice alone
	Cumulative        float64            `json:"R@1 cumulative"` // it and all before it, scaled as at test time
	Recalls           map[string]float64 `json:"recalls,omitempty"`
	CumulativeRecalls map[string]float64 `json:"recalls cumulative,omitempty"` // the last learner's are the metrics of the evaluation
}

// Correlation says how redundant the embedding is over all test images of the data set. r is
// Pearson's correlation of two dimensions over the images. A dimension that never varies has no r
// and is left out; a mean over no pair is null. M is the number of learners. Older records have no
// matrices. Everything here can be computed again from embeddings.arrow, and so can the matrix of
// all dimensions, which is not kept.
type Correlation struct {
	// Learners is mean |r| between dimensions of different learners; nil where there is one
	// learner.
	Learners *float64 `json:"learners"`
	// Dimensions is the same over all pairs of different dimensions, so that one learner can be
	// compared with several.
	Dimensions float64 `json:"dimensions"`
	// LearnerMatrix is mean |r| between the dimensions of two learners, [M][M]. The diagonal is
	// over pairs of different dimensions of one learner.
	LearnerMatrix [][]*float64 `json:"learner_matrix,omitempty"`
	// ScoreMatrix is Pearson's correlation of two learners' scores, [M][M], over all pairs of
	// different images; null where a learner gives all pairs the same score.
	ScoreMatrix [][]*float64 `json:"score_matrix,omitempty"`
	// Blocks is the matrix of all dimensions, for drawing.
	Blocks *DimensionBlocks `json:"dimension_blocks,omitempty"`
}

// DimensionBlocks is mean |r| over pairs of different dimensions of two blocks, with four decimals.
// A block is consecutive dimensions of one learner. There are at most 32 blocks, unless there are
// more learners.
type DimensionBlocks struct {
	Sizes  []int        `json:"sizes"`  // dimensions of each
	Matrix [][]*float64 `json:"matrix"` // [block][block]
}

// Environment is the software and hardware that a cell ran on.
type Environment struct {
	Go      string `json:"go"`
	GoMLX   string `json:"gomlx"`
	Plugin  string `json:"plugin"`  // file name and SHA-256 of the PJRT plugin
	Backend string `json:"backend"` // xla:cpu, xla:cuda or go
	Device  string `json:"device"`
	Devices int    `json:"devices,omitempty"` // used for training, features and evaluation; 0 in older records
	CPU     string `json:"cpu"`               // model and number of cores
	Host    string `json:"host,omitempty"`    // name of the machine
	Commit  string `json:"commit"`            // of bierbench, with +dirty
	Weights string `json:"weights,omitempty"` // SHA-256 of the pretrained weights

	Modules map[string]string `json:"modules,omitempty"` // Go modules built in, path -> version
	Command []string          `json:"command,omitempty"` // the command line that did the cell

	// Variables are the environment variables that can change a number, with their values. It is empty
	// where none was set, and nil in older records.
	Variables map[string]string `json:"variables,omitzero"`
}

// VariablesText returns the variables as words, "XLA_FLAGS=--a=1 TF_X=2", "none" where none was set.
// It is empty for older records, in which they are not known.
func (e Environment) VariablesText() string {
	switch {
	case e.Variables == nil:
		return ""
	case len(e.Variables) == 0:
		return "none"
	}
	var words []string
	for _, name := range slices.Sorted(maps.Keys(e.Variables)) {
		words = append(words, name+"="+e.Variables[name])
	}
	return strings.Join(words, " ")
}

// Same reports whether two environments are equal, except for the command.
func (e Environment) Same(other Environment) bool {
	e.Command, other.Command = nil, nil
	return reflect.DeepEqual(e, other)
}

// TrainStep is one line of train.jsonl.
type TrainStep struct {
	Step      int       `json:"step"`     // 1-based, after this optimizer step
	Loss      float64   `json:"loss"`     // metric loss, mean over learners
	Total     float64   `json:"total"`    // the quantity that was minimised: with diversity and weight decay
	Rate      float64   `json:"rate"`     // embedding learning rate
	Learners  []float64 `json:"learners"` // loss of each learner
	Weights   []float64 `json:"weights"`  // mean boosting weight of each learner over its pairs
	Diversity float64   `json:"diversity,omitempty"`
	// WeightBins is, for each learner, the share of the positive and of the negative pairs whose
	// boosting weight is in each tenth of the possible range. The shares of a kind sum to 1, apart
	// from rounding to four decimals. Ensembles write them at the first and every 20th step after
	// it, and at the last.
	WeightBins [][2][]float64 `json:"weight_bins,omitempty"`
	Seconds    float64        `json:"seconds"` // since training began, all attempts added up
}
