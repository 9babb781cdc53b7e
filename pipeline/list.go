package pipeline

import (
	"strings"
	"time"

	"bierbench/datasets"
	"bierbench/models/backbones"
	"bierbench/pipeline/workspace"
)

// Listing is what a workspace holds.
type Listing struct {
	Datasets []ListedDataset `json:"datasets"`
	Features []ListedImport  `json:"features,omitempty"` // imported
	Runs     []ListedRun     `json:"runs"`
	Broken   []string        `json:"broken,omitempty"` // what is there and cannot be read: file and reason
}

// ListedDataset is a prepared data set.
type ListedDataset struct {
	Set     string `json:"set"`
	Variant string `json:"variant"`
	Images  int    `json:"images"`
	Digest  string `json:"digest"`
}

// ListedImport is the imported features of a data set. Why says why no cell can use them; it is empty
// where they fit.
type ListedImport struct {
	backbones.Import
	Why string `json:"why,omitempty"`
}

// ListedRun is a run with the counts of its cells.
type ListedRun struct {
	ID      string    `json:"id"`
	Suite   string    `json:"suite"`
	Created time.Time `json:"created"`
	Planned int       `json:"planned"`
	Done    int       `json:"done"`
	Failed  int       `json:"failed"`
	Peeked  int       `json:"peeked,omitempty"` // number of done cells whose model was chosen by its test results
	Broken  int       `json:"broken,omitempty"` // number of cells whose record cannot be read
}

// List returns what the workspace holds. What cannot be read is named, and hides nothing else.
func List(w *workspace.Workspace) (*Listing, error) {
	l := &Listing{Datasets: []ListedDataset{}, Runs: []ListedRun{}}
	entries, err := datasets.Prepared(w.DatasetsDir())
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		m, broken := datasets.ReadManifest(e.Dir)
		if broken != nil {
			l.Broken = append(l.Broken, broken.Error())
			continue
		}
		l.Datasets = append(l.Datasets, ListedDataset{Set: e.Set, Variant: e.Variant, Images: m.Rows, Digest: m.Digest})
	}
	imports, broken, err := backbones.Imports(w.FeaturesDir())
	if err != nil {
		return nil, err
	}
	for _, b := range broken {
		l.Broken = append(l.Broken, b.Error())
	}
	for _, i := range imports {
		l.Features = append(l.Features, ListedImport{Import: i, Why: l.unusable(i)})
	}
	infos, err := w.Runs().List()
	if err != nil {
		l.Broken = append(l.Broken, strings.Split(err.Error(), "\n")...)
	}
	for _, i := range infos {
		for _, b := range i.Broken {
			l.Broken = append(l.Broken, b.Err.Error())
		}
		l.Runs = append(l.Runs, ListedRun{
			ID: i.ID, Suite: i.Record.Suite, Created: i.Record.Created, Planned: i.Planned,
			Done: i.Done, Failed: i.Failed, Peeked: i.Peeked, Broken: len(i.Broken),
		})
	}
	return l, nil
}

// unusable says why imported features fit no prepared data set of the listing; empty where one has
// their digest.
func (l *Listing) unusable(i backbones.Import) string {
	for _, d := range l.Datasets {
		if d.Set == i.Set && d.Variant == i.Variant {
			if d.Digest == i.Data {
				return ""
			}
			return "the data set has another content now"
		}
	}
	return "the data set is not prepared"
}
