package runs

import (
	"encoding/json"
	"errors"
	"fmt"
)

// ErrVersion is the error of a record that another version of bierbench wrote.
var ErrVersion = errors.New("another version of bierbench wrote it")

// writeJSON writes v indented and with its seal, as a whole file.
func writeJSON(path string, v any) error {
	data, err := Indented(v)
	if err == nil {
		data, err = sealed(data)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return WriteFile(path, data, 0o644)
}

// readJSON reads a record of this package into v, and reports whether it has a seal. schema points to
// the field of v that has its schema version. The error names the file, and the line of broken JSON.
func readJSON(path string, v any, schema *int) (sealed bool, err error) {
	data, err := ReadFile(path)
	if err != nil {
		return false, err
	}
	wrong := json.Unmarshal(data, v)
	if syntax := new(json.SyntaxError); !errors.As(wrong, &syntax) {
		if sealed, err = checkSeal(data); err != nil {
			return sealed, fmt.Errorf("%s: %w", path, err)
		}
	}
	if wrong != nil {
		// A record of another version may differ in anything: say that first.
		var version struct {
			Schema int `json:"schema"`
		}
		if err := json.Unmarshal(data, &version); err != nil {
			return sealed, jsonError(path, data, wrong)
		}
		*schema = version.Schema
	}
	switch {
	case *schema == 0:
		return sealed, fmt.Errorf("%s: no schema version, want %d", path, Schema)
	case *schema != Schema:
		return sealed, fmt.Errorf("%s: schema version %d, want %d: %w", path, *schema, Schema, ErrVersion)
	case wrong != nil:
		return sealed, jsonError(path, data, wrong)
	}
	return sealed, nil
}

// jsonError adds file and line to an error of encoding/json.
func jsonError(path string, data []byte, err error) error {
	var offset int64 = -1
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	}
	if offset < 0 || offset > int64(len(data)) {
		return fmt.Errorf("%s: %w", path, err)
	}
	line := 1
	for _, b := range data[:offset] {
		if b == '\n' {
			line++
		}
	}
	return fmt.Errorf("%s:%d: %w", path, line, err)
}
