package datasets

import "testing"

// The miniature sets go through everything in each of the five layouts: lists, boxes, files,
// Verify.
func TestIngestMini(t *testing.T) {
	raw := t.TempDir()
	if err := WriteMini(t.Context(), raw, MiniOptions{Seed: 1, Classes: 3, Images: 2}); err != nil {
		t.Fatal(err)
	}
	for _, set := range Published() {
		t.Run(set.Name, func(t *testing.T) {
			o := DefaultIngestOptions()
			o.Raw, o.Out, o.Custom = raw, t.TempDir(), MiniRelease
			if set.Name == "cub" || set.Name == "cars196" {
				o.Crop = CropBox
			}
			m, dir, err := Ingest(t.Context(), set, o)
			if err != nil {
				t.Fatal(err)
			}
			if m.Subset || m.Classes["train"] != 3 || m.Rows < 12 {
				t.Errorf("manifest is %+v", m)
			}
			report, err := Verify(t.Context(), dir, nil)
			if err != nil || report.Images != m.Rows {
				t.Errorf("verified %d of %d images: %v", report.Images, m.Rows, err)
			}
			d, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			for _, p := range set.Protocols {
				query, gallery := Test, Test
				if p.Kind == KindQueryGallery {
					query, gallery = Query, Gallery
				}
				if len(d.Rows(query)) == 0 || len(d.Rows(gallery)) == 0 {
					t.Errorf("%s has nothing to search", p.ID)
				}
			}
		})
	}
}
