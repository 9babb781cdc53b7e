package workspace

import (
	"time"

	"bierbench/runs"
)

// Progress is told how far a stage is; the command draws it. Calls come from one goroutine at a
// time.
type Progress interface {
	// Cell begins a cell: number, from 1, of the total that this command may do.
	Cell(k runs.Key, number, total int)
	// CellEnded ends the cell that was begun last: done where err is nil, else failed.
	CellEnded(c runs.Cell, number, total int, err error)
	// Start begins a stage of total units; 0 stands for an unknown number.
	Start(stage string, total int)
	// Advance says that done units of the stage are finished. note is a few words such as the loss,
	// or empty.
	Advance(done int, note string)
	// Finish ends the stage.
	Finish()
}

// NoProgress is a Progress that shows nothing.
type NoProgress struct{}

// Cell does nothing.
func (NoProgress) Cell(runs.Key, int, int) {}

// CellEnded does nothing.
func (NoProgress) CellEnded(runs.Cell, int, int, error) {}

// Start does nothing.
func (NoProgress) Start(string, int) {}

// Advance does nothing.
func (NoProgress) Advance(int, string) {}

// Finish does nothing.
func (NoProgress) Finish() {}

// Timestamp returns the time now as records keep it: UTC, to the millisecond.
func Timestamp() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
