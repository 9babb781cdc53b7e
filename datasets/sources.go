package datasets

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"path"
	"slices"
	"strings"
)

// sources are the image files of a data set.
type sources struct {
	*Source
	budget budget
}

// newSources returns the images of a source.
func newSources(src *Source) *sources { return &sources{Source: src, budget: newBudget()} }

// open opens the regular file of a row.
func (s *sources) open(r *Row) (io.ReadCloser, int64, error) { return s.Open(r.File) }

// read calls use with the bytes of a row's file, or its first byteLimit+1 bytes. They are valid until use
// returns.
func (s *sources) read(ctx context.Context, r *Row, use func(data []byte) error) error {
	f, size, err := s.open(r)
	if err != nil {
		return fmt.Errorf("%s: %w", r.Line, err)
	}
	defer f.Close()
	size = min(size, byteLimit+1)
	if err = s.budget.files.Acquire(ctx, size); err != nil {
		return err
	}
	defer s.budget.files.Release(size)
	data := make([]byte, size)
	if _, err = io.ReadFull(f, data); err != nil {
		return fmt.Errorf("%s: read %s: %w", r.Line, r.File, err)
	}
	return use(data)
}

// existing returns the rows whose image exists, and the names of the other images. A path or a symbolic
// link that leads out of the folder is an error, unless links are followed. nested are the folders that
// lie once more in themselves, as cars_train/cars_train does in copies of Cars-196; the rows then say so.
func (s *sources) existing(ctx context.Context, rows []*Row, allowMissing bool) (found []*Row, missing, nested []string, err error) {
	there, err := s.look(ctx, rows, make([]bool, len(rows)))
	if err != nil {
		return nil, nil, nil, err
	}
	if nested = s.unnest(rows, there); len(nested) > 0 {
		if there, err = s.look(ctx, rows, there); err != nil {
			return nil, nil, nil, err
		}
	}
	moved, err := s.relocate(rows, there)
	if err != nil {
		return nil, nil, nil, err
	}
	if len(moved) > 0 {
		nested = append(nested, moved...)
		if there, err = s.look(ctx, rows, there); err != nil {
			return nil, nil, nil, err
		}
	}
	var first *Row
	missing = []string{}
	for i, r := range rows {
		switch {
		case there[i]:
			found = append(found, r)
		case first == nil:
			first = r
			fallthrough
		default:
			missing = append(missing, r.Name)
		}
	}
	switch {
	case len(rows) == 0:
		return nil, nil, nil, errors.New("the lists name no image")
	case len(found) == 0:
		return nil, nil, nil, fmt.Errorf("none of the %d listed images exists in %s: %s: no %s%s",
			len(rows), s.Name(), first.Line, first.File, s.packedHint())
	case len(missing) > 0 && !allowMissing:
		return nil, nil, nil, fmt.Errorf("%s: no %s; %d of %d images are missing in %s; --allow-missing ingests the rest",
			first.Line, first.File, len(missing), len(rows), s.Name())
	}
	return found, missing, nested, nil
}

// packedHint says that there is an archive whose name is none of the published ones.
func (s *sources) packedHint() string {
	for _, dir := range append([]string{"."}, s.foldersIn(".")...) {
		entries, _ := s.ReadDir(dir) // it is only a hint
		for _, e := range entries {
			if _, ok := archiveStem(e.Name()); ok {
				return fmt.Sprintf("; there is %s: unpack it there", path.Join(dir, e.Name()))
			}
		}
	}
	return ""
}

// foldersIn returns the folders in a folder, or none where it cannot be listed.
func (s *sources) foldersIn(dir string) []string {
	names, _ := s.below([]string{dir})
	return names
}

// look says for each row whether its image exists. Those that are there are not looked for.
func (s *sources) look(ctx context.Context, rows []*Row, there []bool) ([]bool, error) {
	for i, r := range rows {
		if i%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if there[i] {
			continue
		}
		info, err := s.Stat(r.File)
		switch {
		case err == nil && info.Mode().IsRegular():
			there[i] = true
		case err == nil:
			return nil, fmt.Errorf("%s: %s is not a regular file", r.Line, r.File)
		case isMissing(err):
		default:
			return nil, fmt.Errorf("%s: %w", r.Line, err)
		}
	}
	return there, nil
}

// unnest looks for folders of which no image is there but which hold a folder of their own name. It
// changes the files of their rows and returns these folders.
func (s *sources) unnest(rows []*Row, there []bool) []string {
	groups, tops := dead(rows, there)
	var nested []string
	for _, top := range tops {
		folder := s.nestedFolder(groups[top][0].File)
		if folder == "" {
			continue
		}
		for _, r := range groups[top] {
			if rest, below := strings.CutPrefix(r.File, folder+"/"); below {
				r.File = path.Join(folder, path.Base(folder), rest)
			}
		}
		nested = append(nested, path.Join(folder, path.Base(folder)))
	}
	return nested
}

// nestedFolder returns the first folder on the way to a file that holds a folder of its own name, or "".
func (s *sources) nestedFolder(file string) string {
	for at := range file {
		if file[at] != '/' {
			continue
		}
		folder := file[:at]
		if info, err := s.Stat(path.Join(folder, path.Base(folder))); err == nil && info.IsDir() {
			return folder
		}
	}
	return ""
}

// The sample of images whose headers are read before all of them are.
const (
	sampleImages = 64
	// A box may reach beyond its image by a tenth of it, as some boxes of detectors do.
	boxSlack = 10
)

// checkResolution compares the sizes of some images with what the lists are for. In-Shop images that are
// larger than those of the lists are of high resolution whatever their folder is called, and have no
// boxes. It is an error where many boxes reach beyond their images, or where images of another set are
// larger than published.
func (s *sources) checkResolution(ctx context.Context, layout *Layout, rows []*Row, precropped bool) error {
	var large, beyond, boxes, seen int
	var firstLarge, firstBeyond string
	n := min(sampleImages, len(rows))
	for k := range n {
		r := rows[(2*k+1)*len(rows)/(2*n)]
		width, height, err := s.size(r)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			continue // it is read again, and put into quarantine
		}
		seen++
		if layout.most > 0 && max(width, height) > layout.most {
			if large++; large == 1 {
				firstLarge = fmt.Sprintf("%s of %d x %d", r.File, width, height)
			}
		}
		if r.Box == nil {
			continue
		}
		if boxes++; r.Box.X1 > width+width/boxSlack+1 || r.Box.Y1 > height+height/boxSlack+1 {
			if beyond++; beyond == 1 {
				firstBeyond = fmt.Sprintf("%s: box to %d,%d in %s of %d x %d pixels", r.Line, r.Box.X1, r.Box.Y1, r.File, width, height)
			}
		}
	}
	switch {
	case 2*large > seen && layout.Set == "inshop":
		layout.highRes()
		return nil
	case 2*large > seen:
		return fmt.Errorf("images are larger than the published ones, whose sides have at most %d pixels and which the boxes are for: %s; "+
			"want the images as published, or --custom NAME", layout.most, firstLarge)
	case 4*beyond > boxes && beyond > 1 && !precropped:
		return fmt.Errorf("%d of %d boxes reach beyond their images, such as %s: the images are smaller than those that the boxes are for; "+
			"want the images as published, or say with --precropped that they are cropped to their boxes", beyond, boxes, firstBeyond)
	}
	return nil
}

// size returns the size of an image in its file, from its header.
func (s *sources) size(r *Row) (width, height int, err error) {
	f, _, err := s.open(r)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	b := bufio.NewReader(f)
	head, _ := b.Peek(8) // a short one is no image
	c, _, known := codecOf(head)
	if !known {
		return 0, 0, errors.New("no image")
	}
	var config image.Config
	config, err = c.config(b)
	return config.Width, config.Height, err
}

// highRes notes that the images of In-Shop are of high resolution, so that its boxes are not used.
func (l *Layout) highRes() {
	l.HighRes, l.most = true, 0
	boxes := slices.ContainsFunc(l.Rows, func(r Row) bool { return r.Box != nil })
	images, rest, _ := strings.Cut(l.Found, ", ")
	l.Found = images + " (high resolution)"
	if rest != "" {
		l.Found += ", " + rest
	}
	if boxes {
		l.Found += ", boxes not used: they refer to the 256x256 images"
	}
	for i := range l.Rows {
		l.Rows[i].Box = nil
	}
}
