package datasets

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// The rules of --train-classes that are no file. As options of a manifest, a file is called
// TrainListed.
const (
	TrainFirstHalf = "first-half" // the first half of the classes trains; of an odd number, the smaller half
	TrainListed    = "list"       // the classes that a file names train
)

// trainChoices says what --train-classes may be.
const trainChoices = "first-half, N% (such as 50%; 0% trains on none) or FILE, a list with a class name in each line"

// A trainRule says which classes train, where the data do not say it or are not asked.
type trainRule struct {
	percent int    // of the classes, the first ones in their order; -1: not given
	file    string // a list of names; empty: not given
}

// parseTrainRule reads the value of --train-classes. The empty one is no rule.
func parseTrainRule(text string) (*trainRule, error) {
	if text == "" {
		return nil, nil
	}
	if text == TrainFirstHalf {
		return &trainRule{percent: 50}, nil
	}
	number, isShare := strings.CutSuffix(text, "%")
	if !isShare {
		return &trainRule{percent: -1, file: text}, nil
	}
	n, err := strconv.ParseUint(number, 10, 7)
	if err != nil || n > 99 || number != strconv.FormatUint(n, 10) {
		return nil, fmt.Errorf("train-classes: want 0%% to 99%% in whole numbers, got %s", quote(text))
	}
	return &trainRule{percent: int(n)}, nil
}

// option is how a manifest calls the rule: without the name of a file, which is no content.
func (r *trainRule) option() string {
	switch {
	case r == nil:
		return ""
	case r.file != "":
		return TrainListed
	case r.percent == 50:
		return TrainFirstHalf
	}
	return strconv.Itoa(r.percent) + "%"
}

// pick returns which of the classes train, given by their names in their order, and the list that was
// read for it.
func (r *trainRule) pick(ctx context.Context, classes []string) (map[string]bool, []List, error) {
	train := map[string]bool{}
	if r.file == "" {
		for _, name := range classes[:len(classes)*r.percent/100] {
			train[name] = true
		}
		return train, nil, nil
	}
	known := make(map[string]bool, len(classes))
	for _, name := range classes {
		known[name] = true
	}
	src, err := OpenSource(ctx, filepath.Dir(r.file), "", true)
	if err != nil {
		return nil, nil, fmt.Errorf("train-classes: want %s: %w", trainChoices, err)
	}
	defer src.Close()
	l := &listFile{src: src, name: filepath.Base(r.file)}
	lines := map[string]int{}
	sum, err := l.read(ctx, func(line int, name string) error {
		if first, twice := lines[name]; twice {
			return l.errorf(line, "class %s is listed twice, first in line %d", quote(name), first)
		}
		if !known[name] {
			return l.errorf(line, "no class is called %s; the %d classes are %s", quote(name), len(classes), someNames(classes))
		}
		lines[name], train[name] = line, true
		return nil
	})
	if err != nil {
		return nil, nil, fmt.Errorf("train-classes: want %s: %w", trainChoices, err)
	}
	return train, []List{{Name: l.name, SHA256: sum, Rows: len(lines)}}, nil
}

// someNames returns the first of some names in quotes.
func someNames(names []string) string {
	const most = 3
	var out []string
	for _, name := range names[:min(len(names), most)] {
		out = append(out, quote(name))
	}
	if len(names) > most {
		out = append(out, "...")
	}
	return strings.Join(out, ", ")
}
