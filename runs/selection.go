package runs

// Selection says how the evaluated model was chosen among those that training
// went through.
type Selection struct {
	Rule    string `json:"rule"`    // validation: by classes held out of the training part; peek: by the test classes
	Metric  string `json:"metric"`  // "R@1" or "MAP@R"
	Classes int    `json:"classes"` // of the images that models were compared on
	Images  int    `json:"images"`
	Step    int    `json:"step"` // of the chosen model, the first of the best
	// TestLooks is how often the test images were looked at: 0 for validation.
	TestLooks int    `json:"test_looks"`
	Looks     []Look `json:"looks"` // in order
}

// Look is one model's result on the images that it is compared on.
type Look struct {
	Step    int                `json:"step"`
	Metrics map[string]float64 `json:"metrics"` // fractions, "R@1", "MAP@R"
}
