package runs

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// The states of the model that an evaluation is of, Evaluation.At, and the values of
// Selection.Rule.
const (
	AtLast     = "last"     // after the last step
	AtSelected = "selected" // the best on classes held out of the training part
	AtPeek     = "peek"     // the best on the test classes: an optimistic number

	ByValidation = "validation"
	ByPeek       = "peek"
)

// looksFile is the name of the file of looks in a cell's folder.
const looksFile = "selection.jsonl"

// Selection says how the evaluated model was chosen among those that training went through.
type Selection struct {
	Rule    string `json:"rule"`    // validation: by classes held out of the training part; peek: by the test classes
	Metric  string `json:"metric"`  // "R@1" or "MAP@R"
	Classes int    `json:"classes"` // of the images by which models were compared
	Images  int    `json:"images"`
	Step    int    `json:"step"` // of the chosen model, the first of the best
	// Optimistic says that the model is evaluated on the images by which it was chosen.
	Optimistic bool `json:"optimistic,omitempty"`
	// TestLooks is the number of evaluations on the test images, that of the chosen model included;
	// 0 for validation.
	TestLooks int    `json:"test_looks"`
	Looks     []Look `json:"looks"` // in order
}

// Look is the result of one model on the images by which models are compared, a line of
// selection.jsonl.
type Look struct {
	Step    int                `json:"step"`
	Metrics map[string]float64 `json:"metrics"` // fractions, "R@1", "MAP@R"; the pessimistic one where ties decide it
	Seconds float64            `json:"seconds"` // spent on it
}

func (l Look) step() int { return l.Step }

// Best returns the look with the highest value of a metric, the first of equal ones; false where
// there is none.
func Best(looks []Look, metric string) (Look, bool) {
	if len(looks) == 0 {
		return Look{}, false
	}
	best := looks[0]
	for _, l := range looks[1:] {
		if l.Metrics[metric] > best.Metrics[metric] {
			best = l
		}
	}
	return best, true
}

// LooksPath returns the file of a cell's looks.
func (r *Run) LooksPath(k Key) string { return filepath.Join(r.CellDir(k), looksFile) }

// LookLog appends to selection.jsonl.
type LookLog struct{ *lineLog }

// OpenLooks opens selection.jsonl to continue after a step, as OpenSteps does.
func OpenLooks(path string, last int) (*LookLog, error) {
	l, err := openLines[Look](path, last)
	if err != nil {
		return nil, err
	}
	return &LookLog{l}, nil
}

// Append adds a line and syncs it, so that a checkpoint saved after it never outlives it.
func (l *LookLog) Append(look Look) error {
	if err := l.add(look); err != nil {
		return err
	}
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("append look: %w", err)
	}
	return nil
}

// ReadLooks reads selection.jsonl, as ReadSteps does.
func ReadLooks(path string) ([]Look, error) { return readLines[Look](path, "") }

// At returns the state of the model at which a cell with this selection is evaluated. A nil
// Selection stands for the last step.
func (s *Selection) At() string {
	switch {
	case s == nil:
		return AtLast
	case s.Rule == ByPeek:
		return AtPeek
	default:
		return AtSelected
	}
}

// SelectionLabel says in words how the models of some cells, seeds of one group, were chosen: ""
// for the last step, "selected on validation classes (step 300)", "peek, 11 test looks (steps 200,
// 300)".
func SelectionLabel(selections ...*Selection) string {
	selections = slices.DeleteFunc(slices.Clone(selections), func(s *Selection) bool { return s == nil })
	if len(selections) == 0 {
		return ""
	}
	var steps []string
	for _, s := range selections {
		steps = append(steps, strconv.Itoa(s.Step))
	}
	where := " (step " + steps[0] + ")"
	if len(steps) > 1 {
		where = " (steps " + strings.Join(steps, ", ") + ")"
	}
	first := selections[0]
	switch {
	case first.Rule == ByPeek:
		return peekLabel(selections) + where
	case first.Optimistic:
		return "selected on these validation classes" + where + ", an optimistic number"
	default:
		return "selected on validation classes" + where
	}
}

// peekLabel says how often the test images were looked at in each cell.
func peekLabel(selections []*Selection) string {
	var looks []string
	for _, s := range selections {
		if s == nil {
			continue
		}
		if n := strconv.Itoa(s.TestLooks); !slices.Contains(looks, n) {
			looks = append(looks, n)
		}
	}
	switch {
	case len(looks) == 0:
		return AtPeek
	case len(selections) == 1:
		return AtPeek + ", " + looks[0] + " test looks"
	default:
		return AtPeek + ", " + strings.Join(looks, " and ") + " test looks a seed"
	}
}
