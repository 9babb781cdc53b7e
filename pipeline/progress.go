package pipeline

// Progress is told how a stage goes on; the command draws it. Calls come from
// one goroutine at a time.
type Progress interface {
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

func (silent) Start(string, int)   {}
func (silent) Advance(int, string) {}
func (silent) Finish()             {}
