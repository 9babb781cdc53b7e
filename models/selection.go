package models

// The values of SelectionConfig's options that name a choice.
const (
	SelectLast       = "last"       // the model after the last step
	SelectValidation = "validation" // the best on classes held out of the training part
	SelectPeek       = "peek"       // the best on the test classes: not an honest number

	EvaluateTest       = "test"       // the test images
	EvaluateValidation = "validation" // the training images of the held-out classes: for choosing settings
)

// SelectionConfig says which of the models of a training is evaluated, and on what.
type SelectionConfig struct {
	Selection   string  `json:"selection"`              // which model is evaluated: last, validation or peek
	SelectEvery int     `json:"select_every,omitempty"` // steps between two models that are compared
	SelectBy    string  `json:"select_by,omitempty"`    // metric by which they are compared: "R@1" or "MAP@R"
	HeldOut     float64 `json:"held_out,omitempty"`     // share of the training classes kept out of training where validation asks for it
	Evaluate    string  `json:"evaluate"`               // what the model is evaluated on: test or validation
}

// defaultSelection returns the settings for the last model on the test images, with those for a
// configuration that chooses a model.
func defaultSelection() SelectionConfig {
	return SelectionConfig{Selection: SelectLast, SelectEvery: 100, SelectBy: "MAP@R", HeldOut: 0.2, Evaluate: EvaluateTest}
}

// validate returns an error that names every setting that cannot be used.
func (c SelectionConfig) validate() error {
	var v validation
	v.oneOf("selection", c.Selection, SelectLast, SelectValidation, SelectPeek)
	if c.Selection != SelectLast {
		v.within("select_every", c.SelectEvery, 1, MaxSteps)
		v.oneOf("select_by", c.SelectBy, "R@1", "MAP@R")
	}
	if c.HoldsOut() {
		v.check(c.HeldOut > 0 && c.HeldOut < 1, "held_out: %g; want a share of the classes between 0 and 1", c.HeldOut)
	}
	v.oneOf("evaluate", c.Evaluate, EvaluateTest, EvaluateValidation)
	v.check(c.Selection != SelectPeek || c.Evaluate == EvaluateTest, "selection: %s looks at the test classes; want evaluate %s",
		SelectPeek, EvaluateTest)
	return v.err()
}

// HoldsOut reports whether classes of the training part are kept out of
// training.
func (c SelectionConfig) HoldsOut() bool {
	return c.Selection == SelectValidation || c.Evaluate == EvaluateValidation
}

// Selects reports whether one of several models of the training is chosen. With validation it is
// chosen by images of classes that are not used for training. If it is also evaluated on them, the
// number is optimistic: it serves to compare settings and nothing else.
func (c Config) Selects() bool {
	return !c.Untrained && (c.Selection == SelectValidation || c.Selection == SelectPeek)
}
