package reports

import (
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
)

// How large thumbnails are: as pages show them, at a few bytes each.
const (
	ThumbnailSide    = 72 // longest side in pixels
	ThumbnailQuality = 65 // of the JPEG
)

const (
	// pageRoom is the number of bytes that a page takes, thumbnails included, unless the rest of it
	// is larger.
	pageRoom = 2_950_000
	// pictureRoom is the number of bytes in it that thumbnails take at most.
	pictureRoom = 800_000
	// pictureMarkup is the largest number of bytes that a picture takes apart from its thumbnail
	// and the name of its class; its share of the row's caption and of the card's title is
	// included.
	pictureMarkup = 420
)

// Pictures gives small pictures of the images of prepared data sets.
type Pictures interface {
	// Thumbnail returns an image of a data set by its id. The error of one that is not there is
	// shown in the page, so it says what to do about it.
	Thumbnail(set PictureSet, id int64) (*Thumbnail, error)
}

// PictureSet is the data set that a cell was made from. A data set with another digest has other
// images.
type PictureSet struct{ Dataset, Variant, Digest string }

// Thumbnail is a small picture of an image and its class.
type Thumbnail struct {
	JPEG          []byte
	Width, Height int // pixels
	Class         int32
	ClassName     string
}

// The kinds of picture in a row, as the style sheet names them.
const (
	queryPicture   = "query"
	correctPicture = "correct"
	wrongPicture   = "wrong"
)

// picture is a thumbnail in a row.
type picture struct {
	*Thumbnail
	Kind  string
	Mark  string // below it: its kind and similarity
	Label string // what is read out and shown on pointing at it
	ID    string // of the thumbnail in the page
}

// Name returns the class's name as it stands under the picture, where it can be broken into lines.
func (p picture) Name() string { return strings.ReplaceAll(p.ClassName, "_", " ") }

// queriedImage shows the image of a query.
func queriedImage(t *Thumbnail) picture {
	return picture{Thumbnail: t, Kind: queryPicture, Mark: "Query", Label: "query: " + t.ClassName}
}

// foundImage shows an image that was found for a query. what begins its label, by begins its mark
// and may be empty.
func foundImage(t, query *Thumbnail, what, by string, score float32) picture {
	p := picture{Thumbnail: t, Kind: wrongPicture}
	mark := "✗"
	if t.Class == query.Class {
		p.Kind, mark = correctPicture, "✓"
	}
	p.Mark = fmt.Sprintf("%s%s %.2f", by, mark, score)
	p.Label = fmt.Sprintf("%s, %s: %s, similarity %.2f", what, p.Kind, t.ClassName, score)
	return p
}

// pictureRow is a query and the images found for it.
type pictureRow struct {
	About    string
	Pictures []picture
	place    int // in its card
}

// pictureCard has the rows of one method.
type pictureCard struct {
	Title, Dataset, Method string
	Rows                   []pictureRow // those that have room
	place                  int          // among the cards of the page
}

// pictureUnit is rows of a card that are shown together or not at all.
type pictureUnit struct {
	card *pictureCard
	rows []pictureRow
}

// album has everything that a page may show in pictures, the most important first.
type album struct {
	units []pictureUnit
	notes []string // why pictures are not there
	shelf thumbnails
}

// pictureView is the part of an album that a page shows.
type pictureView struct {
	Cards []pictureCard
	Store []storedPicture // each thumbnail of the cards once
	Notes []string
	Left  int // rows that have no room
}

// storedPicture is a thumbnail in the page.
type storedPicture struct {
	ID            string
	Width, Height int
	Data          template.HTMLAttr
}

// Any reports whether there is anything to show or say.
func (v pictureView) Any() bool { return len(v.Cards)+len(v.Notes)+v.Left > 0 }

// note adds a sentence about missing pictures, unless it is there already.
func (a *album) note(format string, values ...any) {
	a.notes = appendNew(a.notes, fmt.Sprintf(format, values...))
}

// add adds a unit and reports whether any page has room for it.
func (a *album) add(u pictureUnit) bool {
	if len(u.rows) == 0 || !a.shelf.put(u.rows, pictureRoom) {
		return false
	}
	a.units = append(a.units, u)
	return true
}

// within returns the units that have room together; a nil album is empty. After a unit without room
// no smaller one is tried, since it would matter less.
func (a *album) within(room int) pictureView {
	var v pictureView
	if a == nil {
		return v
	}
	v.Notes = a.notes
	var s thumbnails
	at := map[*pictureCard]int{}
	for i, u := range a.units {
		if !s.put(u.rows, room) {
			for _, rest := range a.units[i:] {
				v.Left += len(rest.rows)
			}
			break
		}
		j, ok := at[u.card]
		if !ok {
			j = len(v.Cards)
			at[u.card] = j
			v.Cards = append(v.Cards, *u.card)
		}
		for _, row := range u.rows {
			row.Pictures = slices.Clone(row.Pictures)
			for k := range row.Pictures {
				row.Pictures[k].ID = s.id(row.Pictures[k].Thumbnail)
			}
			v.Cards[j].Rows = append(v.Cards[j].Rows, row)
		}
	}
	slices.SortStableFunc(v.Cards, func(x, y pictureCard) int { return x.place - y.place })
	for _, c := range v.Cards {
		slices.SortStableFunc(c.Rows, func(x, y pictureRow) int { return x.place - y.place })
	}
	for _, t := range s.thumbnails {
		v.Store = append(v.Store, storedPicture{
			ID: s.id(t), Width: t.Width, Height: t.Height,
			Data: template.HTMLAttr(`href="` + dataURI(t.JPEG) + `"`), //nolint:gosec // base64 holds no markup
		})
	}
	return v
}

// dataURI returns a JPEG as an address.
func dataURI(jpeg []byte) string {
	return "data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(jpeg)
}

// thumbnails holds each thumbnail of a page once.
type thumbnails struct {
	number     map[*Thumbnail]int
	thumbnails []*Thumbnail
	size       int // about, in bytes of the page
}

// put adds the thumbnails of rows, unless all of them together would take more than room bytes.
func (s *thumbnails) put(rows []pictureRow, room int) bool {
	size := s.size
	var fresh []*Thumbnail
	for _, row := range rows {
		for _, p := range row.Pictures {
			size += pictureMarkup + 2*len(template.HTMLEscapeString(p.ClassName))
			if _, ok := s.number[p.Thumbnail]; !ok && !slices.Contains(fresh, p.Thumbnail) {
				size += base64.StdEncoding.EncodedLen(len(p.JPEG))
				fresh = append(fresh, p.Thumbnail)
			}
		}
	}
	if size > room {
		return false
	}
	s.size = size
	if s.number == nil {
		s.number = map[*Thumbnail]int{}
	}
	for _, t := range fresh {
		s.thumbnails = append(s.thumbnails, t)
		s.number[t] = len(s.thumbnails)
	}
	return true
}

// id returns the id of a thumbnail in the page.
func (s *thumbnails) id(t *Thumbnail) string { return fmt.Sprintf("picture-%d", s.number[t]) }

// pictureReader reads each thumbnail once.
type pictureReader struct {
	pictures Pictures
	known    map[pictureKey]*Thumbnail
}

// pictureKey identifies an image.
type pictureKey struct {
	set PictureSet
	id  int64
}

// thumbnail returns the picture of an image, read at most once.
func (r *pictureReader) thumbnail(set PictureSet, id int64) (*Thumbnail, error) {
	k := pictureKey{set, id}
	if t := r.known[k]; t != nil {
		return t, nil
	}
	t, err := r.pictures.Thumbnail(set, id)
	if err != nil {
		return nil, err
	}
	if r.known == nil {
		r.known = map[pictureKey]*Thumbnail{}
	}
	r.known[k] = t
	return t, nil
}

// byteCounter counts the bytes that are written to it.
type byteCounter int

func (c *byteCounter) Write(p []byte) (int, error) {
	*c += byteCounter(len(p))
	return len(p), nil
}

// roomIn returns the number of bytes that pictures may take in a page. write writes the page
// without them.
func (a *album) roomIn(write func(io.Writer) error) (int, error) {
	if a == nil || len(a.units) == 0 {
		return 0, nil
	}
	var rest byteCounter
	if err := write(&rest); err != nil {
		return 0, err
	}
	return min(pictureRoom, pageRoom-int(rest)), nil
}
