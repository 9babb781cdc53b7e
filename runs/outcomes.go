package runs

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
)

// outcomes are the queries of a cell without their nearest images, sorted by (draw, id). Ids, draws
// and classes identify the queries.
type outcomes struct {
	id          []int64
	draw, class []int32
	rank        []int32
	ap, rp      []float64
}

// outcomes reads the queries of a cell on a protocol, which must be those that its record has the
// SHA-256 of.
func (r *Run) outcomes(c Cell, protocol string) (outcomes, error) {
	path, digest, err := r.recorded(c, queriesFile(protocol))
	if err != nil {
		return outcomes{}, err
	}
	return readOutcomes(path, digest)
}

// readOutcomes reads a file of queries. An empty digest is not compared.
func readOutcomes(path, digest string) (outcomes, error) {
	var o outcomes
	err := readArrow(path, digest, querySchema(), func(_ int64, r arrow.Record) error {
		c := queryColumns(r)
		o.id, o.draw, o.class = append(o.id, c.id...), append(o.draw, c.draw...), append(o.class, c.class...)
		o.rank, o.ap, o.rp = append(o.rank, c.rank...), append(o.ap, c.ap...), append(o.rp, c.rPrecision...)
		return nil
	})
	if err != nil {
		return outcomes{}, err
	}
	compare := func(i, j int) int { return cmp.Or(cmp.Compare(o.draw[i], o.draw[j]), cmp.Compare(o.id[i], o.id[j])) }
	order := make([]int, len(o.id))
	sorted := true
	for i := range order {
		order[i] = i
		sorted = sorted && (i == 0 || compare(i-1, i) < 0)
	}
	if sorted {
		return o, nil
	}
	slices.SortFunc(order, compare)
	for i := 1; i < len(order); i++ {
		if compare(order[i-1], order[i]) == 0 {
			return outcomes{}, fmt.Errorf("%s: query %d of draw %d is there twice", path, o.id[order[i]], o.draw[order[i]])
		}
	}
	return outcomes{
		id: reordered(o.id, order), draw: reordered(o.draw, order), class: reordered(o.class, order),
		rank: reordered(o.rank, order), ap: reordered(o.ap, order), rp: reordered(o.rp, order),
	}, nil
}

// reordered returns the values at the given indices, in their order.
func reordered[T any](values []T, order []int) []T {
	picked := make([]T, len(order))
	for i, k := range order {
		picked[i] = values[k]
	}
	return picked
}

// sameQueries says how the queries of two cells differ; "" if they do not.
func (o outcomes) sameQueries(other outcomes) string {
	if len(o.id) != len(other.id) {
		return fmt.Sprintf("%d and %d queries", len(o.id), len(other.id))
	}
	for i := range o.id {
		if o.id[i] != other.id[i] || o.draw[i] != other.draw[i] {
			return fmt.Sprintf("query %d of draw %d against %d of draw %d", o.id[i], o.draw[i], other.id[i], other.draw[i])
		}
		if o.class[i] != other.class[i] {
			return fmt.Sprintf("query %d is of class %d and %d", o.id[i], o.class[i], other.class[i])
		}
	}
	return ""
}

// values returns a metric's value for each query, [queries] in [0, 1]: 1 for a hit at K.
func (o outcomes) values(metric string) ([]float64, error) {
	switch metric {
	case mapAtR:
		return o.ap, nil
	case rPrecision:
		return o.rp, nil
	}
	k, ok := recallAt(metric)
	if !ok {
		return nil, fmt.Errorf("metric %q is not kept per query, want R@K, %s or %s", metric, mapAtR, rPrecision)
	}
	values := make([]float64, len(o.rank))
	for i, r := range o.rank {
		if int(r) <= k {
			values[i] = 1
		}
	}
	return values, nil
}

// classIndex numbers the classes of the queries in ascending order. index is [queries], positions
// in counts; counts is [classes], the number of queries of each.
func (o outcomes) classIndex() (index []int, counts []float64) {
	classes := slices.Clone(o.class)
	slices.Sort(classes)
	classes = slices.Compact(classes)
	number := make(map[int32]int, len(classes))
	for i, c := range classes {
		number[c] = i
	}
	index, counts = make([]int, len(o.class)), make([]float64, len(classes))
	for i, c := range o.class {
		index[i] = number[c]
		counts[index[i]]++
	}
	return index, counts
}

// classSums sums the values of queries by class, [classes].
func classSums(values []float64, index []int, classes int) []float64 {
	sums := make([]float64, classes)
	for i, v := range values {
		sums[index[i]] += v
	}
	return sums
}
