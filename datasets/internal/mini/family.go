package mini

import "strings"

// attributes make a class.
type attributes struct {
	shape, pattern, pair, part int // indices into the family's shapes, patterns(), pairs and parts
}

// swatch is a colour with the word for it in the names of classes.
type swatch struct {
	name string
	colour
}

// family is a kind of object: all images of a set show one family.
type family struct {
	shapes []string
	parts  []string
	pairs  [][2]swatch // the pairs of colours that classes have
	tilt   float64     // largest rotation either way, as the tangent of half the angle
	mirror bool        // whether it is seen from both sides
	// figure builds one object of the class. r moves what an object can move.
	figure func(k looks, r *random) []layer
}

// looks is what a figure is drawn from: the attributes, with their colours.
type looks struct {
	attributes
	a, b colour
}

// layer is a painted shape; later layers lie on top.
type layer struct {
	shape shape
	paint paint
}

// patterned fills with the class's two colours and pattern.
func (k looks) patterned(period float64) paint {
	return paint{k.a, k.b, pattern(k.pattern, period)}
}

// looks looks up the colours of attributes.
func (f family) looks(k attributes) looks {
	return looks{k, f.pairs[k.pair][0].colour, f.pairs[k.pair][1].colour}
}

// classes draws n different combinations. Each pair of colours and each shape occurs about equally
// often.
func (f family) classes(n int, r *random) []attributes {
	all := make([]attributes, 0, n)
	taken := map[attributes]bool{}
	pairs, shapes := r.deck(n, len(f.pairs)), r.deck(n, len(f.shapes))
	for i := range n {
		k := attributes{shape: shapes[i], pair: pairs[i]}
		for free := false; !free; free = !taken[k] {
			k.pattern, k.part = r.IntN(len(patterns())), r.IntN(len(f.parts))
		}
		taken[k] = true
		all = append(all, k)
	}
	return all
}

// words returns the attributes in words: colours, pattern, part and shape. The part may be "".
func (f family) words(k attributes) (first, second, patternName, part, shapeName string) {
	return f.pairs[k.pair][0].name, f.pairs[k.pair][1].name, patterns()[k.pattern], f.parts[k.part], f.shapes[k.shape]
}

// title joins the words of a class with the separator, the first of them capitalised.
func (f family) title(k attributes, separator string) string {
	first, second, patternName, part, shapeName := f.words(k)
	words := []string{first, second, patternName}
	if part != "" {
		words = append(words, part)
	}
	title := strings.Join(append(words, shapeName), separator)
	return strings.ToUpper(title[:1]) + title[1:]
}
