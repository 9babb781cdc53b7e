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
	Todo    = "todo"
	Done    = "done"
	Stale   = "stale"   // recorded with another configuration, other data or other pretrained weights
	Failed  = "failed"  // failed before; run leaves it alone unless it is told to try again
	Running = "running" // another process is at it

	Interrupted = "interrupted" // run continues it from its checkpoint
)

// NearestPerQuery is the number of gallery images that are stored with each query.
const NearestPerQuery = 5

// GalleryDraws is the number of draws that the metrics of VehicleID's protocol
// 1gallery are means over.
const GalleryDraws = 10

// Cell is one cell of a suite and its state in a run.
type Cell struct {
	runs.Key
	Config     models.Config
	ConfigHash string
	DataHash   string
	Base       string // method that the suite compares it with; empty where it names none
	State      string
	Why        string    // for stale and failed cells, and for done ones of another build
	Cost       runs.Cost // what the cell still needs, by Estimate
	Record     runs.Cell // when the plan was made; zero where there was none
	Data       datasets.Entry
	Manifest   datasets.Manifest
}

// Plan is the cells of a suite in the order they run.
type Plan struct {
	Run   string
	Suite *suite.Suite
	Cells []Cell

	Weights   map[string]string // backbone -> SHA-256 of its pretrained weights, where that is known
	build     runs.Environment  // what cells would be made by now, as far as that is known before the backend is open
	sameBuild bool

	Checkpoints int64 // bytes that a training holds besides its result, by Estimate
}

// Options choose the cells of a plan.
type Options struct {
	Run       string // ID of the run whose records count
	Only      string // keeps the cells whose path, or one of its folders, matches the glob; empty keeps all
	SameBuild bool   // cells of another build of bierbench are stale
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

// New resolves a suite in the workspace against the records of a run. All data
// sets of the suite must be prepared, or with Only those of its cells.
func New(ctx context.Context, w *workspace.Workspace, s *suite.Suite, o Options) (*Plan, error) {
	p := &Plan{Run: o.Run, Suite: s, Weights: map[string]string{}, build: w.ExpectedEnvironment(ctx), sameBuild: o.SameBuild}
	done, err := RecordedCells(w, o.Run)
	if err != nil {
		return nil, err
	}
	planned := map[runs.Key]suite.Position{}
	manifests := map[string]*datasets.Manifest{}
	var absent []string
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
			cells, err := cellsOf(b, entry, *manifests[entry.Dir])
			if err != nil {
				return nil, fmt.Errorf("suite %s: %w", s.Name, err)
			}
			for _, c := range cells {
				if earlier, ok := planned[c.Key]; ok {
					return nil, b.Position.Errorf("cell %s is in the block of %s already", c.Path(), earlier.RelativeTo(b.Position))
				}
				planned[c.Key] = b.Position
				if o.Only != "" && !MatchPath(o.Only, c.Path()) {
					continue
				}
				old, ok := done[c.Key]
				c.Record = old
				c.State, c.Why = p.State(c, old, ok)
				p.Cells = append(p.Cells, c)
			}
		}
	}
	switch {
	case len(absent) > 0 && (o.Only == "" || len(p.Cells) == 0):
		return nil, fmt.Errorf("suite %s: %s", s.Name, strings.Join(absent, "; "))
	case len(p.Cells) == 0:
		return nil, fmt.Errorf("suite %s: no cell matches %q", s.Name, o.Only)
	}
	for _, a := range absent { // --only may mean: what is there
		w.Log.Warn("left out", "reason", a)
	}
	return p, markRunning(w, p)
}

// markRunning finds the interrupted cells that another process is at.
func markRunning(w *workspace.Workspace, p *Plan) error {
	if p.Count(Interrupted) == 0 {
		return nil
	}
	c, err := claims.Open(w.Runs().Path(p.Run))
	if err != nil {
		return err
	}
	defer c.Close()
	for i := range p.Cells {
		if p.Cells[i].State != Interrupted {
			continue
		}
		held, err := c.Held(p.Cells[i].Path())
		if err != nil {
			return err
		}
		if held {
			p.Cells[i].State = Running
		}
	}
	return nil
}

// cellsOf lays out a block on one data set: methods, then sizes, then seeds.
func cellsOf(b suite.Block, entry datasets.Entry, manifest datasets.Manifest) ([]Cell, error) {
	var out []Cell
	for _, v := range b.Methods {
		seen := map[int]bool{} // the untrained feature has one size whatever the list says
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
				seeds = seeds[:1] // nothing in it is random
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

// RecordedCells returns the records of a run, none when there is no such run yet.
func RecordedCells(w *workspace.Workspace, run string) (map[runs.Key]runs.Cell, error) {
	out := map[runs.Key]runs.Cell{}
	r, err := w.Runs().Open(run)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	cells, err := r.Cells()
	if err != nil {
		return nil, err
	}
	for _, c := range cells {
		out[c.Key] = c
	}
	return out, nil
}

// WeightsDigest is the SHA-256 of a backbone's pretrained weights, empty where
// it has none or they are not there yet.
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

// configHash is the SHA-256 of a configuration without its seed.
func configHash(c models.Config) (string, error) {
	c.Seed = 0
	data, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// MatchPath reports whether a cell's path fits a glob. A star in the pattern
// stays inside one folder name; a pattern without a slash may fit any of them.
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

func pathElements(p string) []string {
	var parts []string
	for p != "." && p != "" {
		parts = append(parts, path.Base(p))
		p = path.Dir(p)
	}
	return parts
}
