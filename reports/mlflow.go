package reports

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

	"bierbench/runs"
)

// MLflow writes a run as an experiment of an MLflow file store in dir, each cell that
// has a record as an MLflow run:
//
//	<experiment>/meta.yaml
//	<experiment>/<run>/{meta.yaml, params/, metrics/, tags/, artifacts/}
//
// Parameters are the cell's settings, metrics the curves of train.jsonl and the final
// metrics, tags its environment and identity, artifacts cell.json and train.jsonl.
// The ids are digests of the names, so that a later export replaces an earlier one
// and the same run gives the same files. Names that MLflow does not allow are
// changed: R@1 is R_at_1.
//
// MLflow 3 reads a file store with MLFLOW_ALLOW_FILE_STORE=true, and its command
// migrate-filestore turns it into a data base. It returns the experiment's folder.
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
	for _, c := range cells {
		if err = ctx.Err(); err != nil {
			return "", err
		}
		if err = s.writeCell(r, c); err != nil {
			return "", fmt.Errorf("mlflow: cell %s: %w", c.Path(), err)
		}
	}
	return filepath.Join(dir, s.experiment), nil
}

// experimentID is a number of 18 digits, as MLflow's own are.
func experimentID(run string) string {
	sum := sha256.Sum256([]byte("bierbench run " + run))
	return strconv.FormatUint(1e17+binary.BigEndian.Uint64(sum[:])%9e17, 10)
}

// runID is 32 hexadecimal digits.
func runID(run string, k runs.Key) string {
	sum := sha256.Sum256([]byte("bierbench cell " + run + "/" + k.Path()))
	return hex.EncodeToString(sum[:16])
}

// fileStore is where one experiment is written.
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

func (s fileStore) uri(elements ...string) string {
	u := url.URL{Scheme: "file", Path: path.Join(append([]string{filepath.ToSlash(s.dir)}, elements...)...)}
	return u.String()
}

func (s fileStore) writeExperiment(record runs.Record) error {
	meta, err := yaml.Marshal(storedExperiment{
		ArtifactLocation: s.uri(s.experiment), CreationTime: record.Created.UnixMilli(), ExperimentID: s.experiment,
		LastUpdateTime: record.Created.UnixMilli(), LifecycleStage: "active", Name: record.ID,
	})
	if err != nil {
		return err
	}
	return s.write(s.experiment, map[string][]byte{
		"meta.yaml": meta, "tags/bierbench.run": []byte(record.ID), "tags/bierbench.suite": []byte(record.Suite),
	})
}

// writeCell puts a whole run in the place of an earlier one. A kill between the two
// steps loses the run, and the next export brings it back; there is never a mixture.
func (s fileStore) writeCell(r *runs.Run, c runs.Cell) error {
	files, err := s.cellFiles(r, c)
	if err != nil {
		return err
	}
	id := runID(r.Record.ID, c.Key)
	temporary := ".bierbench-" + id
	if err := s.root.RemoveAll(temporary); err != nil { // left by a kill
		return err
	}
	if err := s.write(temporary, files); err != nil {
		return errors.Join(err, s.root.RemoveAll(temporary))
	}
	place := path.Join(s.experiment, id)
	if err := s.root.RemoveAll(place); err != nil {
		return err
	}
	return s.root.Rename(temporary, place)
}

// write writes the files of a folder, each whole or not at all.
func (s fileStore) write(folder string, files map[string][]byte) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		place := path.Join(folder, name)
		if err := s.root.MkdirAll(path.Dir(place), 0o755); err != nil {
			return err
		}
		unfinished := path.Join(path.Dir(place), ".unfinished")
		f, err := s.root.Create(unfinished)
		if err != nil {
			return err
		}
		_, err = f.Write(files[name])
		if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
			return errors.Join(err, s.root.Remove(unfinished))
		}
		if err = s.root.Rename(unfinished, place); err != nil {
			return err
		}
	}
	return nil
}

// cellFiles returns the files of a cell's run by their names in its folder.
func (s fileStore) cellFiles(r *runs.Run, c runs.Cell) (map[string][]byte, error) {
	settings, err := options(c)
	if err != nil {
		return nil, err
	}
	steps, err := runs.ReadSteps(r.StepsPath(c.Key))
	if err != nil {
		return nil, err
	}
	id := runID(r.Record.ID, c.Key)
	run := storedRun{
		ArtifactURI: s.uri(s.experiment, id, "artifacts"), ExperimentID: s.experiment, LifecycleStage: "active",
		RunID: id, RunUUID: id, RunName: c.Path(), SourceName: "bierbench", SourceType: sourceLocal, SourceVersion: c.Environment.Commit,
		StartTime: c.Started.UnixMilli(), Status: statusRunning, Tags: []string{}, UserID: "unknown",
	}
	switch c.Status {
	case runs.Done:
		run.Status = statusFinished
	case runs.Failed:
		run.Status = statusFailed
	}
	if run.Status != statusRunning {
		end := ended(c).UnixMilli()
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
	parameters := newNames()
	for _, o := range settings {
		files["params/"+parameters.of(o.name)] = []byte(o.text())
	}
	for name, value := range cellTags(r.Record.ID, c) {
		files["tags/"+name] = []byte(value)
	}
	metrics := newNames()
	values := map[string]*bytes.Buffer{}
	for _, v := range append(curves(c, steps), outcomes(c, steps)...) {
		name := metrics.of(v.tag)
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

// cellTags are what a cell ran on and which one it is; what is not known is left out.
func cellTags(run string, c runs.Cell) map[string]string {
	e := c.Environment
	tags := map[string]string{
		"mlflow.runName": c.Path(), "mlflow.source.name": "bierbench", "mlflow.source.type": "LOCAL",
		"mlflow.source.git.commit": strings.TrimSuffix(e.Commit, "+dirty"),
		"bierbench.run":            run, "bierbench.cell": c.Path(), "bierbench.group": c.Group.Path(), "bierbench.status": c.Status,
		"bierbench.error": c.Error, "bierbench.config_hash": c.ConfigHash, "bierbench.data_hash": c.DataHash, "bierbench.model_digest": c.ModelDigest,
		"environment.go": e.Go, "environment.gomlx": e.GoMLX, "environment.plugin": e.Plugin, "environment.backend": e.Backend,
		"environment.device": e.Device, "environment.cpu": e.CPU, "environment.host": e.Host, "environment.commit": e.Commit,
		"environment.weights": e.Weights, "environment.command": strings.Join(e.Command, " "),
	}
	if e.Devices > 0 {
		tags["environment.devices"] = strconv.Itoa(e.Devices)
	}
	maps.DeleteFunc(tags, func(_, value string) bool { return value == "" })
	return tags
}

// names maps names to such that MLflow allows as a file below one folder: two
// different ones stay different.
type names struct {
	given map[string]string // name -> MLflow's
	taken map[string]bool
}

func newNames() names { return names{map[string]string{}, map[string]bool{}} }

// of returns the name as MLflow allows it: letters, digits, spaces and _ - . / with
// parts that are no dots alone. "@" is "_at_", so R@1 is R_at_1.
func (n names) of(name string) string {
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
		if part = strings.TrimSpace(part); strings.Trim(part, ".") == "" {
			part = "_" + strings.Repeat("_", len(part))
		}
		parts[i] = part
	}
	clean = strings.Join(parts, "/")
	if len(clean) > 200 || n.taken[clean] {
		sum := sha256.Sum256([]byte(name))
		clean = clean[:min(len(clean), 200)] + "-" + hex.EncodeToString(sum[:4])
	}
	n.given[name], n.taken[clean] = clean, true
	return clean
}
