package runs

// Initialisation says how the optimisation of the embedding matrices before
// training ended. Its curve is in the cell's initialisation.jsonl.
type Initialisation struct {
	Loss      string  `json:"loss"`  // activation or adversarial
	Steps     int     `json:"steps"` // taken
	Converged bool    `json:"converged"`
	First     float64 `json:"first"` // loss before the first step
	Last      float64 `json:"last"`  // loss after the last
}
