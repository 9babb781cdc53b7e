package datasets

import "fmt"

// Locate returns the top folder of a set: raw itself or a folder in it.
func Locate(set Set, raw string) (string, error) {
	if set.Looks(raw) {
		return raw, nil
	}
	return "", fmt.Errorf("no %s in %s", set.Title, raw)
}
