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
	// pageRoom is how many bytes a page takes, thumbnails included, unless the
	// rest of it is larger.
	pageRoom = 2_950_000
	// pictureRoom is how many of them thumbnails may take at most.
	pictureRoom = 800_000
	// pictureMarkup is the most that a place of a picture takes besides the
	// thumbnail and the name of its class, its part of the row's caption and of the
	// card's title included, in bytes.
	pictureMarkup = 420
)

// Pictures hands out small pictures of the images of prepared data sets.
type Pictures interface {
	// Thumbnail returns an image of a data set by its id. The error of one that
	// is not there is shown in the page, so it says what to do about it.
	Thumbnail(set PictureSet, id int64) (*Thumbnail, error)
}

// PictureSet is the data set that a cell was made from: pictures of one with
// another digest would be of other images.
type PictureSet struct{ Dataset, Variant, Digest string }

// Thumbnail is a small picture of an image and what is known of the image.
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
	Mark  string // under it: what it is, its similarity
	Label string // what is read out and shown on pointing at it
	ID    string // of the thumbnail in the page
}

// Name is the class's name as it stands under the picture, where it can be broken
// into lines.
func (p picture) Name() string { return strings.ReplaceAll(p.ClassName, "_", " ") }

// queriedImage shows the image that is searched for.
func queriedImage(t *Thumbnail) picture {
	return picture{Thumbnail: t, Kind: queryPicture, Mark: "Query", Label: "query: " + t.ClassName}
}

// foundImage shows an image that was found for a query. what begins its label, by
// its mark where it has one.
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

// pictureRow is a query and what was found for it.
type pictureRow struct {
	About    string
	Pictures []picture
	place    int // in its card
}

// pictureCard is rows of one method.
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

// album is what a page may show in pictures, what matters most first.
type album struct {
	units []pictureUnit
	notes []string // why pictures are not there
	shelf thumbnails
}

// pictureView is what a page shows of an album.
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

// note adds a sentence about what is not there, once.
func (a *album) note(format string, values ...any) {
	a.notes = appendNew(a.notes, fmt.Sprintf(format, values...))
}

// add adds a unit if it has room in any page.
func (a *album) add(u pictureUnit) bool {
	if len(u.rows) == 0 || !a.shelf.put(u.rows, pictureRoom) {
		return false
	}
	a.units = append(a.units, u)
	return true
}

// within returns the units that have room together; a nil album is empty. A unit
// without room makes none for smaller ones behind it, which matter less.
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

// dataURI is a JPEG as an address.
func dataURI(jpeg []byte) string {
	return "data:image/jpeg;base64," + base64.StdEncoding.EncodeToString(jpeg)
}

// thumbnails holds each thumbnail of a page once.
type thumbnails struct {
	number     map[*Thumbnail]int
	thumbnails []*Thumbnail
	size       int // about, in bytes of the page
}

// put adds the thumbnails of rows unless they take more than room in all.
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

type pictureKey struct {
	set PictureSet
	id  int64
}

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

// byteCounter counts what is written to it.
type byteCounter int

func (c *byteCounter) Write(p []byte) (int, error) {
	*c += byteCounter(len(p))
	return len(p), nil
}

// roomIn returns how many bytes pictures may take in a page that write writes
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
