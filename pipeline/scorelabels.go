package pipeline

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"math"
	"slices"
	"strings"

	"bierbench/datasets"
	"bierbench/models/xla"
	"bierbench/pipeline/vectors"
	"bierbench/pipeline/workspace"
	"bierbench/runs"
)

// ScoreColumns are the names of the columns of a table of labels. Of the default names, all but label
// may be missing in the table; another name must be there.
type ScoreColumns struct {
	ID         string // of the image: whole numbers or texts; without it, images are numbered from 1
	Label      string // class
	Split      string // query, gallery, test (both), or train, whose rows are left out
	IsQuery    string // flags, in place of query, gallery and test
	IsGallery  string
	Superclass string // kept beside the label
	Group      string // a query never sees other images of its group
	Seed       string // one cell for each
}

// DefaultScoreColumns returns the names that columns usually have.
func DefaultScoreColumns() ScoreColumns {
	return ScoreColumns{"id", "label", "split", "is_query", "is_gallery", "superclass", "group", "seed"}
}

// only returns the name of the column that is meant: the single one of a table without names, else
// the given one.
func (ScoreColumns) only(t *vectors.Table, name string) (string, error) {
	if slices.Equal(t.Names, []string{""}) {
		return "", nil
	}
	if !t.Has(name) {
		return "", fmt.Errorf("%s: no column %q; there is %s", t.Path, name, strings.Join(t.Names, ", "))
	}
	return name, nil
}

// labelColumns are the columns of a table of labels. Those that it does not have are zero.
type labelColumns struct {
	id, label, split, isQuery, isGallery, superclass, group, seed vectors.Column
}

// readLabelColumns reads the columns of a table of labels.
func readLabelColumns(t *vectors.Table, names ScoreColumns) (c labelColumns, err error) {
	label, err := names.only(t, names.Label)
	if err != nil {
		return c, err
	}
	if c.label, err = t.Column(label); err != nil {
		return c, err
	}
	usual := DefaultScoreColumns()
	for _, x := range []struct {
		name, usual string
		into        *vectors.Column
	}{
		{names.ID, usual.ID, &c.id},
		{names.Split, usual.Split, &c.split},
		{names.IsQuery, usual.IsQuery, &c.isQuery},
		{names.IsGallery, usual.IsGallery, &c.isGallery},
		{names.Superclass, usual.Superclass, &c.superclass},
		{names.Group, usual.Group, &c.group},
		{names.Seed, usual.Seed, &c.seed},
	} {
		if x.name == x.usual && !t.Has(x.name) {
			continue
		}
		if *x.into, err = t.Column(x.name); err != nil {
			return c, err
		}
	}
	switch {
	case c.isQuery.Len() > 0 != (c.isGallery.Len() > 0):
		return c, fmt.Errorf("%s: only one of the columns %s and %s", t.Path, names.IsQuery, names.IsGallery)
	case c.seed.Strings != nil:
		return c, fmt.Errorf("%s: column %s: %q, want whole numbers", t.Path, names.Seed, c.seed.Strings[0])
	}
	return c, nil
}

// splitOf returns the split of a row: train, test (both), query or gallery.
func (c labelColumns) splitOf(row int) (datasets.Split, error) {
	flags := c.isQuery.Len() > 0
	if c.split.Len() > 0 {
		switch s := strings.ToLower(c.split.Text(row)); {
		case s == "train":
			return datasets.Train, nil
		case flags && slices.Contains([]string{"validation", "val", "test"}, s):
		case !flags && slices.Contains([]string{"test", "query", "gallery"}, s):
			return datasets.Split(s), nil
		default:
			return "", fmt.Errorf("split %q, want query, gallery, test or train", c.split.Text(row))
		}
	}
	if !flags {
		return datasets.Test, nil
	}
	query, err := truth(c.isQuery.Text(row))
	if err != nil {
		return "", err
	}
	gallery, err := truth(c.isGallery.Text(row))
	switch {
	case err != nil:
		return "", err
	case query && gallery:
		return datasets.Test, nil
	case query:
		return datasets.Query, nil
	case gallery:
		return datasets.Gallery, nil
	}
	return "", errors.New("neither a query nor in the gallery; want one of the two, or split train")
}

// truth reads a flag.
func truth(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "1", "true":
		return true, nil
	case "0", "false", "":
		return false, nil
	}
	return false, fmt.Errorf("flag %q, want 1, 0, True or False", text)
}

// tableImages joins vectors with the rows of a table of labels, a set for each seed.
func (s *scorer) tableImages() ([]*scoredSet, error) {
	o := s.options
	t, err := vectors.OpenTable(o.Labels)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	s.sources = append(s.sources, tableSource("labels", t))
	if t.Rows != s.matrix.Rows {
		return nil, fmt.Errorf("%s has %d vectors, %s has %d rows; want as many", o.Embeddings, s.matrix.Rows, o.Labels, t.Rows)
	}
	c, err := readLabelColumns(t, o.Columns)
	if err != nil {
		return nil, err
	}
	rows, left, splits := map[int][]int{}, map[int]int{}, make([]datasets.Split, t.Rows)
	for row := range t.Rows {
		seed := o.Seed
		if c.seed.Ints != nil {
			if seed = int(c.seed.Ints[row]); seed < 0 {
				return nil, fmt.Errorf("%s: row %d: seed %d, want at least 0", o.Labels, row, seed)
			}
		}
		if splits[row], err = c.splitOf(row); err != nil {
			return nil, fmt.Errorf("%s: row %d: %w", o.Labels, row, err)
		}
		if c.label.Text(row) == "" {
			return nil, fmt.Errorf("%s: row %d: the label is empty", o.Labels, row)
		}
		if splits[row] == datasets.Train {
			left[seed]++
		} else {
			rows[seed] = append(rows[seed], row)
		}
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s: all %d rows are for training; nothing is left to score", o.Labels, t.Rows)
	}
	var sets []*scoredSet
	var seeds []int
	for seed := range rows {
		seeds = append(seeds, seed)
	}
	slices.Sort(seeds)
	for _, seed := range seeds {
		set := &scoredSet{key: runs.Key{Group: s.group(runs.LabelSet, o.Name), Seed: seed}, leftOut: left[seed], groups: c.group.Len() > 0}
		if err := set.join(t, c, rows[seed], splits); err != nil {
			return nil, err
		}
		sets = append(sets, set)
	}
	return sets, nil
}

// join fills in the images of some rows of a table, ordered by split (query, test, gallery) and id, so
// that queries and gallery are each one piece.
func (set *scoredSet) join(t *vectors.Table, c labelColumns, rows []int, splits []datasets.Split) error {
	ids, err := imageIDs(t, c.id, rows)
	if err != nil {
		return err
	}
	_, classes, err := codes(c.label, rows)
	if err != nil {
		return fmt.Errorf("%s: %w", t.Path, err)
	}
	groups := make([]int32, len(rows))
	if set.groups {
		if groups, _, err = codes(c.group, rows); err != nil {
			return fmt.Errorf("%s: %w", t.Path, err)
		}
		for i, row := range rows {
			if c.group.Strings != nil && c.group.Strings[row] == "" { // of no group, and not of one that is called ""
				groups[i] = -1
			}
		}
	}
	place := func(s datasets.Split) int {
		return slices.Index([]datasets.Split{datasets.Query, datasets.Test, datasets.Gallery}, s)
	}
	order := make([]int, len(rows))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		return cmp.Or(cmp.Compare(place(splits[rows[i]]), place(splits[rows[j]])), cmp.Compare(ids[i], ids[j]))
	})
	e, l := &set.embeddings, &set.labels
	e.Lists = make([]uint8, len(rows))
	for _, i := range order {
		row := rows[i]
		set.rows = append(set.rows, row)
		e.IDs, e.Classes, e.Splits = append(e.IDs, ids[i]), append(e.Classes, classes[i]), append(e.Splits, string(splits[row]))
		name := fmt.Sprint(ids[i])
		if c.id.Strings != nil {
			name = c.id.Strings[row]
		}
		superclass := ""
		if c.superclass.Len() > 0 {
			superclass = c.superclass.Text(row)
		}
		group := int32(-1)
		if set.groups {
			group = groups[i]
		}
		l.Names, l.Labels = append(l.Names, name), append(l.Labels, c.label.Text(row))
		l.Superclasses, l.Groups = append(l.Superclasses, superclass), append(l.Groups, group)
	}
	l.IDs = e.IDs
	set.dataHash = labelsHash(*e, *l, nil)
	return nil
}

// imageIDs returns the ids of some rows: whole numbers as they are, texts by their place in the order
// of bytes, from 1 on, and without a column the row from 1 on.
func imageIDs(t *vectors.Table, c vectors.Column, rows []int) ([]int64, error) {
	ids := make([]int64, len(rows))
	switch {
	case c.Ints != nil:
		for i, row := range rows {
			ids[i] = c.Ints[row]
		}
	case c.Strings != nil:
		order := make([]int, len(rows))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(c.Strings[rows[i]], c.Strings[rows[j]]) })
		for at, i := range order {
			if at > 0 && c.Strings[rows[i]] == c.Strings[rows[order[at-1]]] {
				return nil, fmt.Errorf("%s: row %d: id %q is already in row %d", t.Path, rows[i], c.Strings[rows[i]], rows[order[at-1]])
			}
			ids[i] = int64(at + 1)
		}
		return ids, nil
	default:
		for i, row := range rows {
			ids[i] = int64(row + 1)
		}
		return ids, nil
	}
	seen := make(map[int64]int, len(rows))
	for i, id := range ids {
		if earlier, twice := seen[id]; twice {
			return nil, fmt.Errorf("%s: row %d: id %d is already in row %d", t.Path, rows[i], id, earlier)
		}
		seen[id] = rows[i]
	}
	return ids, nil
}

// codes numbers the distinct cells of some rows in their order, from 0 on. classes are the same, but
// whole numbers keep their values where all fit in an int32.
func codes(c vectors.Column, rows []int) (numbers, classes []int32, err error) {
	numbers = make([]int32, len(rows))
	if c.Strings != nil {
		err = number(numbers, len(rows), func(i int) string { return c.Strings[rows[i]] })
		return numbers, numbers, err
	}
	small := true
	for _, row := range rows {
		small = small && c.Ints[row] >= math.MinInt32 && c.Ints[row] <= math.MaxInt32
	}
	if err = number(numbers, len(rows), func(i int) int64 { return c.Ints[rows[i]] }); err != nil || !small {
		return numbers, numbers, err
	}
	classes = make([]int32, len(rows))
	for i, row := range rows {
		classes[i] = int32(c.Ints[row])
	}
	return numbers, classes, nil
}

// number numbers the distinct values of n rows in their order.
func number[T cmp.Ordered](into []int32, n int, value func(i int) T) error {
	known := map[T]int32{}
	for i := range n {
		known[value(i)] = 0
	}
	var sorted []T
	for v := range known {
		sorted = append(sorted, v)
	}
	if int64(len(sorted)) > math.MaxInt32 {
		return fmt.Errorf("%d different values, want at most %d", len(sorted), math.MaxInt32)
	}
	slices.Sort(sorted)
	for code, v := range sorted {
		known[v] = int32(code)
	}
	for i := range n {
		into[i] = known[value(i)]
	}
	return nil
}

// labelsHash returns a digest of what an evaluation of labelled images depends on: id, name, label,
// split and group of each. rows chooses images, nil all.
func labelsHash(e runs.Embeddings, l runs.Labels, rows []int) string {
	h := sha256.New()
	if rows == nil {
		for i := range e.IDs {
			hashLabel(h, e, l, i)
		}
	}
	for _, i := range rows {
		hashLabel(h, e, l, i)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// hashLabel adds one image to a digest.
func hashLabel(h hash.Hash, e runs.Embeddings, l runs.Labels, i int) {
	fmt.Fprintf(h, "%d %q %q %s %d\n", e.IDs[i], l.Names[i], l.Labels[i], e.Splits[i], l.Groups[i])
}

// labelProtocol returns the protocol of labelled images: leave-one-out where every image is a query
// and in the gallery.
func labelProtocol(splits []string, recalls []int) datasets.Protocol {
	p := datasets.Protocol{ID: runs.LabelSet + "-loo", Kind: datasets.KindLeaveOneOut, Recalls: recalls}
	if slices.ContainsFunc(splits, func(s string) bool { return s != string(datasets.Test) }) {
		p.ID, p.Kind = runs.LabelSet+"-qg", datasets.KindQueryGallery
	}
	return p
}

// labelled returns vectors with the labels of their images.
func labelled(e runs.Embeddings, l runs.Labels, x runs.External) judged {
	v := judged{
		Embeddings: e, distance: x.Similarity == runs.Euclidean, lengths: x.Similarity == runs.Dot,
		hash: func(rows []int) string { return labelsHash(e, l, rows) },
	}
	if x.Groups {
		v.groups = l.Groups
	}
	return v
}

// labelledImages returns stored vectors with their stored labels, and their protocol.
func labelledImages(r *runs.Run, c runs.Cell, e runs.Embeddings) (judged, datasets.Protocol, error) {
	if c.External == nil {
		return judged{}, datasets.Protocol{}, errors.New("the record does not say where its vectors come from")
	}
	l, err := r.Labels(c)
	if err != nil {
		return judged{}, datasets.Protocol{}, err
	}
	if !slices.Equal(l.IDs, e.IDs) {
		return judged{}, datasets.Protocol{}, errors.New("its labels are of other images than its embeddings")
	}
	return labelled(e, l, *c.External), labelProtocol(e.Splits, c.External.Recalls), nil
}

// evaluateLabels evaluates the stored embeddings of a cell with its stored labels.
func evaluateLabels(ctx context.Context, w *workspace.Workspace, b *xla.Backend, r *runs.Run, record *runs.Cell, e runs.Embeddings) error {
	v, p, err := labelledImages(r, *record, e)
	if err != nil {
		return err
	}
	return evaluateBy(ctx, w, b, r, record, []datasets.Protocol{p}, "+"+record.Variant, []int{e.Width}, v)
}

// evaluateLabelled evaluates vectors with the labels of their images.
func evaluateLabelled(ctx context.Context, w *workspace.Workspace, b *xla.Backend, r *runs.Run, record *runs.Cell,
	e runs.Embeddings, l runs.Labels,
) error {
	p := labelProtocol(e.Splits, record.External.Recalls)
	return evaluateBy(ctx, w, b, r, record, []datasets.Protocol{p}, "+"+record.Variant, []int{e.Width}, labelled(e, l, *record.External))
}
