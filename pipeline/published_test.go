package pipeline

import (
	"slices"
	"strings"
	"testing"

	"bierbench/datasets"
	"bierbench/models/losses"
	"bierbench/pipeline/suite"
	"bierbench/reports"
)

// Published results are on protocols of the data sets, with or without boxes, at
// K that are measured, and what has a name of ours is a method or a loss.
func TestPublishedIsKnown(t *testing.T) {
	p, err := reports.LoadPublished()
	if err != nil {
		t.Fatal(err)
	}
	protocols := map[string][]string{}
	for _, s := range datasets.All() {
		for _, protocol := range s.Protocols {
			protocols[s.Name] = append(protocols[s.Name], protocol.ID)
		}
	}
	names := []string{"bier-activation"} // of the suites paper-*
	for _, m := range suite.Methods() {
		names = append(names, m.Name)
	}
	for _, l := range losses.All() {
		names = append(names, strings.ReplaceAll(l.Name, "_", "-"))
	}
	boxes := []string{"cub", "cars196", "inshop"} // that have any
	for _, x := range p.Results {
		id := strings.TrimSuffix(x.Protocol, "+box")
		if known, ok := protocols[x.Dataset]; !ok || x.Protocol != "" && !slices.Contains(known, id) {
			t.Errorf("%s of %s is on %q of %q, which there is not", x.Metric, x.Method, x.Protocol, x.Dataset)
		}
		if x.Crop == "box" && !slices.Contains(boxes, x.Dataset) {
			t.Errorf("%s has no boxes", x.Dataset)
		}
		if x.Ours != "" && !slices.Contains(names, x.Ours) {
			t.Errorf("%q is no method or loss", x.Ours)
		}
	}
}
