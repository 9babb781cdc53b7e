package suite

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"bierbench/models"
	"bierbench/models/losses"
)

// An Option sets one field of models.Config, or learners: the sizes of the learners, or their
// number.
type Option struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
	at    Position
}

// constantsKey is the option whose value is a mapping, from the constants of a loss to numbers. The
// constants of a method are merged into those of its block, name by name.
const constantsKey = "constants"

// reservedKeys are the fields of models.Config that other keys of a block or a method set, or the
// data set's imported features.
func reservedKeys() []string {
	return []string{"backbone", "mode", "input", "size", "seed", "untrained", "learners", "features"}
}

// optionKeys returns the names of all options, sorted.
func optionKeys() []string {
	keys := []string{"learners"}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[models.Config]()) {
		key, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if !field.Anonymous && !slices.Contains(reservedKeys(), key) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// applyOption sets a field of a configuration. Constants that the option does not name keep their
// values.
func applyOption(c *models.Config, o Option) error {
	if !slices.Contains(optionKeys(), o.Key) {
		return o.at.Errorf("unknown key %q%s", o.Key, Suggestion(o.Key, optionKeys()))
	}
	if o.Key == constantsKey {
		var constants map[string]float64
		if err := json.Unmarshal(o.Value, &constants); err != nil || constants == nil {
			return o.at.Errorf("constants: %s; want numbers of the loss by name, such as {alpha: 2}", o.Value)
		}
		constants, given := maps.Clone(c.Constants), constants
		if constants == nil {
			constants = map[string]float64{}
		}
		maps.Copy(constants, given)
		c.Constants = constants
		return nil
	}
	one, err := json.Marshal(map[string]json.RawMessage{o.Key: o.Value})
	if err != nil {
		return o.at.Errorf("%s: %w", o.Key, err)
	}
	if err := json.Unmarshal(one, c); err != nil {
		if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return o.at.Errorf("%s: %s; want a value of type %s", o.Key, o.Value, kind.Type)
		}
		return o.at.Errorf("%s: %w", o.Key, err)
	}
	return nil
}

// decodeOption reads the value of an option. A key that is not an option is an error, with a hint
// from the known keys.
func decodeOption(e entry, known []string) (Option, error) {
	if !slices.Contains(optionKeys(), e.key) {
		return Option{}, e.at.Errorf("unknown key %q%s", e.key, Suggestion(e.key, known))
	}
	var value any
	if err := e.decode(&value); err != nil {
		return Option{}, err
	}
	data, err := json.Marshal(value)
	if _, ok := errors.AsType[*json.UnsupportedValueError](err); ok {
		return Option{}, e.at.Errorf("%s: %s; want finite numbers", e.key, e.text())
	}
	if err != nil {
		return Option{}, e.at.Errorf("%s: %w", e.key, err)
	}
	o := Option{Key: e.key, Value: data, at: e.at}
	if e.key == "learners" {
		return o, nil
	}
	var c models.Config
	if err = applyOption(&c, o); err != nil {
		if as, notJSON := json.Marshal(asNumbers(value)); notJSON == nil {
			if again := (Option{Key: e.key, Value: as, at: e.at}); applyOption(&c, again) == nil {
				return again, nil
			}
		}
	}
	return o, err
}

// asNumbers returns a value with words such as "1e5" made numbers: YAML 1.2 has numbers that the
// parser takes for words.
func asNumbers(value any) any {
	switch v := value.(type) {
	case string:
		if number, err := strconv.ParseFloat(v, 64); err == nil {
			return number
		}
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			out[k] = asNumbers(item)
		}
		return out
	}
	return value
}

// mergeOption returns the options with o in place of the one of the same key. Of constants it
// replaces those of the same names.
func mergeOption(options []Option, o Option) []Option {
	i := slices.IndexFunc(options, func(old Option) bool { return old.Key == o.Key })
	if i < 0 {
		return append(options, o)
	}
	if o.Key == constantsKey {
		values := options[i].namedValues()
		maps.Copy(values, o.namedValues())
		o = o.withValues(values)
	}
	return append(slices.Delete(options, i, i+1), o)
}

// dropOverridden returns the options without the one that o overrides. Of constants it removes
// those of the same names.
func dropOverridden(options []Option, o Option) []Option {
	i := slices.IndexFunc(options, func(old Option) bool { return old.Key == o.Key })
	if i < 0 {
		return options
	}
	if o.Key == constantsKey {
		values, given := options[i].namedValues(), o.namedValues()
		maps.DeleteFunc(values, func(name string, _ json.RawMessage) bool { _, ok := given[name]; return ok })
		if len(values) > 0 {
			options[i] = options[i].withValues(values)
			return options
		}
	}
	return slices.Delete(options, i, i+1)
}

// namedValues returns the values of an option that is a mapping, by name.
func (o Option) namedValues() map[string]json.RawMessage {
	values := map[string]json.RawMessage{}
	if err := json.Unmarshal(o.Value, &values); err != nil {
		panic("suite: the value of an option is not a mapping: " + err.Error())
	}
	return values
}

// withValues returns the option with other values.
func (o Option) withValues(values map[string]json.RawMessage) Option {
	data, err := json.Marshal(values)
	if err != nil {
		panic("suite: the value of an option cannot be encoded: " + err.Error())
	}
	o.Value = data
	return o
}

// checkConstants returns an error at the first option with a constant that the loss of the method
// does not have.
func checkConstants(c models.Config, label string, options []Option) error {
	loss, err := losses.Named(c.Loss)
	if err != nil {
		return nil //nolint:nilerr // Validate reports it
	}
	var known []string
	for _, constant := range loss.Constants {
		known = append(known, constant.Name)
	}
	for _, o := range options {
		if o.Key != constantsKey {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(o.namedValues())) {
			if !slices.Contains(known, name) {
				return o.at.Errorf("constants: the loss %s of method %s has no %q; it has %s", c.Loss, label, name, strings.Join(known, ", "))
			}
		}
	}
	return nil
}
