package reports

import (
	"fmt"
	"html/template"
	"io"
)

// How large an audit shows images: a person judges by eye whether two are the same.
const (
	AuditSide    = 144 // longest side in pixels
	AuditQuality = 70  // of the JPEG
)

// An Audit is what was found out about images of a data set that are there more than once; it is also
// audit.json.
type Audit struct {
	Schema   int          `json:"schema"`
	Dataset  string       `json:"dataset"` // set and variant
	Digest   string       `json:"digest"`
	Images   int          `json:"images"`
	Kinds    []AuditKind  `json:"kinds"` // what was looked for
	Counts   []AuditCount `json:"counts"`
	Pairs    []AuditPair  `json:"pairs"` // those that matter most
	Problems []string     `json:"problems,omitempty"`
}

// AuditKind is a way in which two images are alike.
type AuditKind struct {
	Name string `json:"name"` // as counts and pairs have it
	Rule string `json:"rule"` // in words, with its threshold
}

// AuditCount is the number of pairs of a kind between two splits.
type AuditCount struct {
	Kind       string `json:"kind"`
	A          string `json:"a"`
	B          string `json:"b"`
	Pairs      int    `json:"pairs"`
	OtherClass int    `json:"other_class"` // of them, those of two classes
}

// AuditPair is two images that are alike.
type AuditPair struct {
	Kind   string        `json:"kind"`
	Detail string        `json:"detail"` // how alike, in words
	Images [2]AuditImage `json:"images"`
}

// AuditImage is an image of a pair.
type AuditImage struct {
	ID        int64      `json:"id"`
	Name      string     `json:"name"`
	Split     string     `json:"split"`
	Class     int32      `json:"class"`
	ClassName string     `json:"class_name"`
	Picture   *Thumbnail `json:"-"` // nil: it is not shown
}

// auditPage is the data of audit.gohtml.
type auditPage struct {
	pageShell
	*Audit
	Shown pictureView
}

// auditStyle makes the pictures of pairs larger than those of other pages.
const auditStyle = "\n.pairs .pictures ol { grid-auto-columns: 9.5rem; }\n.pairs .pictures figcaption { overflow-wrap: anywhere; }\n"

// HTML writes the audit as one page that needs nothing else.
func (a *Audit) HTML(w io.Writer) error {
	s, err := newPageShell(a.Dataset + " · bierbench audit")
	if err != nil {
		return err
	}
	s.Style += template.CSS(auditStyle)
	t, err := templates()
	if err != nil {
		return err
	}
	p := auditPage{pageShell: s, Audit: a}
	write := func(w io.Writer) error { return t.ExecuteTemplate(w, "audit.gohtml", p) }
	var rest byteCounter
	if err = write(&rest); err != nil {
		return err
	}
	p.Shown = a.album().within(pageRoom - int(rest))
	return write(w)
}

// album has the pairs with pictures, a card for each kind.
func (a *Audit) album() *album {
	out := &album{}
	cards := map[string]*pictureCard{}
	for i, kind := range a.Kinds {
		cards[kind.Name] = &pictureCard{Title: "Pairs of kind " + kind.Name, place: i}
	}
	for i, p := range a.Pairs {
		if p.Images[0].Picture == nil || p.Images[1].Picture == nil || cards[p.Kind] == nil {
			continue
		}
		out.units = append(out.units, pictureUnit{cards[p.Kind], []pictureRow{{About: p.about(), Pictures: p.pictures(), place: i}}})
	}
	return out
}

// about says which splits and classes a pair is of.
func (p AuditPair) about() string {
	about := p.Images[0].Split
	if p.Images[0].Split != p.Images[1].Split {
		about += " and " + p.Images[1].Split
	}
	if p.Images[0].Class == p.Images[1].Class {
		about += ", one class"
	} else {
		about += ", two classes"
	}
	return about + ", " + p.Detail
}

// pictures are the two images of a pair.
func (p AuditPair) pictures() []picture {
	both := make([]picture, len(p.Images))
	for i, m := range p.Images {
		both[i] = picture{
			Thumbnail: m.Picture, Kind: queryPicture, Mark: fmt.Sprintf("%s %d", m.Split, m.ID),
			Label: fmt.Sprintf("%s, image %d, class %d, %s", m.Split, m.ID, m.Class, m.Name),
		}
	}
	return both
}

// Write writes audit.html and audit.json into a folder, as Report.Write does.
func (a *Audit) Write(dir string) ([]string, error) {
	return writeAll(dir, []document{{"audit.html", a.HTML}, {"audit.json", func(w io.Writer) error { return writeJSON(w, a) }}})
}
