package datasets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// folder is a set of class folders, as torchvision's ImageFolder and Hugging Face's imagefolder read
// them: an image is of the class whose folder it lies in, at any depth. Folders called train, test or
// validation, query and gallery may lie above the class folders.
func folder() Set { return ownSet("folder", "class folders", readClassFolders) }

// A folderReader holds what was found so far.
type folderReader struct {
	source *Source
	rows   []ownRow
}

// readClassFolders reads the folder o.Raw.
func readClassFolders(ctx context.Context, o IngestOptions) (*Layout, *Source, error) {
	src, err := OpenSource(ctx, o.Raw, o.Out, o.FollowLinks)
	if err != nil {
		return nil, nil, err
	}
	layout, err := layoutOfFolder(ctx, src, o)
	if err != nil {
		return nil, nil, errors.Join(err, src.Close())
	}
	return layout, src, nil
}

// layoutOfFolder reads the names of the folders and files in a source.
func layoutOfFolder(ctx context.Context, src *Source, o IngestOptions) (*Layout, error) {
	r := &folderReader{source: src}
	tops, images, err := r.list(".")
	if err != nil {
		return nil, err
	}
	if len(images) > 0 {
		return nil, fmt.Errorf("%s lies in no class folder; want %s with a folder for each class, in it their images",
			filepath.Join(o.Raw, images[0]), o.Raw)
	}
	splits, found, err := r.splitFolders(tops)
	if err != nil {
		return nil, err
	}
	if err = r.collect(ctx, tops, splits); err != nil {
		return nil, err
	}
	slices.SortFunc(r.rows, func(a, b ownRow) int { return strings.Compare(a.file, b.file) })
	layout, err := ownLayout(ctx, "folder", o, r.rows)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Raw, err)
	}
	layout.Root, layout.Found = o.Raw, found
	return layout, nil
}

// collect collects the images of all class folders: of those in tops, or those in the folders in tops
// where these are splits.
func (r *folderReader) collect(ctx context.Context, tops []string, splits map[string]string) error {
	if splits == nil {
		return r.classes(ctx, tops, "")
	}
	for _, top := range tops {
		classes, _, err := r.list(top)
		if err != nil {
			return err
		}
		if err = r.classes(ctx, classes, splits[top]); err != nil {
			return err
		}
	}
	return nil
}

// splitFolders returns the split of each top folder, and the layout in words. It returns nil where the
// top folders are classes: a folder called train that holds images and no folders is one of trains.
func (r *folderReader) splitFolders(tops []string) (map[string]string, string, error) {
	splits := map[string]string{}
	var others []string
	for _, top := range tops {
		word := splitWord(top)
		if word != "" {
			below, images, err := r.list(top)
			if err != nil {
				return nil, "", err
			}
			if len(below) == 0 || len(images) > 0 {
				word = ""
			}
		}
		if word == "" {
			others = append(others, top)
			continue
		}
		splits[top] = word
	}
	switch {
	case len(splits) == 0:
		return nil, "class folders", nil
	case len(others) == 0:
		return splits, "class folders in " + strings.Join(tops, ", "), nil
	}
	for _, top := range tops {
		if splits[top] != "" {
			return nil, "", fmt.Errorf("%s holds class folders, as a split does, but %s beside it is no split; want class folders, "+
				"or above them nothing but train, test, query and gallery", r.source.Path(top), others[0])
		}
	}
	return nil, "", nil
}

// classes collects the images of class folders, which are slash paths.
func (r *folderReader) classes(ctx context.Context, folders []string, split string) error {
	for _, dir := range folders {
		if err := r.walk(ctx, dir, path.Base(dir), split, nil); err != nil {
			return err
		}
	}
	return nil
}

// walk collects the images of a class in a folder and those below it. above are the folders that it
// lies in, so that a link to one of them does not lead in a circle.
func (r *folderReader) walk(ctx context.Context, dir, class, split string, above []fs.FileInfo) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	info, err := r.source.Stat(dir)
	if err != nil {
		return err
	}
	for _, a := range above {
		if os.SameFile(a, info) {
			return fmt.Errorf("%s is a link to a folder that it lies in", r.source.Path(dir))
		}
	}
	below, images, err := r.list(dir)
	if err != nil {
		return err
	}
	for _, name := range images {
		r.rows = append(r.rows, ownRow{place: name, file: name, name: name, label: class, number: -1, split: split})
	}
	for _, sub := range below {
		if err = r.walk(ctx, sub, class, split, append(slices.Clip(above), info)); err != nil {
			return err
		}
	}
	return nil
}

// list returns the folders and the images in a folder as slash paths, sorted by their bytes. The receipt
// counts what is neither.
func (r *folderReader) list(dir string) (folders, images []string, err error) {
	entries, err := r.source.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		if isHidden(e.Name()) {
			continue
		}
		isDir, isFile := e.IsDir(), e.Type().IsRegular()
		if e.Type()&fs.ModeSymlink != 0 {
			info, err := r.source.Stat(name)
			switch {
			case err == nil:
				isDir, isFile = info.IsDir(), info.Mode().IsRegular()
			case !isMissing(err):
				return nil, nil, err
			default:
				isFile = true // it leads nowhere: an image that is missing
			}
		}
		if badPath(name) != "" || strings.ContainsFunc(name, isControl) {
			return nil, nil, fmt.Errorf("%s: the name %s cannot be read; rename it", r.source.Path(dir), quote(e.Name()))
		}
		switch {
		case isDir:
			folders = append(folders, name)
		case isFile && r.isImage(name):
			images = append(images, name)
		}
	}
	return folders, images, nil
}

// isImage reports whether a file is one by the ending of its name or, where that says nothing, by its
// first bytes. Formats that are not read count too: it is quarantined, and so not lost without a word.
func (r *folderReader) isImage(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".avif", ".heic", ".jp2":
		return true
	}
	f, _, err := r.source.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	var head [8]byte
	n, _ := io.ReadFull(f, head[:]) // a shorter one is no image
	_, _, known := codecOf(head[:n])
	return known
}

// isHidden reports whether a file or a folder was left by another program: by Finder, by the Explorer,
// by git. No image of a data set has such a name.
func isHidden(name string) bool {
	switch strings.ToLower(name) {
	case "__macosx", "thumbs.db", "desktop.ini":
		return true
	}
	return strings.HasPrefix(name, ".")
}
