package reports

import (
	"context"
	"fmt"
	"slices"

	"bierbench/runs"
)

// loadedRun is a run as read from its folder.
type loadedRun struct {
	record runs.Record
	cells  []runs.Cell
	steps  map[runs.Key][]runs.TrainStep // of done cells that were trained
	diff   *runs.Diff                    // the methods against the base; nil: see notes
	noise  []runs.SeedNoise              // nil where it was not measured
	worth  []CellWorth                   // of done cells where it was computed
	notes  []string                      // what a reader must know about the run
}

// Build assembles a report from runs, in their order.
func Build(ctx context.Context, rs []*runs.Run, o Options) (*Report, error) {
	sources := make([]loadedRun, len(rs))
	for i, r := range rs {
		s, err := load(ctx, r, o)
		if err != nil {
			return nil, fmt.Errorf("report %s: %w", r.Record.ID, err)
		}
		sources[i] = s
	}
	r := assemble(sources, o)
	if o.Pictures != nil {
		var err error
		if r.examples, err = r.gatherExamples(ctx, rs, o.Pictures); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// load reads the parts of a run that a report needs.
func load(ctx context.Context, r *runs.Run, o Options) (loadedRun, error) {
	s := loadedRun{record: r.Record, steps: map[runs.Key][]runs.TrainStep{}}
	cells, err := r.Cells()
	if err != nil {
		return loadedRun{}, err
	}
	s.cells = cells
	for _, c := range s.cells {
		if err = ctx.Err(); err != nil {
			return loadedRun{}, err
		}
		if c.Status != runs.Done {
			continue
		}
		if s.steps[c.Key], err = r.Steps(c); err != nil {
			return loadedRun{}, err
		}
		switch worth, failed := r.Worth(c); {
		case failed != nil: // it can be computed again
			s.notes = append(s.notes, fmt.Sprintf("run %s: what its vectors are worth is not shown for a cell: %v", r.Record.ID, failed))
		case worth != nil:
			s.worth = append(s.worth, CellWorth{c, *worth})
		}
	}
	if len(o.Noise.Metrics) > 0 {
		if s.noise, err = measureNoise(ctx, r, o); err != nil {
			return loadedRun{}, err
		}
	}
	if !slices.ContainsFunc(s.cells, func(c runs.Cell) bool { return c.Status == runs.Done && c.Method == o.Base }) {
		s.notes = append(s.notes, fmt.Sprintf("run %s has no finished cell of the method %q: nothing is compared with it", r.Record.ID, o.Base))
		if len(r.Record.Bases) == 0 {
			return s, nil
		}
	}
	s.diff, err = runs.CompareBases(ctx, r, o.Base, o.Compare)
	switch {
	case ctx.Err() != nil:
		return loadedRun{}, ctx.Err()
	case err != nil: // the table without verdicts is still worth having
		s.notes = append(s.notes, fmt.Sprintf("run %s: the methods could not be compared: %v", r.Record.ID, err))
	}
	return s, nil
}
