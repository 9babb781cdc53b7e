package runs

func (s TrainStep) step() int { return s.Step }

// StepLog appends to train.jsonl.
type StepLog struct{ *lineLog }

// OpenSteps opens train.jsonl to go on after a step, 0 for a training that
// begins. Lines of later steps are dropped, when training continues from a
// checkpoint that is older than the last line, and so is a line that an earlier
// process left unfinished.
func OpenSteps(path string, last int) (*StepLog, error) {
	l, err := openLines[TrainStep](path, last)
	if err != nil {
		return nil, err
	}
	return &StepLog{l}, nil
}

// Append adds a line.
func (l *StepLog) Append(step TrainStep) error { return l.add(step) }

// ReadSteps reads train.jsonl; nil if there is none. A last line without its
// newline was cut by a kill and is ignored.
func ReadSteps(path string) ([]TrainStep, error) { return readLines[TrainStep](path) }
