package runs

func (s TrainStep) step() int { return s.Step }

// StepLog appends to train.jsonl.
type StepLog struct{ *lineLog }

// OpenSteps opens train.jsonl to continue after a step, 0 for a new training. It drops lines of
// later steps, which exist when training continues from a checkpoint older than the last line, and
// a line that an earlier process left unfinished.
func OpenSteps(path string, last int) (*StepLog, error) {
	l, err := openLines[TrainStep](path, last)
	if err != nil {
		return nil, err
	}
	return &StepLog{l}, nil
}

// Append adds a line.
func (l *StepLog) Append(step TrainStep) error { return l.add(step) }

// ReadSteps reads train.jsonl; nil if there is none. A last line without its newline was cut by a
// kill and is ignored.
func ReadSteps(path string) ([]TrainStep, error) { return readLines[TrainStep](path, "") }

// ParseStep decodes one line of train.jsonl, without its line break.
func ParseStep(line []byte) (TrainStep, error) {
	var s TrainStep
	err := parseLine(line, &s)
	return s, err
}
