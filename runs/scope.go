package runs

import (
	"fmt"
	"slices"
)

// scope is what a row compares: the evaluations on a protocol of A's model and of B's, each after
// the last step or chosen in some way.
type scope struct{ protocol, a, b string }

// scopesOf pairs the evaluations of two groups on each protocol, in the order of the records.
// Models that were chosen in the same way form a pair; otherwise the single one of either side
// does. An evaluation without a partner is a scope too.
func scopesOf(a, b GroupCells) []scope {
	var all []scope
	statesA, statesB := a.states(), b.states()
	for _, protocol := range append(a.protocols(), b.protocols()...) {
		if slices.ContainsFunc(all, func(s scope) bool { return s.protocol == protocol }) {
			continue
		}
		var restA, restB []string
		for _, at := range statesA[protocol] {
			if slices.Contains(statesB[protocol], at) {
				all = append(all, scope{protocol, at, at})
			} else {
				restA = append(restA, at)
			}
		}
		for _, at := range statesB[protocol] {
			if !slices.Contains(statesA[protocol], at) {
				restB = append(restB, at)
			}
		}
		if len(restA) == 1 && len(restB) == 1 {
			all = append(all, scope{protocol, restA[0], restB[0]})
			continue
		}
		for _, at := range append(restA, restB...) {
			all = append(all, scope{protocol, at, at})
		}
	}
	return all
}

// protocols returns the protocols of the cells' evaluations, in the records' order.
func (g GroupCells) protocols() []string {
	var all []string
	for _, c := range g.Cells {
		for _, e := range c.Evaluations {
			if !slices.Contains(all, e.Protocol) {
				all = append(all, e.Protocol)
			}
		}
	}
	return all
}

// states returns, by protocol, the states of the models that were evaluated.
func (g GroupCells) states() map[string][]string {
	all := map[string][]string{}
	for _, c := range g.Cells {
		for _, e := range c.Evaluations {
			if !slices.Contains(all[e.Protocol], e.At) {
				all[e.Protocol] = append(all[e.Protocol], e.At)
			}
		}
	}
	return all
}

// honest refuses a model that was chosen by its test results.
func (s scope) honest(a, b GroupCells) error {
	for _, x := range []struct {
		name, at string
		group    GroupCells
	}{{"A", s.a, a}, {"B", s.b, b}} {
		if x.at != AtPeek {
			continue
		}
		return fmt.Errorf("%s is chosen by its test results (%s): no verdict, and its queries are not kept", x.name,
			peekLabel(x.group.selections()))
	}
	return nil
}

// selections returns how the cells' models were chosen, nil for each last model.
func (g GroupCells) selections() []*Selection {
	var all []*Selection
	for _, c := range g.Cells {
		all = append(all, c.Selection)
	}
	return all
}

// notes says how the models were chosen, unless both are those of the last step.
func (s scope) notes(a, b GroupCells) []string {
	var notes []string
	switch {
	case s.a == AtLast && s.b == AtLast:
	case s.a == s.b:
		notes = append(notes, "A and B are "+stateWords(s.a))
	default:
		notes = append(notes, fmt.Sprintf("A is %s, B is %s", stateWords(s.a), stateWords(s.b)))
	}
	for _, x := range []struct {
		name  string
		group GroupCells
	}{{"A", a}, {"B", b}} {
		if slices.ContainsFunc(x.group.selections(), func(s *Selection) bool { return s != nil && s.Optimistic }) {
			notes = append(notes, x.name+" is evaluated on the images by which it was chosen: an optimistic number")
		}
	}
	return notes
}

// stateWords says in words which model an evaluation has.
func stateWords(at string) string {
	switch at {
	case AtLast:
		return "the model after the last step"
	case AtSelected:
		return "the best model on validation classes, which it was not trained on"
	case AtPeek:
		return "the best model on the test images (peek)"
	default:
		return at
	}
}
