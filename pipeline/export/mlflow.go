package export

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml"
	"golang.org/x/sys/unix"

	"bierbench/runs"
)

// MLflow writes a run as an experiment of an MLflow file store in dir and returns the experiment's
// folder. Each cell that has a record becomes an MLflow run:
//
//	<experiment>/meta.yaml
//	<experiment>/<run>/{meta.yaml, params/, metrics/, tags/, artifacts/}
//
// Parameters are the cell's settings. Metrics are the curves of train.jsonl and the final metrics.
// Tags are its environment and identity. Artifacts are cell.json and train.jsonl. The ids are
// digests of the names, so a later export replaces an earlier one and the same run gives the same
// files. Names that MLflow does not allow are changed: R@1 becomes R_at_1.
//
// MLflow 3 reads a file store with MLFLOW_ALLOW_FILE_STORE=true, and its command migrate-filestore
// turns it into a data base.
func MLflow(ctx context.Context, r *runs.Run, dir string) (string, error) {
	cells, err := r.Cells()
	if err != nil {
		return "", err
	}
	dir, err = filepath.Abs(dir) // artifacts are named by their absolute place
	if err != nil {
		return "", fmt.Errorf("mlflow: %w", err)
	}
	if err = os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("mlflow: %w", err)
	}
	root, err := os.OpenRoot(dir) // no name can lead out of it
	if err != nil {
		return "", fmt.Errorf("mlflow: %w", err)
	}
	defer root.Close()
	s := fileStore{root: root, dir: dir, experiment: experimentID(r.Record.ID)}
	if err = s.writeExperiment(r.Record); err != nil {
		return "", fmt.Errorf("mlflow: %w", err)
	}
	if err = s.writeCells(ctx, r, cells); err != nil {
		return "", fmt.Errorf("mlflow: %w", err)
	}
	return filepath.Join(dir, s.experiment), nil
}

// experimentID returns a number of 18 digits, as MLflow's own are.
func experimentID(run string) string {
	sum := sha256.Sum256([]byte("bierbench run " + run))
	return strconv.FormatUint(1e17+binary.BigEndian.Uint64(sum[:])%9e17, 10)
}

// runID returns 32 hexadecimal digits.
func runID(run string, k runs.Key) string {
	sum := sha256.Sum256([]byte("bierbench cell " + run + "/" + k.Path()))
	return hex.EncodeToString(sum[:16])
}

// fileStore is the place where one experiment is written.
type fileStore struct {
	root       *os.Root
	dir        string // absolute
	experiment string
}

// storedExperiment is the meta.yaml of an experiment.
type storedExperiment struct {
	ArtifactLocation string `yaml:"artifact_location"`
	CreationTime     int64  `yaml:"creation_time"` // milliseconds since 1970
	ExperimentID     string `yaml:"experiment_id"`
	LastUpdateTime   int64  `yaml:"last_update_time"`
	LifecycleStage   string `yaml:"lifecycle_stage"`
	Name             string `yaml:"name"`
}

// storedRun is the meta.yaml of a run.
type storedRun struct {
	ArtifactURI    string   `yaml:"artifact_uri"`
	EndTime        *int64   `yaml:"end_time"`
	EntryPointName string   `yaml:"entry_point_name"`
	ExperimentID   string   `yaml:"experiment_id"`
	LifecycleStage string   `yaml:"lifecycle_stage"`
	RunID          string   `yaml:"run_id"`
	RunName        string   `yaml:"run_name"`
	RunUUID        string   `yaml:"run_uuid"`
	SourceName     string   `yaml:"source_name"`
	SourceType     int      `yaml:"source_type"`
	SourceVersion  string   `yaml:"source_version"`
	StartTime      int64    `yaml:"start_time"`
	Status         int      `yaml:"status"`
	Tags           []string `yaml:"tags"` // always empty: they are files
	UserID         string   `yaml:"user_id"`
}

// MLflow's numbers for the source type "local" and the states of a run.
const (
	sourceLocal    = 4
	statusRunning  = 1
	statusFinished = 3
	statusFailed   = 4
)

// uri returns the address of a file below the store.
func (s fileStore) uri(elements ...string) string {
	u := url.URL{Scheme: "file", Path: path.Join(append([]string{filepath.ToSlash(s.dir)}, elements...)...)}
	return u.String()
}

// writeExperiment writes the files of the experiment itself.
func (s fileStore) writeExperiment(record runs.Record) error {
	meta, err := yaml.Marshal(storedExperiment{
		ArtifactLocation: s.uri(s.experiment), CreationTime: record.Created.UnixMilli(), ExperimentID: s.experiment,
		LastUpdateTime: record.Created.UnixMilli(), LifecycleStage: "active", Name: record.ID,
	})
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"meta.yaml": meta, "tags/bierbench.run": []byte(record.ID), "tags/bierbench.suite": []byte(record.Suite),
	} {
		place := filepath.Join(s.dir, s.experiment, filepath.FromSlash(name)) // of fixed names
		if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
			return err
		}
		if err := runs.WriteFile(place, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// writeCells writes the runs of all cells beside the experiment, syncs them together (a cell has a
// hundred small files) and then moves each into the place of an earlier one. A kill in between
// leaves whole runs only; one may be missing until the next export.
func (s fileStore) writeCells(ctx context.Context, r *runs.Run, cells []runs.Cell) (err error) {
	temporary := ".bierbench-" + s.experiment
	if err = s.root.RemoveAll(temporary); err != nil { // left by a kill
		return err
	}
	defer func() { err = errors.Join(err, s.root.RemoveAll(temporary)) }()
	for _, c := range cells {
		if err := ctx.Err(); err != nil {
			return err
		}
		files, err := s.cellFiles(r, c)
		if err != nil {
			return fmt.Errorf("cell %s: %w", c.Path(), err)
		}
		folder := path.Join(temporary, runID(r.Record.ID, c.Key))
		for _, part := range []string{"artifacts", "metrics", "params", "tags"} { // MLflow wants all, also empty ones
			if err := s.root.MkdirAll(path.Join(folder, part), 0o755); err != nil {
				return fmt.Errorf("cell %s: %w", c.Path(), err)
			}
		}
		for name, content := range files {
			place := path.Join(folder, name)
			if err := s.root.MkdirAll(path.Dir(place), 0o755); err != nil {
				return fmt.Errorf("cell %s: %w", c.Path(), err)
			}
			if err := s.root.WriteFile(place, content, 0o644); err != nil {
				return fmt.Errorf("cell %s: %w", c.Path(), err)
			}
		}
	}
	if err := s.sync(); err != nil {
		return err
	}
	for _, c := range cells {
		id := runID(r.Record.ID, c.Key)
		place := path.Join(s.experiment, id)
		if err := s.root.RemoveAll(place); err != nil {
			return err
		}
		if err := s.root.Rename(path.Join(temporary, id), place); err != nil {
			return err
		}
	}
	return nil
}

// sync writes what the file system holds in memory to the disk.
func (s fileStore) sync() error {
	d, err := s.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(d.Fd())), d.Close())
}

// cellFiles returns the files of a cell's run by their names in its folder.
func (s fileStore) cellFiles(r *runs.Run, c runs.Cell) (map[string][]byte, error) {
	settings, err := settingsOf(c)
	if err != nil {
		return nil, err
	}
	steps, err := r.Steps(c)
	if err != nil {
		return nil, err
	}
	id := runID(r.Record.ID, c.Key)
	run := storedRun{
		ArtifactURI: s.uri(s.experiment, id, "artifacts"), ExperimentID: s.experiment, LifecycleStage: "active",
		RunID: id, RunUUID: id, RunName: c.Path(), SourceName: "bierbench", SourceType: sourceLocal, SourceVersion: commitOf(c),
		StartTime: c.Started.UnixMilli(), Status: statusRunning, Tags: []string{}, UserID: "unknown",
	}
	switch c.Status {
	case runs.Done:
		run.Status = statusFinished
	case runs.Failed:
		run.Status = statusFailed
	}
	if run.Status != statusRunning {
		end := endTime(c).UnixMilli()
		run.EndTime = &end
	}
	files := map[string][]byte{}
	if files["meta.yaml"], err = yaml.Marshal(run); err != nil {
		return nil, err
	}
	if files["artifacts/cell.json"], err = json.MarshalIndent(c, "", "  "); err != nil {
		return nil, err
	}
	curve, err := os.ReadFile(r.StepsPath(c.Key))
	switch {
	case err == nil:
		files["artifacts/train.jsonl"] = curve
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	parameters := newNameMap()
	for _, o := range settings {
		files["params/"+parameters.allowed(tagPart(o.name))] = []byte(o.text())
	}
	for name, value := range cellTags(r.Record.ID, c) {
		files["tags/"+name] = []byte(value)
	}
	metrics := newNameMap()
	values := map[string]*bytes.Buffer{}
	for _, v := range slices.Concat(trainingScalars(c, steps), selectionScalars(c, steps), finalScalars(c, steps)) {
		name := metrics.allowed(v.tag)
		if values[name] == nil {
			values[name] = &bytes.Buffer{}
		}
		fmt.Fprintf(values[name], "%d %s %d\n", v.at.UnixMilli(), strconv.FormatFloat(v.value, 'g', -1, 64), v.step)
	}
	for name, lines := range values {
		files["metrics/"+name] = lines.Bytes()
	}
	return files, nil
}

// cellTags returns what identifies a cell and what it ran on. Unknown values are left out.
func cellTags(run string, c runs.Cell) map[string]string {
	e := c.Environment
	tags := map[string]string{
		"mlflow.runName": c.Path(), "mlflow.source.name": "bierbench", "mlflow.source.type": "LOCAL",
		"mlflow.source.git.commit": commitOf(c),
		"bierbench.run":            run, "bierbench.cell": c.Path(), "bierbench.group": c.Group.Path(), "bierbench.status": c.Status,
		"bierbench.error": c.Error, "bierbench.config_hash": c.ConfigHash, "bierbench.data_hash": c.DataHash,
		"bierbench.model_digest": c.ModelDigest,
		"environment.go":         e.Go, "environment.gomlx": e.GoMLX, "environment.plugin": e.Plugin, "environment.backend": e.Backend,
		"environment.device": e.Device, "environment.cpu": e.CPU, "environment.host": e.Host, "environment.commit": e.Commit,
		"environment.weights": e.Weights, "environment.command": strings.Join(e.Command, " "),
	}
	tags["bierbench.evaluated_model"] = runs.SelectionLabel(c.Selection)
	if e.Devices > 0 {
		tags["environment.devices"] = strconv.Itoa(e.Devices)
	}
	maps.DeleteFunc(tags, func(_, value string) bool { return value == "" })
	return tags
}

// commitOf returns the commit of the code without the mark of uncommitted changes; empty where it
// is not known.
func commitOf(c runs.Cell) string {
	revision := strings.TrimSuffix(c.Environment.Commit, "+dirty")
	if revision == "unknown" {
		return ""
	}
	return revision
}

// nameMap turns names into ones that MLflow allows as files below one folder. Different names stay
// different.
type nameMap struct {
	given   map[string]string // name -> MLflow's
	files   map[string]bool   // MLflow's names
	folders map[string]bool   // above them
}

// newNameMap returns an empty map.
func newNameMap() nameMap { return nameMap{map[string]string{}, map[string]bool{}, map[string]bool{}} }

// allowed returns the name as MLflow allows it: letters, digits, spaces and _ - . /, with parts
// that do not begin with a dot. "@" becomes "_at_", so R@1 is R_at_1.
func (n nameMap) allowed(name string) string {
	if known, ok := n.given[name]; ok {
		return known
	}
	clean := strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_-. /", r)) {
			return r
		}
		return '_'
	}, strings.ReplaceAll(name, "@", "_at_"))
	parts := strings.Split(clean, "/")
	for i, part := range parts {
		inner := strings.TrimLeft(part, ".")
		if part = strings.Repeat("_", len(part)-len(inner)) + inner; part == "" {
			part = "_"
		}
		parts[i] = part
	}
	clean = strings.Join(parts, "/")
	above := parentFolders(clean)
	if slices.ContainsFunc(above, func(folder string) bool { return n.files[folder] }) {
		clean = strings.ReplaceAll(clean, "/", "_")
	}
	if len(clean) > 200 || n.files[clean] || n.folders[clean] {
		sum := sha256.Sum256([]byte(name))
		clean = clean[:min(len(clean), 200)] + "-" + hex.EncodeToString(sum[:4])
	}
	n.given[name], n.files[clean] = clean, true
	for _, folder := range parentFolders(clean) {
		n.folders[folder] = true
	}
	return clean
}

// parentFolders returns the folders above a file, the outermost first.
func parentFolders(name string) []string {
	var list []string
	for i, r := range name {
		if r == '/' {
			list = append(list, name[:i])
		}
	}
	return list
}
