package suite

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestDamagedSuites(t *testing.T) { damagedSuites(t, 8) }

// damagedSuites changes, cuts and repeats parts of the built-in suites. A suite has no seal, and may
// well be another one then; it is read in time, or its error names the file and a line.
func damagedSuites(t *testing.T, times int) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	signs := "[]{},:-?&*!#|>'\"%@` \n\t0.e~<\x00\xff"
	path := filepath.Join(t.TempDir(), "damaged.yaml")
	for _, name := range Builtin() {
		whole, err := builtinFiles.ReadFile("suites/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		for range times {
			text := []byte(string(whole))
			for range 1 + random.IntN(3) {
				at := random.IntN(len(text))
				switch random.IntN(4) {
				case 0:
					text[at] ^= 1 << random.IntN(8)
				case 1:
					text[at] = signs[random.IntN(len(signs))]
				case 2:
					text = append(text[:at:at], text[at+random.IntN(len(text)-at):]...)
				default:
					text = append(text[:at:at], []byte(strings.Repeat(string(text[at:min(at+5, len(text))]), 50)+string(text[at:]))...)
				}
				if len(text) == 0 {
					text = []byte("-")
				}
			}
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			timer := time.AfterFunc(time.Minute, func() { panic("does not end:\n" + string(text)) })
			_, err := Load(path)
			timer.Stop()
			if err != nil && !strings.HasPrefix(err.Error(), path+":") && !strings.Contains(err.Error(), ".yaml:") {
				t.Errorf("the error names no line: %v\n%s", err, text)
			}
		}
	}
}
