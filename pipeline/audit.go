package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"

	"bierbench/datasets"
	"bierbench/models/backbones"
	"bierbench/models/retrieval"
	"bierbench/pipeline/workspace"
	"bierbench/reports"
)

const (
	// auditPairs is how many pairs of each kind an audit lists.
	auditPairs = 120
	// auditCosine is the least cosine of the features of two images that count as alike.
	auditCosine = 0.95
	// auditNearest is how many nearest images of each are compared by features.
	auditNearest = 5
)

// Audited is the audit of one prepared data set.
type Audited struct {
	*reports.Audit
	Page string `json:"page"` // path of the HTML file; empty where the workspace can only be read
}

// Audit looks for images of prepared data sets that are there more than once: by their files, by a
// perceptual hash, and by the features of pretrained backbones where they are cached. It writes a page
// and its data for each into the workspace's reports folder.
func Audit(ctx context.Context, w *workspace.Workspace, name string) ([]Audited, error) {
	entries, err := preparedVariants(w, name)
	if err != nil {
		return nil, err
	}
	var out []Audited
	for _, e := range entries {
		one, err := auditOne(ctx, w, e)
		if err != nil {
			return out, fmt.Errorf("audit %s/%s: %w", e.Set, e.Variant, err)
		}
		out = append(out, one)
	}
	return out, nil
}

// auditOne audits one data set.
func auditOne(ctx context.Context, w *workspace.Workspace, e datasets.Entry) (Audited, error) {
	data, err := datasets.Open(e.Dir)
	if err != nil {
		return Audited{}, err
	}
	defer data.Close()
	w.Progress.Start("audit "+e.Set+"/"+e.Variant, data.Len())
	found, err := datasets.FindDuplicates(ctx, data, auditPairs, func(done, _ int) { w.Progress.Advance(done, "") })
	w.Progress.Finish()
	if err != nil {
		return Audited{}, err
	}
	a := &reports.Audit{
		Schema: reports.Schema, Dataset: e.Set + "/" + e.Variant, Digest: found.Digest, Images: found.Images,
		Kinds: []reports.AuditKind{
			{Name: datasets.ExactPair, Rule: "the source files have the same SHA-256"},
			{Name: datasets.NearPair, Rule: fmt.Sprintf("the 64-bit perceptual hashes of the stored images differ in at most %d bits", datasets.NearBits)},
		},
		Counts: []reports.AuditCount{}, Pairs: []reports.AuditPair{},
	}
	counts, pairs := found.Counts, found.Pairs
	for _, net := range backbones.All() {
		likeness, failed := auditFeatures(ctx, w, data, net)
		if errors.Is(failed, fs.ErrNotExist) {
			continue
		}
		if failed != nil {
			return Audited{}, failed
		}
		a.Kinds = append(a.Kinds, reports.AuditKind{
			Name: likeness.kind, Rule: fmt.Sprintf("the cosine of the cached features of %s, of %d pixels, is at least %g; the %d nearest images of each were compared",
				net.Name, net.Input, auditCosine, auditNearest),
		})
		counts = append(counts, likeness.counts...)
		pairs = append(pairs, likeness.pairs...)
	}
	for _, c := range counts {
		a.Counts = append(a.Counts, reports.AuditCount{Kind: c.Kind, A: string(c.A), B: string(c.B), Pairs: c.Pairs, OtherClass: c.OtherClass})
	}
	if a.Pairs, err = auditPictures(ctx, data, pairs); err != nil {
		return Audited{}, err
	}
	paths, err := a.Write(filepath.Join(w.ReportsDir(), "audit-"+e.Set+"."+e.Variant))
	if err != nil {
		return Audited{Audit: a}, w.Unwritten(err)
	}
	return Audited{Audit: a, Page: paths[0]}, nil
}

// auditPictures returns pairs with their pictures, each image read once.
func auditPictures(ctx context.Context, data *datasets.Dataset, pairs []datasets.Pair) ([]reports.AuditPair, error) {
	known := map[int]*reports.Thumbnail{}
	out := make([]reports.AuditPair, 0, len(pairs))
	for _, p := range pairs {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		pair := reports.AuditPair{Kind: p.Kind, Detail: "the same file"}
		switch {
		case p.Cosine > 0:
			pair.Detail = fmt.Sprintf("cosine %.3f", p.Cosine)
		case p.Kind == datasets.NearPair:
			pair.Detail = fmt.Sprintf("%d bits apart", p.Distance)
		}
		for k, row := range []int{p.A, p.B} {
			if known[row] == nil {
				jpeg, width, height, err := data.Thumbnail(row, reports.AuditSide, reports.AuditQuality)
				if err != nil {
					return nil, err
				}
				known[row] = &reports.Thumbnail{JPEG: jpeg, Width: width, Height: height, Class: data.Class(row), ClassName: data.ClassName(row)}
			}
			pair.Images[k] = reports.AuditImage{
				ID: data.ID(row), Name: data.Name(row), Split: string(data.Split(row)), Class: data.Class(row), ClassName: data.ClassName(row),
				Picture: known[row],
			}
		}
		out = append(out, pair)
	}
	return out, nil
}

// A likeness is the pairs that are alike by the features of a backbone.
type likeness struct {
	kind   string
	counts []datasets.PairCount
	pairs  []datasets.Pair
}

// auditFeatures finds pairs by the cached features of a backbone at its usual input, but for those that
// are the same file. Without such features, the error is fs.ErrNotExist.
func auditFeatures(ctx context.Context, w *workspace.Workspace, data *datasets.Dataset, net backbones.Backbone) (likeness, error) {
	l := likeness{kind: datasets.FeaturePair + " " + net.Name}
	if net.Weights == "" { // random features say little
		return l, fs.ErrNotExist
	}
	weights, err := w.Cache.FindWeights(net.Weights)
	if err != nil {
		return l, fs.ErrNotExist // nothing is installed for an audit
	}
	key := backbones.FeaturesKey(data.Manifest.Digest, weights.SHA256, net, net.Input)
	f, err := backbones.ReadFeatures(filepath.Join(w.FeaturesDir(), key+".arrow"), key)
	if err != nil {
		return l, err
	}
	s := retrieval.Search{
		Queries: unitRows(f.Values, f.Width), Width: f.Width, QueryIDs: f.IDs, QueryClasses: make([]int32, len(f.IDs)),
		SelfExcluded: true, Nearest: auditNearest,
	}
	s.Gallery, s.GalleryIDs, s.GalleryClasses = s.Queries, s.QueryIDs, s.QueryClasses
	b, err := w.OpenBackend(ctx)
	if err != nil {
		return l, err
	}
	result, err := retrieval.Retrieve(ctx, b, s)
	if err != nil {
		return l, err
	}
	rows := map[int64]int{}
	for i := range data.Len() {
		rows[data.ID(i)] = i
	}
	seen := map[[2]int]bool{}
	for _, q := range result.Queries {
		for k, id := range q.NearestIDs {
			p := data.NewPair(l.kind, rows[q.ID], rows[id])
			p.Cosine = q.NearestScores[k]
			if p.Cosine < auditCosine || seen[[2]int{p.A, p.B}] || data.SHA256(p.A) == data.SHA256(p.B) {
				continue
			}
			seen[[2]int{p.A, p.B}] = true
			l.pairs = append(l.pairs, p)
		}
	}
	l.counts, l.pairs = datasets.SumPairs(l.pairs, auditPairs)
	return l, nil
}

// unitRows returns rows of so many numbers scaled to length 1; a row of zeros stays.
func unitRows(values []float32, width int) []float32 {
	out := make([]float32, len(values))
	for at := 0; at < len(values); at += width {
		square := 0.0
		for _, v := range values[at : at+width] {
			square += float64(v) * float64(v)
		}
		if square == 0 {
			continue
		}
		scale := float32(1 / math.Sqrt(square))
		for k, v := range values[at : at+width] {
			out[at+k] = v * scale
		}
	}
	return out
}
