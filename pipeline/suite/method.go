package suite

import (
	"fmt"
	"strings"

	"bierbench/models"
	"bierbench/models/losses"
)

// A Method is a named set of options on top of the defaults of its mode.
type Method struct {
	Name     string
	Does     string               // a phrase for help texts
	Learners int                  // number of learners where the suite gives none
	Apply    func(*models.Config) // sets its options
}

// Methods returns the built-in methods in report order.
func Methods() []Method {
	return []Method{
		{"features", "the pooled backbone feature as it is, no training", 0, func(c *models.Config) { c.Untrained = true }},
		{"baseline", "one learner of the whole size", 1, func(*models.Config) {}},
		{"ensemble", "three learners, boosting off", 3, func(*models.Config) {}},
		{"bier", "three learners, boosting rule eta", 3, func(c *models.Config) { c.Boosting = losses.BoostingEta }},
		{"abier", "bier with the adversarial loss in training", 3, func(c *models.Config) {
			c.Boosting, c.Diversity = losses.BoostingEta, models.DiversityAdversarial
		}},
	}
}

// methodNamed returns the built-in method of a name. The error lists all names.
func methodNamed(name string) (Method, error) {
	var names []string
	for _, m := range Methods() {
		if m.Name == name {
			return m, nil
		}
		names = append(names, m.Name)
	}
	return Method{}, fmt.Errorf("method %q is not one of %s", name, strings.Join(names, ", "))
}
