package pipeline

import (
	"time"

	"bierbench/runs"
)

// Progress is told how a stage goes on; the command draws it. Calls come from
// one goroutine at a time.
type Progress interface {
	// Cell begins a cell: the number-th of total that this command may do.
	Cell(k runs.Key, number, total int)
	// CellEnded says how the cell at hand ended: done, or failed with err.
	CellEnded(c runs.Cell, number, total int, err error)
	// Start begins a stage of total units, 0 when their number is not known.
	Start(stage string, total int)
	// Advance says that done units of the stage are finished; note is a few
	// words such as the loss, or empty.
	Advance(done int, note string)
	// Finish ends the stage.
	Finish()
}

// silent is the Progress of those who want none.
type silent struct{}

func (silent) Cell(runs.Key, int, int)              {}
func (silent) CellEnded(runs.Cell, int, int, error) {}

func (silent) Start(string, int)   {}
func (silent) Advance(int, string) {}
func (silent) Finish()             {}

// now is the time as records keep it.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
