package pipeline

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"

	"bierbench/datasets"
	"bierbench/models"
	"bierbench/models/backbones"
	"bierbench/models/retrieval"
	"bierbench/models/xla"
	"bierbench/pipeline/plan"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// gallerySeed is the seed of VehicleID's galleries: they belong to the protocol, not to the seed of
// a run.
const gallerySeed = 2018

// normalized returns the pooled features of some rows, each with length 1.
func normalized(f backbones.Features, rows []int) []float32 {
	values := featureRows(f, rows)
	for lo := 0; lo < len(values); lo += f.Width {
		row := values[lo : lo+f.Width]
		var sum float64
		for _, v := range row {
			sum += float64(v) * float64(v)
		}
		norm := float32(max(math.Sqrt(sum), 1e-5))
		for i := range row {
			row[i] /= norm
		}
	}
	return values
}

// judged is the vectors of a cell, with what an evaluation must know of their images.
type judged struct {
	runs.Embeddings
	groups   []int32                 // images that a query of the same number never sees; nil where there are none
	distance bool                    // the score is a distance and not a product
	lengths  bool                    // the score is a product of vectors whose lengths count
	hash     func(rows []int) string // digest of the images of some rows
	name     func(row int) string    // by which galleries are drawn
}

// imagesOf returns vectors of a prepared data set's images. rows[i] is the row in the data set of row i
// of the vectors.
func imagesOf(data *datasets.Dataset, rows []int, e runs.Embeddings) judged {
	return judged{
		Embeddings: e,
		hash:       func(some []int) string { return data.TestHash(valuesAt(rows, some)) },
		name:       func(i int) string { return data.Name(rows[i]) },
	}
}

// evaluateTest evaluates an embedding by every protocol of its data set, fills in the record and
// writes the queries of each protocol. test[i] is the row in the data set of row i of the embedding.
func evaluateTest(ctx context.Context, w *workspace.Workspace, b *xla.Backend, r *runs.Run, record *runs.Cell, c models.Config,
	data *datasets.Dataset, test []int, e runs.Embeddings,
) error {
	all, err := protocolsOf(data.Manifest, c)
	if err != nil {
		return err
	}
	v := imagesOf(data, test, e)
	v.distance = record.External != nil && record.External.Similarity == runs.Euclidean
	return evaluateBy(ctx, w, b, r, record, all, data.Manifest.ProtocolSuffix(), learnerSizes(c), v)
}

// evaluateBy evaluates vectors by some protocols, whose names get a suffix, fills in the record and
// writes the queries of each protocol. It writes no queries where the model was chosen by its results
// on them: nothing is to be tested with such queries.
func evaluateBy(ctx context.Context, w *workspace.Workspace, b *xla.Backend, r *runs.Run, record *runs.Cell,
	all []datasets.Protocol, suffix string, sizes []int, v judged,
) error {
	at := record.Selection.At()
	w.Progress.Start("evaluate", len(all))
	defer w.Progress.Finish()
	var evaluations []runs.Evaluation
	for i, p := range all {
		id := p.ID + suffix
		evaluation, queries, err := evaluateProtocol(ctx, b, p, v, sizes)
		if err != nil {
			return fmt.Errorf("evaluate %s: %w", id, err)
		}
		evaluation.Protocol, evaluation.At = id, at
		if at != runs.AtPeek {
			if err = r.WriteQueries(record, id, queries); err != nil {
				return fmt.Errorf("evaluate %s: %w", id, err)
			}
		}
		evaluations = append(evaluations, evaluation)
		w.Progress.Advance(i+1, id)
	}
	redundancy, err := retrieval.Correlation(ctx, b, v.Values, v.Width, sizes)
	if err != nil {
		return err
	}
	record.Evaluations, record.Correlation = evaluations, correlationRecord(redundancy)
	return nil
}

// learnerSizes returns the sizes of the slices of a model's embedding.
func learnerSizes(c models.Config) []int {
	if c.Untrained || len(c.Learners) == 0 { // of another program
		return []int{c.Size}
	}
	return c.Learners
}

// evaluateProtocol runs the searches of one protocol: one search, or one for each draw. Metrics are
// means over the draws.
func evaluateProtocol(ctx context.Context, b *xla.Backend, p datasets.Protocol, v judged, sizes []int) (runs.Evaluation, []runs.Query, error) {
	rows := protocolRows(p, v.Embeddings)
	evaluation := runs.Evaluation{TestHash: v.hash(rows), Metrics: map[string]float64{}, Bounds: map[string][2]float64{}}
	var queries []runs.Query
	splits := protocolSearches(p, v.name, rows, v.Embeddings)
	for draw, s := range splits {
		search := searchOf(p, v, s)
		search.Nearest = plan.NearestPerQuery
		found, err := retrieval.Retrieve(ctx, b, search)
		if err != nil {
			return evaluation, nil, err
		}
		if len(found.Queries) == 0 {
			return evaluation, nil, fmt.Errorf("none of the %d queries has a positive in the gallery", len(s.queries))
		}
		evaluation.Queries += len(found.Queries)
		evaluation.Gallery = len(s.gallery)
		evaluation.Excluded += found.Excluded
		for name, v := range found.Metrics {
			evaluation.Metrics[name] += v / float64(len(splits))
			bounds := evaluation.Bounds[name]
			bounds[0] += found.Bounds[name][0] / float64(len(splits))
			bounds[1] += found.Bounds[name][1] / float64(len(splits))
			evaluation.Bounds[name] = bounds
		}
		for _, q := range found.Queries {
			queries = append(queries, runs.Query{
				ID: q.ID, Class: q.Class, Draw: int32(draw), Rank: q.Rank, RankPessimistic: q.RankPessimistic,
				RankOptimistic: q.RankOptimistic, AP: q.AP, RPrecision: q.RPrecision,
				Nearest: q.NearestIDs, Scores: q.NearestScores,
			})
		}
		if len(sizes) > 1 {
			if err := addLearners(ctx, b, search, sizes, found.Metrics, len(splits), &evaluation); err != nil {
				return evaluation, nil, err
			}
		}
	}
	return evaluation, queries, nil
}

// protocolRows returns the rows of e that take part in a protocol.
func protocolRows(p datasets.Protocol, e runs.Embeddings) []int {
	var rows []int
	for i := range e.IDs {
		if p.List == 0 || e.Lists[i]&p.List != 0 {
			rows = append(rows, i)
		}
	}
	return rows
}

// searchRows is one search: its queries and its gallery, as rows of an embedding.
type searchRows struct{ queries, gallery []int }

// protocolSearches returns the searches of a protocol among the rows of e that take part. name is
// needed for KindOneGallery alone.
func protocolSearches(p datasets.Protocol, name func(row int) string, rows []int, e runs.Embeddings) []searchRows {
	switch p.Kind {
	case datasets.KindQueryGallery:
		var s searchRows
		for _, i := range rows {
			if e.Splits[i] != string(datasets.Gallery) {
				s.queries = append(s.queries, i)
			}
			if e.Splits[i] != string(datasets.Query) { // an image for testing is both
				s.gallery = append(s.gallery, i)
			}
		}
		return []searchRows{s}
	case datasets.KindOneGallery:
		splits := make([]searchRows, plan.GalleryDraws)
		for draw := range splits {
			splits[draw] = drawGallery(rows, e.Classes, name, draw)
		}
		return splits
	default:
		return []searchRows{{queries: rows, gallery: rows}}
	}
}

// drawGallery draws one image of every class as the gallery; the others are the queries. Classes
// are in ascending order, their images sorted by name, and the draw is by PCG(2018, draw).
func drawGallery(rows []int, classes []int32, name func(int) string, draw int) searchRows {
	members := map[int32][]int{}
	for _, i := range rows {
		members[classes[i]] = append(members[classes[i]], i)
	}
	order := make([]int32, 0, len(members))
	for class := range members {
		order = append(order, class)
	}
	slices.Sort(order)
	random := rand.New(rand.NewPCG(gallerySeed, uint64(draw)))
	var s searchRows
	for _, class := range order {
		images := members[class]
		slices.SortFunc(images, func(a, b int) int { return cmp.Compare(name(a), name(b)) })
		picked := random.IntN(len(images))
		for j, i := range images {
			if j == picked {
				s.gallery = append(s.gallery, i)
			} else {
				s.queries = append(s.queries, i)
			}
		}
	}
	slices.Sort(s.queries)
	slices.Sort(s.gallery)
	return s
}

// searchOf returns a search of a protocol. It shares the vectors of rows that follow one another, and
// gathers the others. A query that is in the gallery, too, is left out of its own results.
func searchOf(p datasets.Protocol, v judged, rows searchRows) retrieval.Search {
	e := v.Embeddings
	gather := func(rows []int) (values []float32, ids []int64, classes, groups []int32) {
		if n := len(rows); n > 0 && rows[n-1]-rows[0] == n-1 { // they ascend
			lo, hi := rows[0], rows[0]+n
			if v.groups != nil {
				groups = v.groups[lo:hi]
			}
			return e.Values[lo*e.Width : hi*e.Width], e.IDs[lo:hi], e.Classes[lo:hi], groups
		}
		values = make([]float32, 0, len(rows)*e.Width)
		for _, i := range rows {
			values = append(values, e.Values[i*e.Width:(i+1)*e.Width]...)
			ids = append(ids, e.IDs[i])
			classes = append(classes, e.Classes[i])
			if v.groups != nil {
				groups = append(groups, v.groups[i])
			}
		}
		return values, ids, classes, groups
	}
	both := slices.ContainsFunc(rows.queries, func(i int) bool { return e.Splits[i] == string(datasets.Test) })
	s := retrieval.Search{
		Width: e.Width, Recalls: p.Recalls, Distance: v.distance,
		SelfExcluded: p.Kind == datasets.KindLeaveOneOut || p.Kind == datasets.KindQueryGallery && both,
	}
	s.Gallery, s.GalleryIDs, s.GalleryClasses, s.GalleryGroups = gather(rows.gallery)
	if slices.Equal(rows.queries, rows.gallery) {
		s.Queries, s.QueryIDs, s.QueryClasses, s.QueryGroups = s.Gallery, s.GalleryIDs, s.GalleryClasses, s.GalleryGroups
	} else {
		s.Queries, s.QueryIDs, s.QueryClasses, s.QueryGroups = gather(rows.queries)
	}
	return s
}

// valuesAt returns values[i] for every i of indices.
func valuesAt(values, indices []int) []int {
	out := make([]int, len(indices))
	for j, i := range indices {
		out[j] = values[i]
	}
	return out
}

// Evaluate computes the metrics of every done cell of a run again from its stored embeddings. It
// rewrites the queries and the record of the cell.
func Evaluate(ctx context.Context, w *workspace.Workspace, run string) (cells int, err error) {
	r, err := w.Runs().Open(run)
	if err != nil {
		return 0, err
	}
	all, err := r.Cells()
	if err != nil {
		return 0, err
	}
	b, err := w.OpenBackend(ctx)
	if err != nil {
		return 0, err
	}
	for _, cell := range all {
		if cell.Status != runs.Done {
			continue
		}
		if err := evaluateCell(ctx, w, b, r, cell); err != nil {
			return cells, fmt.Errorf("evaluate %s: %w", cell.Path(), err)
		}
		cells++
	}
	return cells, nil
}

// evaluateCell evaluates the stored embeddings of one cell.
func evaluateCell(ctx context.Context, w *workspace.Workspace, b *xla.Backend, r *runs.Run, cell runs.Cell) error {
	var config models.Config
	if err := json.Unmarshal(cell.Config, &config); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	e, err := r.Embeddings(cell)
	if err != nil {
		return err
	}
	cell.Files = maps.Clone(cell.Files)
	if cell.Dataset == runs.LabelSet {
		err = evaluateLabels(ctx, w, b, r, &cell, e)
	} else {
		err = evaluateOnData(ctx, w, b, r, &cell, config, e)
	}
	if err != nil {
		return err
	}
	if err = r.SealFiles(&cell); err != nil { // an older record
		return err
	}
	return r.WriteCell(cell)
}

// evaluateOnData evaluates the stored embeddings of a cell with the data set that it was made from.
func evaluateOnData(ctx context.Context, w *workspace.Workspace, b *xla.Backend, r *runs.Run, cell *runs.Cell, c models.Config,
	e runs.Embeddings,
) error {
	data, test, err := openCellData(w, *cell, c, e)
	if err != nil {
		return err
	}
	defer data.Close()
	return evaluateTest(ctx, w, b, r, cell, c, data, test, e)
}

// openCellData opens the data set of a cell and returns the rows that the stored embeddings are of.
// The data set must be as it was when the cell was made.
func openCellData(w *workspace.Workspace, cell runs.Cell, c models.Config,
	e runs.Embeddings,
) (_ *datasets.Dataset, test []int, err error) {
	data, err := datasets.Open(filepath.Join(w.DatasetsDir(), cell.Dataset, cell.Variant))
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			data.Close()
		}
	}()
	if data.Manifest.Digest != cell.DataHash {
		return nil, nil, fmt.Errorf("data set %s/%s has digest %s; the cell was made from %s",
			cell.Dataset, cell.Variant, data.Manifest.Digest, cell.DataHash)
	}
	rows, err := divideRows(data, c)
	if err != nil {
		return nil, nil, err
	}
	ids := make([]int64, len(rows.test))
	for i, row := range rows.test {
		ids[i] = data.ID(row)
	}
	if !slices.Equal(ids, e.IDs) {
		return nil, nil, fmt.Errorf("the embeddings of cell %s are not of the images of its data set", cell.Path())
	}
	return data, rows.test, nil
}
