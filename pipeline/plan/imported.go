package plan

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"bierbench/datasets"
	"bierbench/models/backbones"
	"bierbench/pipeline/workspace"
)

// ErrNotImported is the error of a backbone file:NAME that has no features of a data set.
var ErrNotImported = errors.New("features are not imported")

// ImportedFeatures returns the features that a backbone file:NAME stands for on a prepared data set
// of that digest. ok is false for a backbone that computes its own. Where there are none, the error
// is ErrNotImported and says the command that imports them.
func ImportedFeatures(w *workspace.Workspace, backbone string, entry datasets.Entry, digest string) (i backbones.Import, ok bool, err error) {
	name, ok := backbones.ImportName(backbone)
	if !ok {
		return i, false, nil
	}
	i, err = backbones.ReadImport(w.FeaturesDir(), name, entry.Set, entry.Variant)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return i, true, fmt.Errorf("%w: %s has none of %s/%s%s: %s", ErrNotImported, backbone, entry.Set, entry.Variant,
			otherImports(w, name), ImportCommand(w, name, entry))
	case errors.Is(err, backbones.ErrImportDamaged):
		return i, true, fmt.Errorf("%w: %s", err, ImportCommand(w, name, entry))
	case err != nil:
		return i, true, err
	case i.Data != digest:
		return i, true, fmt.Errorf("%w: those of %s are of another content of %s/%s (digest %.12s, now %.12s): %s", ErrNotImported,
			backbone, entry.Set, entry.Variant, i.Data, digest, ImportCommand(w, name, entry))
	}
	return i, true, nil
}

// ImportCommand says which command imports features of a name for a data set.
func ImportCommand(w *workspace.Workspace, name string, entry datasets.Entry) string {
	return fmt.Sprintf("run \"%s\"", w.CommandLine("features", "import", name, "--dataset", entry.Set+"/"+entry.Variant,
		"--features", "FILE", "--ids", "FILE"))
}

// otherImports says what is imported where a name has no features of a data set.
func otherImports(w *workspace.Workspace, name string) string {
	all, _, err := backbones.Imports(w.FeaturesDir())
	if err != nil {
		return "" // of the search for a hint
	}
	var names, sets []string
	for _, i := range all {
		if i.Name == name {
			sets = append(sets, i.Set+"/"+i.Variant)
		} else if !slices.Contains(names, i.Backbone()) {
			names = append(names, i.Backbone())
		}
	}
	switch {
	case len(sets) > 0:
		return ", only of " + strings.Join(sets, ", ")
	case len(names) > 0:
		return "; imported are " + strings.Join(names, ", ")
	}
	return ""
}
