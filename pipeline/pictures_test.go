package pipeline

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"image/jpeg"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"bierbench/datasets"
	"bierbench/pipeline/workspace"
	"bierbench/reports"
	"bierbench/runs"
)

// Pictures of a real run: every thumbnail is a small JPEG, and what the page calls
// correct is what the data set and the stored queries say.
func TestPicturesOfRun(t *testing.T) {
	w, _ := runMini(t, []string{"cub"}, `
- datasets: [cub/mini]
  backbone: convnet
  mode: frozen
  input: 16
  methods: [features, baseline]
  sizes: [24]
  steps: 1
`, 2)
	page := reportPage(t, w, ReportOptions{})
	images := regexp.MustCompile(`<image id="[^"]*" width="(\d+)" height="(\d+)" href="data:image/jpeg;base64,([^"]*)"/>`).FindAllStringSubmatch(page, -1)
	for _, m := range images {
		data, broken := base64.StdEncoding.DecodeString(m[3])
		if broken != nil {
			t.Fatal(broken)
		}
		c, broken := jpeg.DecodeConfig(bytes.NewReader(data))
		if broken != nil || fmt.Sprint(c.Width) != m[1] || fmt.Sprint(c.Height) != m[2] || max(c.Width, c.Height) > reports.ThumbnailSide {
			t.Errorf("a picture of %d x %d pixels in a place of %s x %s, %v", c.Width, c.Height, m[1], m[2], broken)
		}
	}
	if len(images) < 12 || strings.Contains(page, "no pictures") {
		t.Errorf("%d pictures", len(images))
	}
	checkAgainstQueries(t, w, page)

	d, err := Diff(t.Context(), w, DiffOptions{A: "s", Base: "baseline", Compare: runs.DefaultCompareOptions(), Write: true})
	if err != nil {
		t.Fatal(err)
	}
	diff, err := os.ReadFile(d.Files[0])
	if err != nil {
		t.Fatal(err)
	}
	gained, lost := d.Rows[0].Gained, d.Rows[0].Lost
	if gained+lost == 0 || !strings.Contains(string(diff), fmt.Sprintf("%d gained, %d lost</h3>", gained, lost)) {
		t.Errorf("the diff shows no pictures of %d gained and %d lost queries", gained, lost)
	}

	if page = reportPage(t, w, ReportOptions{NoPictures: true}); strings.Contains(page, `id="examples"`) {
		t.Error("pictures that nobody wants")
	}
	if d, err = Diff(t.Context(), w, DiffOptions{A: "s", Base: "baseline", Compare: runs.DefaultCompareOptions(), NoPictures: true}); err != nil || d.Flips != nil {
		t.Errorf("flipped queries that nobody wants, %v", err)
	}

	// A data set that was prepared again with other images, and one that is gone.
	dir := filepath.Join(w.DatasetsDir(), "cub", "mini-s256-jpeg")
	other := datasets.DefaultMini()
	other.Seed, other.Classes, other.Images = other.Seed+1, 3, 2
	raw := t.TempDir()
	if err = errors.Join(datasets.WriteMini(t.Context(), raw, other), ingestMini(t.Context(), w, raw)); err != nil {
		t.Fatal(err)
	}
	if page = reportPage(t, w, ReportOptions{}); !strings.Contains(page, "data set cub/mini-s256-jpeg has been prepared again with other content.</p>") || strings.Contains(page, "<image ") {
		t.Error("pictures of a data set with another digest, or no sentence")
	}
	if err = os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if page = reportPage(t, w, ReportOptions{}); !strings.Contains(page, "data set cub/mini-s256-jpeg is not prepared in this workspace (&#34;bierbench ingest cub&#34; prepares it).</p>") {
		t.Error("no sentence of a data set that is gone")
	}
}

// reportPage makes the report of run s and returns its page.
func reportPage(t *testing.T, w *workspace.Workspace, o ReportOptions) string {
	t.Helper()
	_, files, err := Report(t.Context(), w, []string{"s"}, o)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// checkAgainstQueries compares the success of each method with its stored queries.
func checkAgainstQueries(t *testing.T, w *workspace.Workspace, page string) {
	t.Helper()
	data, err := datasets.Open(filepath.Join(w.DatasetsDir(), "cub", "mini-s256-jpeg"))
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	r, err := w.Runs().Open("s")
	if err != nil {
		t.Fatal(err)
	}
	cells, err := r.Cells()
	if err != nil {
		t.Fatal(err)
	}
	class, name := map[int64]int32{}, map[int64]string{}
	for i := range data.Len() {
		class[data.ID(i)], name[data.ID(i)] = data.Class(i), data.ClassName(i)
	}
	for _, c := range cells {
		queries, err := runs.ReadQueries(r.QueriesPath(c.Key, c.Evaluations[0].Protocol))
		if err != nil {
			t.Fatal(err)
		}
		lowest := queries[0]
		for _, q := range queries {
			if q.Rank > lowest.Rank || q.Rank == lowest.Rank && q.ID < lowest.ID {
				lowest = q
			}
		}
		want := fmt.Sprintf("has rank %d</figcaption><ol>", lowest.Rank)
		for i, id := range append([]int64{lowest.ID}, lowest.Nearest...) {
			kind, label := "correct", "query: "+name[id]
			switch {
			case i == 0:
				kind = "query"
			case class[id] != lowest.Class:
				kind = "wrong"
			}
			if i > 0 {
				label = fmt.Sprintf("nearest %d, %s: %s, similarity %.2f", i, kind, name[id], lowest.Scores[i-1])
			}
			want += fmt.Sprintf(`<li class="%s"><title>%s</title>`, kind, label)
		}
		short := regexp.MustCompile(`<svg role="img"[^>]*>|<use .*?</li>`).ReplaceAllString(page, "")
		if !strings.Contains(short, want) {
			t.Errorf("%s: the page has no\n%s", c.Path(), want)
		}
	}
}
