package datasets

import (
	"testing"
)

func TestIngestOptionsValidate(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*IngestOptions)
		want   string // "": fine
	}{
		"defaults":                            {func(*IngestOptions) {}, ""},
		"no folder":                           {func(o *IngestOptions) { o.Raw = "" }, "raw: want"},
		"no workspace":                        {func(o *IngestOptions) { o.Out = "" }, "out: want"},
		"unknown crop":                        {func(o *IngestOptions) { o.Crop = "middle" }, `crop: want none or box, got "middle"`},
		"unknown store":                       {func(o *IngestOptions) { o.Store = "png" }, `store: want jpeg or rgb, got "png"`},
		"size":                                {func(o *IngestOptions) { o.Size = 0 }, "size: want 32 to 4096 pixels, got 0"},
		"workers":                             {func(o *IngestOptions) { o.Workers = 0 }, "workers: want at least 1, got 0"},
		"quarantine":                          {func(o *IngestOptions) { o.MaxQuarantine = 2 }, "max-quarantine: want a share from 0 to 1, got 2"},
		"cropped twice":                       {func(o *IngestOptions) { o.Precropped, o.Crop = true, CropBox }, "cannot be cropped to their box again"},
		"raw pixels unpadded":                 {func(o *IngestOptions) { o.Store = StoreRGB }, "rgb needs --pad"},
		"raw pixels":                          {func(o *IngestOptions) { o.Store, o.Pad = StoreRGB, true }, ""},
		"a name that leads out of the folder": {func(o *IngestOptions) { o.Custom = "../x" }, "custom: want up to 32 letters"},
		"a name with the separator":           {func(o *IngestOptions) { o.Custom = "a+b" }, "custom: want up to 32 letters"},
		"a published name":                    {func(o *IngestOptions) { o.Custom = "Official" }, `custom: "Official" is taken`},
		"a folder of the source":              {func(o *IngestOptions) { o.Custom = "testdata" }, `custom: "testdata" is taken`},
		"a name":                              {func(o *IngestOptions) { o.Custom = "grocery-2" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := DefaultIngestOptions()
			o.Raw, o.Out = "raw", "out"
			c.change(&o)
			err := o.Validate()
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantError(t, err, c.want)
		})
	}
}

func TestVariant(t *testing.T) {
	for want, o := range map[string]Options{ // the names of design and README
		"official-s256-jpeg":        {Crop: CropNone, Size: 256, Store: StoreJPEG},
		"official+box-s256-jpeg":    {Crop: CropBox, Size: 256, Store: StoreJPEG},
		"official+box+pad-s128-rgb": {Precropped: true, Pad: true, Size: 128, Store: StoreRGB},
	} {
		if got := o.variant("official"); got != want {
			t.Errorf("variant is %s, want %s", got, want)
		}
	}
	m := Manifest{Subset: true, Options: Options{Custom: "grocery", Precropped: true}}
	if got := m.ProtocolSuffix(); got != "+box+subset+grocery" {
		t.Errorf("suffix is %s", got)
	}
}
