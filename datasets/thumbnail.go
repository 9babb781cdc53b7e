package datasets

import "fmt"

// Thumbnail returns the whole image of row i as a JPEG of the given quality, 1 to 100, reduced so
// that its longest side is at most side pixels.
func (d *Dataset) Thumbnail(i, side, quality int) (jpeg []byte, width, height int, err error) {
	r, err := d.decodeRow(i)
	if err != nil {
		return nil, 0, 0, err
	}
	width, height = r.width, r.height
	if longest := max(width, height); longest > side {
		width, height = scaleLength(width, side, longest), scaleLength(height, side, longest)
	}
	jpeg, err = encodeJPEG(resample(r, width, height, Box{0, 0, width, height}), width, height, quality)
	if err != nil {
		return nil, 0, 0, fmt.Errorf("thumbnail of row %d (%s): %w", i, d.Name(i), err)
	}
	return jpeg, width, height, nil
}

// decodeRow reads and decodes row i's stored image.
func (d *Dataset) decodeRow(i int) (raster, error) {
	data, err := d.Image(i)
	if err != nil {
		return raster{}, err
	}
	r, err := d.decodeStored(data)
	if err != nil {
		return raster{}, fmt.Errorf("%s: row %d (%s): %w", d.Manifest.Parts[d.rows[i].part].Name, i, d.rows[i].row.Name, err)
	}
	return r, nil
}
