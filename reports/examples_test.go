package reports

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"bierbench/runs"
)

// Four methods and one that ties decide, on two data sets of 40 images: each has six rows of six,
// or five where a draw was picked already.
func TestExamples(t *testing.T) {
	d := &drawer{}
	run := stored(t, pictured())
	r := illustrated(t, run, d)
	page := render(t, r.HTML)
	places, thumbnails := checkPictures(t, page)
	if rows := strings.Count(page, "<figure><figcaption>Failure, ranked lowest: the first correct image has rank 7<"); rows < 8 {
		t.Errorf("%d rows of the lowest rank, want 8 or more", rows)
	}
	if places%6 != 0 || places < 8*4*6 || thumbnails > 80 {
		t.Errorf("%d places of %d thumbnails", places, thumbnails)
	}
	for k, n := range d.drawn {
		if n != 1 {
			t.Errorf("image %d of %s is drawn %d times", k.id, k.set.Dataset, n)
		}
		if k.set.Digest != digest("data"+k.set.Dataset) {
			t.Errorf("pictures of the data set with the digest %s", k.set.Digest)
		}
	}
	for _, want := range []string{
		`<a href="#examples">`, `<div class="block" data-block data-dataset="inshop" data-method="abier">`,
		"<h3>cub-loo&#43;box&#43;mini, convnet frozen: baseline, seed 1</h3>",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if again := render(t, r.HTML); again != page || render(t, illustrated(t, run, &drawer{}).HTML) != page {
		t.Error("the page is another the second time")
	}
	if page = render(t, assemble([]loadedRun{sample()}, sampleOptions()).HTML); strings.Contains(page, `id="examples"`) {
		t.Error("a report without pictures has the section")
	}
}

// What is not there is a sentence.
func TestNoPictures(t *testing.T) {
	bare := pictured()
	run := stored(t, bare)
	r := illustrated(t, run, &drawer{failed: errors.New(`no pictures of <script>alert(1)</script>`)})
	page := render(t, r.HTML)
	if n := strings.Count(page, "no pictures of &lt;script&gt;alert(1)&lt;/script&gt;.</p>"); n != 1 {
		t.Errorf("%d sentences, want 1", n)
	}
	if places, _ := checkPictures(t, page); places != 0 {
		t.Errorf("%d pictures", places)
	}
	for _, c := range bare.cells {
		for i, e := range c.Evaluations {
			path := run.QueriesPath(c.Key, e.Protocol)
			queries, err := runs.ReadQueries(path)
			if err != nil {
				t.Fatal(err)
			}
			for j := range queries {
				queries[j].Nearest, queries[j].Scores = nil, nil
			}
			if i == 0 {
				if err = runs.WriteQueries(path, queries); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if page = render(t, illustrated(t, run, &drawer{}).HTML); !strings.Contains(page,
		"stored without the images that were found for them.</p>") {
		t.Error("no sentence of queries without nearest images")
	}
}

// By hand: eight queries, of which 3, 5, 6 and 8 fail.
func TestPickExamples(t *testing.T) {
	query := func(id int64, rank int32, ap float64, score float32) runs.Query {
		return runs.Query{ID: id, Rank: rank, AP: ap, Nearest: []int64{1}, Scores: []float32{score}}
	}
	queries := []runs.Query{
		query(1, 1, 0.5, 0.9), query(2, 1, 0.7, 0.2), query(3, 9, 0, 0.3), query(4, 1, 0.7, 0.6),
		query(5, 9, 0, 0.99), query(6, 2, 0, 0.95), query(7, 1, 0.1, 0.8), query(8, 4, 0, 0.4),
	}
	var got []string
	drawn := map[int64]bool{}
	for _, p := range pickExamples(queries, 5) {
		if strings.HasPrefix(p.why, "Drawn: ") {
			drawn[p.ID] = true
			continue
		}
		got = append(got, fmt.Sprintf("%d %s", p.ID, p.why))
	}
	want := []string{
		"3 Failure, ranked lowest: the first correct image has rank 9", // the first of two
		"5 Failure, most similar: the first correct image has rank 9",
		"4 Success: average precision 0.70, the highest", // and the more similar of two
	}
	for i, w := range want {
		if i >= len(got) || got[i] != w {
			t.Errorf("got %q, want %q", got, want)
			break
		}
	}
	for id := range drawn {
		if id == 3 || id == 4 || id == 5 {
			t.Errorf("query %d is picked twice", id)
		}
	}
	if len(pickExamples(nil, 5)) != 0 {
		t.Error("examples of no query")
	}
	if picks := pickExamples(queries[:1], 5); len(picks) != 1 || !strings.HasPrefix(picks[0].why, "Success") {
		t.Errorf("of a single hit: %+v", picks)
	}
}

// What the best is compared with, it, then the others, one of each method.
func TestBestFirst(t *testing.T) {
	result := func(method string, size int, mean float64, base *runs.Group) Result {
		x := Result{Group: runs.Group{Method: method, Size: size}, At: runs.AtLast}
		m := Metric{Name: recallAt1, Summary: runs.Summary{Mean: mean}}
		if base != nil {
			m.Versus = &runs.Comparison{A: *base}
		}
		x.Metrics = []Metric{m}
		return x
	}
	base := runs.Group{Method: "baseline", Size: 64}
	for _, c := range []struct {
		results []Result
		want    string
	}{
		{[]Result{
			result("baseline", 64, 0.5, nil), result("baseline", 128, 0.7, nil), result("bier", 64, 0.6, &base),
			result("abier", 64, 0.65, &base),
		}, "baseline-64 abier-64 bier-64"},
		{[]Result{result("bier", 64, 0.6, nil), result("abier", 64, 0.65, nil)}, "abier-64 bier-64"},
		{[]Result{result("bier", 64, 0.6, &runs.Group{Method: "gone"}), result("x", 64, 0.65, nil)}, "x-64 bier-64"},
	} {
		got := ""
		for _, x := range bestFirst(c.results) {
			got += fmt.Sprintf(" %s-%d", x.Group.Method, x.Group.Size)
		}
		if got != " "+c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}
