package workspace

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

// NoProgress is the Progress of those who want none.
type NoProgress struct{}

func (NoProgress) Cell(runs.Key, int, int)              {}
func (NoProgress) CellEnded(runs.Cell, int, int, error) {}

func (NoProgress) Start(string, int)   {}
func (NoProgress) Advance(int, string) {}
func (NoProgress) Finish()             {}

// Timestamp is the time as records keep it.
func Timestamp() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
