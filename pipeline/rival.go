package pipeline

import (
	"fmt"

	"bierbench/pipeline/plan"
	"bierbench/runs"
)

// Several processes may do one run, but only by one configuration: by two, each would take what the
// other made for stale and make it again, and the run would end as a mixture. A process refuses where
// it meets a cell that another process makes, or has made since the plan, by another one.

// rivalError says that another process works at a cell of the run by another configuration, other
// data or another build.
func rivalError(c plan.Cell) error {
	return fmt.Errorf("another process does this run in another way: cell %s: %s; wait for its end, or name another run with --run",
		c.Path(), c.Why)
}

// refuseRival returns an error where another process is making a cell of the plan in another way.
func refuseRival(p *plan.Plan) error {
	for _, c := range p.Cells {
		if c.Rival {
			return rivalError(c)
		}
	}
	return nil
}

// checkBusy returns an error where the process that holds a cell's claim makes it in another way.
func (q *queue) checkBusy(c plan.Cell) error {
	record, recorded, err := q.run.Cell(c.Key)
	if err != nil || !recorded || record.Status != runs.Running || record.Started.Equal(c.Record.Started) {
		return nil //nolint:nilerr // a broken record is seen when the cell's turn comes
	}
	if c.State, c.Why = q.plan.State(c, record, recorded); c.State == plan.Stale {
		return rivalError(c)
	}
	return nil
}

// checkEnd returns an error where a cell of the plan was made again, in another way, by another
// process while this one worked.
func (q *queue) checkEnd() error {
	cells, broken, err := q.run.Survey()
	if err != nil {
		return err
	}
	if len(broken) > 0 {
		q.w.Log.Warn("a record was broken meanwhile", "error", broken[0].Err)
	}
	records := make(map[runs.Key]runs.Cell, len(cells))
	for _, c := range cells {
		records[c.Key] = c
	}
	for _, c := range q.plan.Cells {
		record, recorded := records[c.Key]
		if !recorded {
			continue // failed without a record, or left out by fail-fast
		}
		if c.State, c.Why = q.plan.State(c, record, recorded); c.State == plan.Stale {
			return rivalError(c)
		}
	}
	return nil
}
