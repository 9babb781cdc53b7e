package runs

import (
	"bytes"
	"encoding/json"
	"regexp"
)

// Indented returns v as JSON for people: indented by two spaces, each list of numbers on one line.
func Indented(v any) ([]byte, error) {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return nil, err
	}
	return oneLine(data), nil
}

// numberRows matches the lists of numbers in indented JSON. Text in JSON has no line breaks, so it
// never matches.
var numberRows = regexp.MustCompile(`\[\n\s*(?:[-+.0-9eE]+|null)(?:,\n\s*(?:[-+.0-9eE]+|null))*\n\s*\]`)

// oneLine writes each list of numbers in indented JSON on a line of its own. A matrix then has one
// line for each row, and half the length.
func oneLine(data []byte) []byte {
	return numberRows.ReplaceAllFunc(data, func(list []byte) []byte {
		return bytes.ReplaceAll(bytes.Join(bytes.Fields(list), nil), []byte(","), []byte(", "))
	})
}
