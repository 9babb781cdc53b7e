package reports

import _ "embed"

//go:embed diff.schema.json
var diffSchema []byte

// DiffSchema returns the JSON Schema of diff.json.
func DiffSchema() []byte { return diffSchema }
