package reports

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"bierbench/runs"
)

// evilClass is a class name that would break out of a page.
const evilClass = `</title></svg><script>alert(1)</script>"><img src=x onerror=alert(1)>`

// drawer draws the pictures of a stored sample: bytes of its own for each image.
type drawer struct {
	size   int // of a picture, in bytes
	failed error
	drawn  map[pictureKey]int
}

func (d *drawer) Thumbnail(set PictureSet, id int64) (*Thumbnail, error) {
	if d.failed != nil {
		return nil, d.failed
	}
	if d.drawn == nil {
		d.drawn = map[pictureKey]int{}
	}
	d.drawn[pictureKey{set, id}]++
	data := bytes.Repeat([]byte{0xff, 0xfb}, max(d.size/2, 20)) // of + and / in base64
	copy(data, fmt.Sprintf("%s %d", set.Dataset, id))
	return &Thumbnail{JPEG: data, Width: 72, Height: 48, Class: int32((id - 1) % 10), ClassName: evilClass}, nil
}

// pictured is the first seed of the sample.
func pictured() source {
	s := plainSample()
	s.record.Cells = slices.DeleteFunc(s.record.Cells, func(k runs.Key) bool { return k.Seed > 1 })
	s.cells = slices.DeleteFunc(s.cells, func(c runs.Cell) bool { return c.Seed > 1 })
	return s
}

// illustrated builds the report of a run with pictures.
func illustrated(t *testing.T, run *runs.Run, p Pictures) *Report {
	t.Helper()
	o := sampleOptions()
	o.Compare.Resamples, o.Pictures = 200, p
	r, err := Build(t.Context(), []*runs.Run{run}, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// checkPictures checks what holds of pictures in every page and returns how many
// places and thumbnails there are.
func checkPictures(t *testing.T, page string) (places, thumbnails int) {
	t.Helper()
	if found := regexp.MustCompile(`(?i)<script>alert|<img|onerror=alert\(1\)>[^&]|ZgotmplZ`).FindString(page); found != "" {
		t.Errorf("the page has %q as markup", found)
	}
	known, data := map[string]bool{}, map[string]bool{}
	for _, m := range regexp.MustCompile(`<image id="([^"]*)" width="\d+" height="\d+" href="data:image/jpeg;base64,([^"]*)"/>`).FindAllStringSubmatch(page, -1) {
		if known[m[1]] || data[m[2]] {
			t.Errorf("the thumbnail %s is there twice", m[1])
		}
		known[m[1]], data[m[2]] = true, true
	}
	if n := strings.Count(page, "<image "); n != len(known) {
		t.Errorf("%d thumbnails, %d of the form that a page has", n, len(known))
	}
	item := regexp.MustCompile(`<li class="(query|correct|wrong)"><svg role="img" viewBox="0 0 72 48"><title>([^<]*)</title><use href="#([^"]*)"/></svg><span aria-hidden="true"><b>([^<]*)</b>`)
	used := map[string]bool{}
	for _, m := range item.FindAllStringSubmatch(page, -1) {
		places++
		used[m[3]] = true
		fits := map[string]bool{
			"query":   strings.HasPrefix(m[2], "query: ") && m[4] == "Query",
			"correct": strings.Contains(m[2], ", correct: ") && strings.Contains(m[4], "✓"),
			"wrong":   strings.Contains(m[2], ", wrong: ") && strings.Contains(m[4], "✗"),
		}
		if !fits[m[1]] || !strings.Contains(m[2], "&lt;script&gt;") {
			t.Errorf("a %s picture is marked %q and read as %q", m[1], m[4], m[2])
		}
		if !known[m[3]] {
			t.Errorf("no thumbnail %s", m[3])
		}
	}
	if n := strings.Count(page, "<use "); n != places || len(used) != len(known) {
		t.Errorf("%d places, %d of the form that a page has; %d of %d thumbnails are used", n, places, len(used), len(known))
	}
	return places, len(known)
}

// Four methods and one that ties decide, on two data sets of 40 images: each has
// six rows of six, or five where a draw was picked already.
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
	if page = render(t, assemble([]source{sample()}, sampleOptions()).HTML); strings.Contains(page, `id="examples"`) {
		t.Error("a report without pictures has the section")
	}
}

// However large pictures are, the page stays within its room.
func TestPictureRoom(t *testing.T) {
	run := stored(t, pictured())
	for _, size := range []int{2000, 15_000, 2 * pictureRoom} {
		r := illustrated(t, run, &drawer{size: size})
		page := render(t, r.HTML)
		if len(page) > pageRoom {
			t.Errorf("pictures of %d bytes: the page has %d", size, len(page))
		}
		places, _ := checkPictures(t, page)
		if (places == 0) != (size > pictureRoom) {
			t.Errorf("pictures of %d bytes: %d places", size, places)
		}
	}
	a := &album{}
	card := &pictureCard{Method: "m"}
	large, small := &Thumbnail{JPEG: make([]byte, 3000)}, &Thumbnail{JPEG: make([]byte, 30)}
	row := func(t *Thumbnail) pictureRow { return pictureRow{Pictures: []picture{query(t)}} }
	for _, rows := range [][]pictureRow{{row(large), row(large)}, {row(large)}, {row(small), row(small)}} {
		if !a.add(pictureUnit{card, rows}) {
			t.Fatal("no room")
		}
	}
	for _, c := range []struct{ room, rows, thumbnails, left int }{
		{10_000, 5, 2, 0},
		{4000 + 2*pictureMarkup, 2, 1, 3}, // 3,000 bytes are 4,000 in base64, of the same thumbnail
		{3999 + 2*pictureMarkup, 0, 0, 5}, // the small ones do not overtake
		{4000 + 4*pictureMarkup, 3, 1, 2}, // a unit is whole
	} {
		v := a.within(c.room)
		rows := 0
		for _, card := range v.Cards {
			rows += len(card.Rows)
		}
		if rows != c.rows || len(v.Store) != c.thumbnails || v.Left != c.left {
			t.Errorf("within %d: %d rows of %d thumbnails, %d left; want %+v", c.room, rows, len(v.Store), v.Left, c)
		}
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
	if page = render(t, illustrated(t, run, &drawer{}).HTML); !strings.Contains(page, "stored without the images that were found for them.</p>") {
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
		{[]Result{result("baseline", 64, 0.5, nil), result("baseline", 128, 0.7, nil), result("bier", 64, 0.6, &base), result("abier", 64, 0.65, &base)}, "baseline-64 abier-64 bier-64"},
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

// flippedDiff compares two runs of one group whose queries differ by which are hits.
func flippedDiff(t *testing.T) (*runs.Diff, []*runs.Run) {
	t.Helper()
	group := runs.Group{Dataset: "cub", Variant: "mini-s64-jpeg", Backbone: "convnet", Mode: "frozen", Method: "bier", Size: 64}
	var both []*runs.Run
	for i, id := range []string{"a", "b"} {
		s := source{record: runs.Record{ID: id}}
		for _, c := range pictured().cells {
			if c.Group == (runs.Group{Dataset: "cub", Variant: "mini+box-s64-jpeg", Backbone: "convnet", Mode: "frozen", Method: "bier", Size: 64}) {
				c.Group, c.Correlation = group, nil
				s.cells = append(s.cells, c)
				s.record.Cells = append(s.record.Cells, c.Key)
			}
		}
		r := stored(t, s)
		cells, err := r.Cells()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cells { // queries 1 to 10 hit in A alone, 36 to 40 in B alone
			path := r.QueriesPath(c.Key, c.Evaluations[0].Protocol)
			queries, err := runs.ReadQueries(path)
			if err != nil {
				t.Fatal(err)
			}
			hits := 0
			for j := range queries {
				q := &queries[j]
				rank := int32(1)
				if i == 0 && j >= 35 || i == 1 && j < 10 {
					rank = int32(2 + j)
					q.Nearest[0] = q.Nearest[1]
				} else {
					q.Nearest[0] = int64((j+10)%40 + 1)
					hits++
				}
				q.Rank, q.RankPessimistic, q.RankOptimistic = rank, rank, rank
			}
			if err = runs.WriteQueries(path, queries); err != nil {
				t.Fatal(err)
			}
			c.Evaluations[0].Metrics[recallAt1] = float64(hits) / 40
			if err = r.WriteCell(c); err != nil {
				t.Fatal(err)
			}
		}
		both = append(both, r)
	}
	d, err := runs.CompareRuns(t.Context(), both[0], both[1], runs.CompareOptions{Resamples: 200, Seed: 1, Metrics: []string{recallAt1}})
	if err != nil {
		t.Fatal(err)
	}
	return d, both
}

// By construction 5 queries are gained, the last with the lowest rank in A, 41, and 10
// are lost, the tenth with rank 11 in B.
func TestFlips(t *testing.T) {
	d, both := flippedDiff(t)
	flips, err := NewDiffFlips(t.Context(), d, both, &drawer{})
	if err != nil {
		t.Fatal(err)
	}
	page := render(t, func(w io.Writer) error { return DiffHTML(d, nil, flips, w) })
	places, _ := checkPictures(t, page)
	if places != 8*3 { // two extremes and two drawn of each direction
		t.Errorf("%d pictures, want 24", places)
	}
	for _, want := range []string{
		"bier-64 in b against a, seed 1: 5 gained, 10 lost</h3>",
		"Gained, largest change of rank: the first correct image has rank 41 with A, 1 with B<",
		"Gained, largest change of rank: the first correct image has rank 40 with A, 1 with B<",
		"Lost, largest change of rank: the first correct image has rank 1 with A, 11 with B<",
		"Lost, drawn: the first correct image has rank 1 with A, ",
		"<title>A: a found first, wrong: ", "<title>B: b found first, correct: ", "<b>A ✗ 0.", "<b>B ✓ 0.",
		`data-block data-dataset="cub" data-method="bier"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if flips, err = NewDiffFlips(t.Context(), d, both, &drawer{failed: errors.New("no <b>pictures</b>")}); err != nil {
		t.Fatal(err)
	}
	page = render(t, func(w io.Writer) error { return DiffHTML(d, nil, flips, w) })
	if !strings.Contains(page, "seed 1: no &lt;b&gt;pictures&lt;/b&gt;.</p>") {
		t.Error("no sentence of what is not there")
	}
}

// Rows with a verdict come first; refused ones and other metrics have no pictures.
func TestFlippedRows(t *testing.T) {
	row := func(method, metric, verdict, reason string, gained int) runs.Comparison {
		return runs.Comparison{B: runs.Group{Method: method}, Metric: metric, Verdict: verdict, Reason: reason, Gained: gained}
	}
	d := &runs.Diff{Rows: []runs.Comparison{
		row("noise", recallAt1, runs.Noise, "", 3), row("map", mapAtR, runs.Better, "", 0), row("worse", recallAt1, runs.Worse, "", 2),
		row("equal", recallAt1, runs.Noise, "", 0), row("refused", recallAt1, "", "why", 1), row("better", recallAt1, runs.Better, "", 1),
	}}
	got := ""
	for _, c := range flippedRows(d) {
		got += " " + c.B.Method
	}
	if got != " worse better noise" {
		t.Errorf("rows%s", got)
	}
}
