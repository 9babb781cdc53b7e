package reports

import (
	"bytes"
	"image"
	"image/jpeg"
	"strings"
	"testing"
)

const hostileName = `<script>alert("a name")</script>`

// audited is an audit with a pair between splits and one within; names of classes are hostile.
func audited(t *testing.T) *Audit {
	t.Helper()
	var data bytes.Buffer
	if err := jpeg.Encode(&data, image.NewGray(image.Rect(0, 0, 8, 6)), nil); err != nil {
		t.Fatal(err)
	}
	show := func(id int64, split string, class int32) AuditImage {
		return AuditImage{
			ID: id, Name: "a/b.jpg", Split: split, Class: class, ClassName: hostileName,
			Picture: &Thumbnail{JPEG: data.Bytes(), Width: 8, Height: 6, Class: class, ClassName: hostileName},
		}
	}
	return &Audit{
		Schema: Schema, Dataset: "cub/" + hostileName, Digest: "abc", Images: 3,
		Kinds:  []AuditKind{{"exact", "the same file"}, {"near", "4 bits"}},
		Counts: []AuditCount{{"exact", "train", "test", 1, 1}, {"near", "test", "test", 1, 0}},
		Pairs: []AuditPair{
			{"exact", "the same file", [2]AuditImage{show(1, "train", 1), show(2, "test", 2)}},
			{"near", "3 bits apart", [2]AuditImage{show(2, "test", 2), show(3, "test", 2)}},
		},
	}
}

// The page has both pairs in words and pictures, and nothing of a class's name runs.
func TestAuditPage(t *testing.T) {
	page := render(t, audited(t).HTML)
	for _, want := range []string{
		"train and test, two classes, the same file", "test, one class, 3 bits apart", "data:image/jpeg;base64,", "<b>near</b>: 4 bits.",
		"Pairs of kind exact", `<td class="number">1</td>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("page has no %q", want)
		}
	}
	if strings.Contains(page, hostileName) {
		t.Error("text from data is not escaped")
	}
	if none := render(t, (&Audit{Dataset: "cub/x"}).HTML); !strings.Contains(none, "No pair was found") || strings.Contains(none, `id="pairs"`) {
		t.Error("the page of an audit without pairs does not say so")
	}
}

// A page with more pictures than it has room for says how many are left out.
func TestAuditRoom(t *testing.T) {
	a := audited(t)
	large := bytes.Repeat([]byte{1}, 400_000)
	for range 20 {
		p := a.Pairs[0]
		for k := range p.Images {
			p.Images[k].Picture = &Thumbnail{JPEG: large, Width: 8, Height: 8}
		}
		a.Pairs = append(a.Pairs, p)
	}
	page := render(t, a.HTML)
	if len(page) > pageRoom || !strings.Contains(page, "more have no room in this page") {
		t.Errorf("page has %d bytes", len(page))
	}
}
