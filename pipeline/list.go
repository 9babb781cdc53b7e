package pipeline

import (
	"time"

	"bierbench/datasets"
	"bierbench/pipeline/workspace"
)

// Listing is what a workspace holds.
type Listing struct {
	Datasets []ListedDataset `json:"datasets"`
	Runs     []ListedRun     `json:"runs"`
}

// ListedDataset is a prepared data set.
type ListedDataset struct {
	Set     string `json:"set"`
	Variant string `json:"variant"`
	Images  int    `json:"images"`
	Digest  string `json:"digest"`
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
}

// List returns what the workspace holds.
func List(w *workspace.Workspace) (*Listing, error) {
	l := &Listing{Datasets: []ListedDataset{}, Runs: []ListedRun{}}
	entries, err := datasets.Prepared(w.DatasetsDir())
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		m, broken := datasets.ReadManifest(e.Dir)
		if broken != nil {
			return nil, broken
		}
		l.Datasets = append(l.Datasets, ListedDataset{Set: e.Set, Variant: e.Variant, Images: m.Rows, Digest: m.Digest})
	}
	infos, err := w.Runs().List()
	if err != nil {
		return nil, err
	}
	for _, i := range infos {
		l.Runs = append(l.Runs, ListedRun{
			ID: i.ID, Suite: i.Record.Suite, Created: i.Record.Created, Planned: i.Planned,
			Done: i.Done, Failed: i.Failed, Peeked: i.Peeked,
		})
	}
	return l, nil
}
