package reports

import (
	"bytes"
	"fmt"
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
func pictured() loadedRun {
	s := plainSample()
	s.record.Cells = slices.DeleteFunc(s.record.Cells, func(k runs.Key) bool { return k.Seed > 1 })
	s.cells = slices.DeleteFunc(s.cells, func(c runs.Cell) bool { return c.Seed > 1 })
	return s
}

// illustrated builds the report of a run with pictures.
func illustrated(t *testing.T, run *runs.Run, p Pictures) *Report {
	t.Helper()
	o := sampleOptions()
	o.Pictures = p
	r, err := Build(t.Context(), []*runs.Run{run}, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// checkPictures checks what holds of pictures in every page and returns how many places and
// thumbnails there are.
func checkPictures(t *testing.T, page string) (places, thumbnails int) {
	t.Helper()
	if found := regexp.MustCompile(`(?i)<script>alert|<img|onerror=alert\(1\)>[^&]|ZgotmplZ`).FindString(page); found != "" {
		t.Errorf("the page has %q as markup", found)
	}
	known, data := map[string]bool{}, map[string]bool{}
	image := regexp.MustCompile(`<image id="([^"]*)" width="\d+" height="\d+" href="data:image/jpeg;base64,([^"]*)"/>`)
	for _, m := range image.FindAllStringSubmatch(page, -1) {
		if known[m[1]] || data[m[2]] {
			t.Errorf("the thumbnail %s is there twice", m[1])
		}
		known[m[1]], data[m[2]] = true, true
	}
	if n := strings.Count(page, "<image "); n != len(known) {
		t.Errorf("%d thumbnails, %d of the form that a page has", n, len(known))
	}
	item := regexp.MustCompile(`<li class="(query|correct|wrong)"><svg role="img" viewBox="0 0 72 48"><title>([^<]*)</title>` +
		`<use href="#([^"]*)"/></svg>` +
		`<span aria-hidden="true"><b>([^<]*)</b>`)
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
		_, section, _ := strings.Cut(page, `<section id="examples">`)
		section, _, _ = strings.Cut(section, "</section>")
		if want := r.examples.shelf.size; places > 0 && (len(section) > want+1000 || len(section) < want*3/4) {
			t.Errorf("the section has %d bytes, %d are reckoned with", len(section), want)
		}
		if (places == 0) != (size > pictureRoom) {
			t.Errorf("pictures of %d bytes: %d places", size, places)
		}
	}
	a := &album{}
	card := &pictureCard{Method: "m"}
	large, small := &Thumbnail{JPEG: make([]byte, 3000)}, &Thumbnail{JPEG: make([]byte, 30)}
	row := func(t *Thumbnail) pictureRow { return pictureRow{Pictures: []picture{queriedImage(t)}} }
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
