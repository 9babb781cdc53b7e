package plan

import (
	"bierbench/pipeline/internal/claims"
	"bierbench/runs"
)

// Live returns the state of a cell by its record and its claim alone: Done, Failed, Running,
// Interrupted or, where it has no record and no process is working on it, Planned. A record says
// running until the cell ends, even after its process was killed, so the claim decides.
func Live(record runs.Cell, recorded, held bool) string {
	switch {
	case recorded && record.Status == runs.Done:
		return Done
	case held:
		return Running
	case !recorded:
		return Planned
	case record.Status == runs.Failed:
		return Failed
	default:
		return Interrupted
	}
}

// A LiveCell is a cell of a run's record with its state now.
type LiveCell struct {
	runs.Key
	State  string
	Record runs.Cell // zero where there is none
	Fault  error     // of a broken record, else nil
}

// LiveCells returns the cells of a run in the order of its record, then those that have a record and
// are not in it. It writes nothing.
func LiveCells(r *runs.Run) ([]LiveCell, error) {
	c, err := claims.Look(r.Dir)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	// The claims first: a process that ends in between has written its record.
	held := map[string]bool{}
	for _, k := range r.Record.Cells {
		if held[k.Path()], err = c.Held(k.Path()); err != nil {
			return nil, err
		}
	}
	found, broken, err := r.Survey()
	if err != nil {
		return nil, err
	}
	records, faults := map[string]runs.Cell{}, map[string]error{}
	for _, f := range found {
		records[f.Path()] = f
	}
	for _, b := range broken {
		faults[b.Cell] = b.Err
	}
	var out []LiveCell
	add := func(k runs.Key) {
		path := k.Path()
		record, recorded := records[path]
		cell := LiveCell{Key: k, Record: record, Fault: faults[path], State: Live(record, recorded, held[path])}
		if cell.Fault != nil {
			cell.State = Broken
		}
		out = append(out, cell)
		delete(records, path)
	}
	for _, k := range r.Record.Cells {
		add(k)
	}
	for _, f := range found {
		if _, left := records[f.Path()]; left {
			add(f.Key)
		}
	}
	return out, nil
}
