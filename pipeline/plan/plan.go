package plan

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"bierbench/datasets"
	"bierbench/models"
	"bierbench/models/backbones"
	"bierbench/models/cache"
	"bierbench/pipeline/internal/claims"
	"bierbench/pipeline/suite"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// The states of a planned cell.
const (
	Todo    = "todo" // there is no record
	Done    = "done"
	Stale   = "stale"   // the record was made from another configuration, other data or other pretrained weights
	Failed  = "failed"  // it failed before; Run leaves it alone unless RetryFailed is set
	Running = "running" // another process is working on it

	Interrupted = "interrupted" // Run continues it from its checkpoint

	// The states that a cell of a run's record has besides some of these.
	Planned = "planned" // it has not begun
	Broken  = "broken"  // its record cannot be read; Run does it again
)

// NearestPerQuery is the number of gallery images that are stored with each query: the nearest
// ones.
const NearestPerQuery = 5

// GalleryDraws is the number of random galleries that the metrics of VehicleID's protocol 1gallery
// are means over.
const GalleryDraws = 10

// A Cell is one cell of a suite and its state in a run.
type Cell struct {
	runs.Key
	Config     models.Config
	ConfigHash string
	DataHash   string
	Base       string // label of the method that the suite compares it with; empty where it names none
	State      string
	Why        string    // the reason, for a stale or failed cell and for a done one of another build
	Cost       runs.Cost // what the cell still takes; package cost fills it in
	Record     runs.Cell // as it was when the plan was made; zero where there was none
	Rival      bool      // it is stale, and another process is making what this plan would replace
	Data       datasets.Entry
	Manifest   datasets.Manifest
}

// A Plan is the cells of a suite, in the order in which they run.
type Plan struct {
	Run   string
	Suite *suite.Suite
	Cells []Cell

	Weights   map[string]string // SHA-256 of the pretrained weights by backbone, empty where it is not known
	build     runs.Environment  // of the cells that would be made now, as far as it is known before the backend is open
	sameBuild bool

	Checkpoints int64 // most bytes that a training holds besides its result; package cost fills it in
}

// Options choose the cells of a plan.
type Options struct {
	Run       string // ID of the run with the records
	Only      string // glob: only the cells whose path, or one of its folders, matches; empty stands for all
	SameBuild bool   // cells that another build of bierbench made are stale
}

// Count returns the number of cells in a state.
func (p *Plan) Count(state string) int {
	n := 0
	for _, c := range p.Cells {
		if c.State == state {
			n++
		}
	}
	return n
}

// New lists the cells of a suite and compares them with the records of a run. Every data set of the
// suite must be prepared, and have the imported features that it names; with Only, those of the cells
// that match.
func New(ctx context.Context, w *workspace.Workspace, s *suite.Suite, o Options) (*Plan, error) {
	p := &Plan{Run: o.Run, Suite: s, Weights: map[string]string{}, build: w.ExpectedEnvironment(ctx), sameBuild: o.SameBuild}
	if err := CheckGlob(o.Only); err != nil {
		return nil, fmt.Errorf("suite %s: %w", s.Name, err)
	}
	done, broken, err := recordedCells(w, o.Run)
	if err != nil {
		return nil, err
	}
	planned := map[runs.Key]suite.Position{}
	manifests := map[string]*datasets.Manifest{}
	var absent, warned []string
	for _, b := range s.Blocks {
		if p.Weights[b.Backbone], err = WeightsDigest(w, b.Backbone); err != nil {
			return nil, fmt.Errorf("suite %s: %w", s.Name, err)
		}
		for _, name := range b.Datasets {
			entry, err := w.Dataset(name)
			if errors.Is(err, workspace.ErrNotIngested) {
				if !slices.Contains(absent, err.Error()) {
					absent = append(absent, err.Error())
				}
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("suite %s: %w", s.Name, err)
			}
			if manifests[entry.Dir] == nil {
				if manifests[entry.Dir], err = datasets.ReadManifest(entry.Dir); err != nil {
					return nil, fmt.Errorf("suite %s: %w", s.Name, err)
				}
			}
			block := b
			imported, isImported, fault := ImportedFeatures(w, b.Backbone, entry, manifests[entry.Dir].Digest)
			switch {
			case errors.Is(fault, ErrNotImported):
				if !slices.Contains(absent, fault.Error()) {
					absent = append(absent, fault.Error())
				}
				continue
			case fault != nil:
				return nil, fmt.Errorf("suite %s: %w", s.Name, fault)
			case isImported:
				block = b.WithFeatures(imported.Features)
			}
			cells, err := cellsOf(block, entry, *manifests[entry.Dir])
			if err != nil {
				return nil, fmt.Errorf("suite %s: %w", s.Name, err)
			}
			for _, c := range cells {
				if !c.Config.Untrained && c.Manifest.Counts[string(datasets.Train)] == 0 {
					return nil, b.Position.Errorf("method %s trains, but %s has no training images: without training, only the method features is scored "+
						"(ingest with --train-classes says which classes train)", c.Method, name)
				}
			}
			for _, c := range cells {
				if earlier, ok := planned[c.Key]; ok {
					return nil, b.Position.Errorf("cell %s is already in the block of %s", c.Path(), earlier.RelativeTo(b.Position))
				}
				planned[c.Key] = b.Position
				if o.Only != "" && !MatchPath(o.Only, c.Path()) {
					continue
				}
				old, ok := done[c.Key]
				c.Record = old
				c.State, c.Why = p.State(c, old, ok)
				if fault := broken[c.Path()]; fault != nil {
					c.State, c.Why = Stale, BrokenWhy(fault)
				}
				p.Cells = append(p.Cells, c)
				if why := tooLarge(c); why != "" && c.State != Failed && !slices.Contains(warned, why) { // a failed one tells itself
					warned = append(warned, why)
					w.Log.Warn("cells will fail in training", "reason", why, "first", c.Path())
				}
			}
		}
	}
	switch {
	case len(absent) > 0 && (o.Only == "" || len(p.Cells) == 0):
		return nil, fmt.Errorf("suite %s: %s", s.Name, strings.Join(absent, "; "))
	case len(p.Cells) == 0:
		return nil, fmt.Errorf("suite %s: no cell matches %q", s.Name, o.Only)
	}
	for _, a := range absent { // with --only what is missing may be meant to be left out
		w.Log.Warn("left out", "reason", a)
	}
	return p, markRunning(w, p)
}

// markRunning finds the cells that another process is working on. A stale cell is among them where
// that process makes it by another configuration, other data or another build.
func markRunning(w *workspace.Workspace, p *Plan) error {
	c, err := claims.Look(w.Runs().Path(p.Run))
	if err != nil {
		return err
	}
	defer c.Close()
	for i := range p.Cells {
		if p.Cells[i].Record.Status != runs.Running {
			continue
		}
		held, err := c.Held(p.Cells[i].Path())
		if err != nil {
			return err
		}
		switch {
		case held && p.Cells[i].State == Interrupted:
			p.Cells[i].State = Running
		case held && p.Cells[i].State == Stale:
			p.Cells[i].Rival = true
		}
	}
	return nil
}

// cellsOf returns the cells of a block on one data set: by method, then size, then seed.
func cellsOf(b suite.Block, entry datasets.Entry, manifest datasets.Manifest) ([]Cell, error) {
	var out []Cell
	for _, v := range b.Methods {
		seen := map[int]bool{} // the untrained feature has one size, whatever the sizes of the block
		for _, size := range b.Sizes {
			config, err := b.Config(v, size)
			if err != nil {
				return nil, err
			}
			if seen[config.Size] {
				continue
			}
			seen[config.Size] = true
			hash, err := configHash(config)
			if err != nil {
				return nil, err
			}
			seeds := b.Seeds
			if config.Untrained {
				seeds = seeds[:1] // nothing is random without training
			}
			for _, seed := range seeds {
				c := Cell{
					Key: runs.Key{
						Group: runs.Group{
							Dataset: entry.Set, Variant: entry.Variant, Backbone: b.Backbone, Mode: b.Mode,
							Method: v.Label, Size: config.Size,
						},
						Seed: seed,
					},
					Config: config, ConfigHash: hash, DataHash: manifest.Digest, Base: v.Base, Data: entry, Manifest: manifest,
				}
				c.Config.Seed = uint64(seed)
				out = append(out, c)
			}
		}
	}
	return out, nil
}

// tooLarge says why a batch of a cell cannot be filled, or "" where nothing tells so before training. A class
// gives no more images than it has, which the manifest does not say; held-out classes give none.
func tooLarge(c Cell) string {
	name := string(datasets.Train)
	images, classes := c.Manifest.Counts[name], c.Manifest.Classes[name]
	need := c.Config.Classes * c.Config.Images
	if c.Config.Untrained || need <= min(images, classes*c.Config.Images) {
		return ""
	}
	return fmt.Sprintf("%s/%s has %d training images in %d classes, too few for a batch of %d classes x %d images; "+
		"lower classes or images in the suite, such as to classes: %d", c.Dataset, c.Variant, images, classes, c.Config.Classes,
		c.Config.Images, max(min(images, classes*c.Config.Images)/c.Config.Images, 1))
}

// BrokenWhy is the reason for which a cell whose record is broken is done again.
func BrokenWhy(fault error) string { return "its record is broken: " + fault.Error() }

// RecordedCells returns the records of the cells of a run, without the broken ones. It returns none
// where the run does not exist yet.
func RecordedCells(w *workspace.Workspace, run string) (map[runs.Key]runs.Cell, error) {
	cells, _, err := recordedCells(w, run)
	return cells, err
}

// recordedCells is RecordedCells that also returns the errors of broken records, by the paths of
// their cells.
func recordedCells(w *workspace.Workspace, run string) (map[runs.Key]runs.Cell, map[string]error, error) {
	out, faults := map[runs.Key]runs.Cell{}, map[string]error{}
	r, fault, err := w.Runs().Reopen(run)
	if errors.Is(err, fs.ErrNotExist) {
		return out, faults, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if fault != nil {
		w.Log.Warn("the record of the run is broken, the next run command writes it anew", "error", fault)
	}
	cells, broken, err := r.Survey()
	if err != nil {
		return nil, nil, err
	}
	for _, c := range cells {
		out[c.Key] = c
	}
	for _, b := range broken {
		faults[b.Cell] = b.Err
	}
	return out, faults, nil
}

// WeightsDigest returns the SHA-256 of a backbone's pretrained weights. It is empty where the
// backbone has none or they are not installed.
func WeightsDigest(w *workspace.Workspace, backbone string) (string, error) {
	net, err := backbones.Named(backbone)
	if err != nil || net.Weights == "" {
		return "", err
	}
	found, err := w.Cache.FindWeights(net.Weights)
	if _, missing := errors.AsType[*cache.MissingError](err); missing {
		return "", nil
	}
	return found.SHA256, err
}

// configHash returns the SHA-256 of a configuration without its seed.
func configHash(c models.Config) (string, error) {
	c.Seed = 0
	data, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// CheckGlob returns an error where a glob for MatchPath is malformed, so that it matches nothing.
func CheckGlob(glob string) error {
	if _, err := path.Match(glob, ""); err != nil {
		return fmt.Errorf("glob %q is not well formed; want one such as bier-* or seed-[0-2]", glob)
	}
	return nil
}

// MatchPath reports whether the path of a cell, or one of its folder names, matches a glob (package
// path). A star stays inside one folder name, so that a pattern with slashes must match the whole
// path.
func MatchPath(glob, cell string) bool {
	if ok, err := path.Match(glob, cell); err == nil && ok {
		return true
	}
	for part := range slices.Values(pathElements(cell)) {
		if ok, err := path.Match(glob, part); err == nil && ok {
			return true
		}
	}
	return false
}

// pathElements returns the folder names of a path, the last one first.
func pathElements(p string) []string {
	var parts []string
	for p != "." && p != "" {
		parts = append(parts, path.Base(p))
		p = path.Dir(p)
	}
	return parts
}
