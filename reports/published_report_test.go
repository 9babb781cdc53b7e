package reports

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bierbench/reports/internal/table"
	"bierbench/runs"
)

func TestPublishedProtocol(t *testing.T) {
	for _, c := range []struct{ protocol, as, reason string }{
		{"cub-loo", "cub-loo", ""},
		{"cub-loo+box", "cub-loo+box", ""},
		{"cub-loo+box+subset", "cub-loo+box", "only a part"},
		{"sop-loo+grocery", "", "custom lists (+grocery)"},
		{"cub-loo+box+subset+mini", "", "custom lists (+mini)"},
		{"inshop-qg+highres", "inshop-qg", "the images are of high resolution"},
		{"cub-validation+box", "", "classes held out"},
		{"vehicleid-2400-1gallery", "vehicleid-2400-1gallery", ""},
	} {
		as, reason := publishedProtocol(c.protocol)
		if as != c.as || !strings.HasPrefix(reason, c.reason) || (reason == "") != (c.reason == "") {
			t.Errorf("%s: %q %q, want %q %q", c.protocol, as, reason, c.as, c.reason)
		}
	}
}

// publishedSample is an invented run with every way to stand beside what is published: method,
// backbone, mode, size, protocol, and R@1 of each seed.
func publishedSample() loadedRun {
	s := loadedRun{
		record: runs.Record{Schema: runs.Schema, ID: "sample", Suite: "invented", Created: noon()},
		steps:  map[runs.Key][]runs.TrainStep{},
	}
	for _, x := range []struct {
		dataset, variant, protocol, backbone, mode, method, at string
		size                                                   int
		r1                                                     []float64
	}{
		{"cub", "official", "cub-loo", "googlenet", "finetune", "bier", runs.AtLast, 512, []float64{0.558, 0.560, 0.559}},
		{"cub", "official", "cub-loo", "googlenet", "finetune", "baseline", runs.AtLast, 512, []float64{0.508}},
		{"cub", "official", "cub-loo", "googlenet", "finetune", "abier", runs.AtLast, 512, []float64{0.56, 0.60, 0.58}},
		{"cub", "official", "cub-loo", "googlenet", "finetune", "histogram", runs.AtPeek, 512, []float64{0.5}},
		{"cub", "official", "cub-loo", "googlenet", "frozen", "margin", runs.AtLast, 512, []float64{0.4}},
		{"cub", "official", "cub-loo", "googlenet", "finetune", "triplet", runs.AtLast, 64, []float64{0.4}},
		{"cub", "official", "cub-loo", "lite0", "finetune", "soft-triple", runs.AtLast, 512, []float64{0.4}},
		{"cub", "official", "cub-loo", "lite0", "finetune", evilMethod, runs.AtLast, 512, []float64{0.4}},
		{"cub", "official+box", "cub-loo+box+subset", "googlenet", "finetune", "bier", runs.AtLast, 512, []float64{0.8}},
		{"cub", "held out", "cub-validation", "googlenet", "finetune", "bier", runs.AtLast, 512, []float64{0.8}},
		{"sop", "grocery", "sop-loo+grocery", "googlenet", "finetune", "bier", runs.AtLast, 512, []float64{0.8}},
	} {
		for seed, r1 := range x.r1 {
			k := runs.Key{Seed: seed, Group: runs.Group{
				Dataset: x.dataset, Variant: x.variant, Backbone: x.backbone, Mode: x.mode, Method: x.method, Size: x.size,
			}}
			if !slices.Contains(s.record.Cells, k) {
				s.record.Cells = append(s.record.Cells, k)
			}
			e := runs.Evaluation{
				Protocol: x.protocol, At: x.at, TestHash: digest(x.protocol), Queries: 100, Gallery: 100,
				Metrics: map[string]float64{"R@1": r1, "R@2": r1 + 0.1}, Bounds: map[string][2]float64{},
			}
			if x.method == "bier" {
				e.Bounds["R@2"] = [2]float64{r1 - 0.1, r1 + 0.1} // collapsed
			}
			s.cells = append(s.cells, runs.Cell{Schema: runs.Schema, Key: k, Status: runs.Done, Started: noon(), Evaluations: []runs.Evaluation{e}})
		}
	}
	return s
}

// invented is a table of published results; no number in it was published.
const invented = publishedStart +
	"cub,cub-loo,,none,BIER,bier,GoogLeNet,512,R@1,0.553,yes,a paper,\n" +
	"cub,cub-loo,,none,BIER,bier,GoogLeNet,512,R@2,0.65,yes,a paper,\n" +
	"cub,cub-loo,,none,single learner,baseline,GoogLeNet,512,R@1,0.518,no,a paper,\n" +
	"cub,cub-loo,,none,A-BIER,abier,GoogLeNet,512,R@1,0.575,yes,a paper,mean of 3\n" +
	"cub,cub-loo,,none,A-BIER by others,abier,GoogLeNet,512,R@1,0.62,yes,their paper,\n" +
	"cub,cub-loo,,none,Histogram,histogram,GoogLeNet,512,R@1,0.5,yes,a paper,\n" +
	"cub,cub-loo,,none,Margin,margin,GoogLeNet,512,R@1,0.5,yes,a paper,\n" +
	"cub,cub-loo,,none,Triplet,triplet,GoogLeNet,512,R@1,0.5,yes,a paper,\n" +
	"cub,cub-loo,,none,SoftTriple,soft-triple,ResNet-50,512,R@1,0.5,yes,a paper,\n" +
	"cub,cub-loo,,none,<script>alert(1)</script>,,GoogLeNet,,R@1,0.4,yes,\"\"\"><img onerror=x> a|b\",`code`\n" +
	"cub,cub-loo,,none,Another,,ViT,384,R@1,0.9,no,a table,\n" +
	"cub,cub-loo,,none,One more,,ViT,384,R@1,0.91,yes,a table,\n" +
	"cub,cub-loo+box,,box,BIER,bier,GoogLeNet,512,R@1,0.637,no,a paper,\n" +
	"cub,,another half of the classes,none,<img onerror=x>,,GoogLeNet,512,R@1,0.7,yes,a table,\n" +
	"sop,sop-loo,,none,BIER,bier,GoogLeNet,512,R@1,0.727,no,a paper,\n"

func publishedReport(t *testing.T, tolerance *float64) *Report {
	t.Helper()
	o := sampleOptions()
	var err error
	if o.Published, err = parsePublished("invented.csv", []byte(invented)); err != nil {
		t.Fatal(err)
	}
	o.Tolerance = tolerance
	return assemble([]loadedRun{publishedSample()}, o)
}

func TestPublishedVerdicts(t *testing.T) {
	tolerance := 0.01
	p := publishedReport(t, &tolerance).Published
	var got []string
	for _, c := range p.Comparisons {
		reason, _, _ := strings.Cut(c.Reason, ":")
		got = append(got, fmt.Sprintf("%s %s %s: %s %v %s", c.Group.Method, c.Metric, c.Method, c.Verdict, c.Unsure, reason))
	}
	want := []string{
		"bier R@1 BIER: reproduces false ", // 0.559, within [0.5565, 0.5615], against 0.553
		"bier R@2 BIER:  false collapsed",
		"baseline R@1 single learner: reproduces false ", // 0.508 against 0.518: just the tolerance; no interval
		"abier R@1 A-BIER: reproduces true ",             // 0.58 in [0.53, 0.63] against 0.575
		"abier R@1 A-BIER by others: does not reproduce true ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("verdicts\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	reasons := map[string]string{}
	for _, n := range p.Without {
		for _, m := range n.Methods {
			reasons[n.Protocol+" "+m] = n.Reason
		}
	}
	for what, part := range map[string]string{
		"cub-loo histogram": "peek", "cub-loo margin": "frozen here", "cub-loo triplet": "other embedding sizes",
		"cub-loo soft-triple":   "other backbones",
		"cub-loo " + evilMethod: "nothing is published of the method", "cub-loo+box+subset bier": "+subset", "cub-validation bier": "held out",
		"sop-loo+grocery bier": "(+grocery)",
	} {
		if !strings.Contains(reasons[what], part) {
			t.Errorf("%s has no verdict because %q, want %q", what, reasons[what], part)
		}
		delete(reasons, what)
	}
	if len(reasons) > 0 {
		t.Errorf("no verdict on %v", reasons)
	}

	if none := publishedReport(t, nil).Published; slices.ContainsFunc(none.Comparisons,
		func(c PublishedComparison) bool { return c.Verdict != "" || c.Reason != "" }) {
		t.Error("there are verdicts without a tolerance")
	}
	zero := 0.0
	for _, c := range publishedReport(t, &zero).Published.Comparisons {
		if c.Verdict == Reproduces {
			t.Errorf("%+v with a tolerance of nothing", c)
		}
	}
}

// The same cells in two runs are told apart by the run.
func TestPublishedRuns(t *testing.T) {
	o := sampleOptions()
	var err error
	if o.Published, err = parsePublished("invented.csv", []byte(invented)); err != nil {
		t.Fatal(err)
	}
	again := publishedSample()
	again.record.ID = "again"
	for _, c := range []struct {
		sources []loadedRun
		rows    int
		runs    bool
	}{{[]loadedRun{publishedSample()}, 5, false}, {[]loadedRun{publishedSample(), again}, 10, true}} {
		compared := assemble(c.sources, o).Published.comparisons()
		last := compared.Columns[len(compared.Columns)-1].Name
		if len(compared.Rows) != c.rows || (last == "Run") != c.runs {
			t.Errorf("%d runs: %d rows and the last column %q", len(c.sources), len(compared.Rows), last)
		}
	}
}

// The border belongs to the tolerance, whatever the last digits of the fractions.
func TestPublishedBorder(t *testing.T) {
	for _, c := range []struct {
		mean, low, high, published, tolerance float64
		verdict                               string
		unsure                                bool
	}{
		{0.58, 0.58, 0.58, 0.57, 0.01, Reproduces, false},
		{0.57, 0.57, 0.57, 0.58, 0.01, Reproduces, false},
		{0.5801, 0.5801, 0.5801, 0.57, 0.01, NotReproduced, false},
		{0.575, 0.50, 0.65, 0.575, 0, Reproduces, true},
		{0.60, 0.55, 0.65, 0.575, 0.01, NotReproduced, true},    // the interval has the published number
		{0.60, 0.586, 0.614, 0.575, 0.01, NotReproduced, false}, // it does not reach
		{0.55, 0.536, 0.564, 0.575, 0.01, NotReproduced, false},
		{0.55, 0.535, 0.565, 0.575, 0.01, NotReproduced, true}, // it just does
	} {
		b := &PublishedReport{Tolerance: &c.tolerance}
		m := Metric{Name: recallAt1, Summary: runs.Summary{Seeds: []int{0, 1}, Mean: c.mean, Low: c.low, High: c.high}}
		got := b.comparison(Result{}, m, PublishedLine{}, c.published)
		if got.Verdict != c.verdict || got.Unsure != c.unsure || math.Abs(got.Difference-(c.mean-c.published)) > 1e-12 {
			t.Errorf("%+v: %s, unsure %v", c, got.Verdict, got.Unsure)
		}
	}
}

func TestPublishedGolden(t *testing.T) {
	tolerance := 0.01
	r := publishedReport(t, &tolerance)
	block := func(w io.Writer) error {
		pages, err := templates()
		if err != nil {
			return err
		}
		return pages.ExecuteTemplate(w, "published", r.Published.view())
	}
	tables := func(write func(*table.Table, io.Writer) error) func(io.Writer) error {
		return func(w io.Writer) error { return writeSeparated(w, r.Published.tables(), write) }
	}
	for name, write := range map[string]func(io.Writer) error{
		"published.html": block, "published.csv": r.Published.CSV, "published.txt": r.Text,
		"published.md": tables((*table.Table).Markdown), "published.tex": tables((*table.Table).LaTeX),
		"published.json": func(w io.Writer) error { return writeJSON(w, r.Published) },
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, write) })
	}
}

// The block is in every format and its data is text in all of them.
func TestPublishedIsText(t *testing.T) {
	tolerance := 0.01
	r := publishedReport(t, &tolerance)
	for name, write := range map[string]func(io.Writer) error{"html": r.HTML, "md": r.Markdown, "tex": r.LaTeX, "json": r.JSON} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		page := b.String()
		if !strings.Contains(page, "A-BIER by others") || !strings.Contains(page, "does not reproduce") {
			t.Errorf("%s has no published results or no verdict", name)
		}
		if name != "json" {
			for _, bad := range []string{"<script>alert", "<img", "a|b"} {
				if strings.Contains(page, bad) && (name != "html" || bad != "a|b") {
					t.Errorf("%s has %q", name, bad)
				}
			}
		}
	}
	empty := assemble([]loadedRun{{record: publishedSample().record}}, Options{Published: &Published{Date: "2026-03-01"}})
	if empty.Published != nil {
		t.Error("a report without a result has a block of published ones")
	}
}

// A run like the papers' on all five data sets and their whole test sets shows hundreds of
// published numbers; the page has 3 MB for all that it shows.
func TestPublishedRoom(t *testing.T) {
	o := sampleOptions()
	var err error
	if o.Published, err = LoadPublished(); err != nil {
		t.Fatal(err)
	}
	s := loadedRun{
		record: runs.Record{Schema: runs.Schema, ID: "sample", Suite: "invented", Created: noon()},
		steps:  map[runs.Key][]runs.TrainStep{},
	}
	for _, protocol := range []string{"cub-loo", "cars196-loo", "sop-loo", "inshop-qg", "vehicleid-800-loo"} {
		dataset, _, _ := strings.Cut(protocol, "-")
		for _, method := range []string{"baseline", "bier", "bier-activation", "abier"} {
			k := runs.Key{Group: runs.Group{
				Dataset: dataset, Variant: "official", Backbone: "googlenet", Mode: "finetune",
				Method: method, Size: 512,
			}}
			s.record.Cells = append(s.record.Cells, k)
			s.cells = append(s.cells, runs.Cell{Schema: runs.Schema, Key: k, Status: runs.Done, Started: noon(), Evaluations: []runs.Evaluation{{
				Protocol: protocol, At: runs.AtLast, TestHash: digest(protocol), Queries: 100, Gallery: 100, Metrics: map[string]float64{"R@1": 0.5},
			}}})
		}
	}
	r := assemble([]loadedRun{s}, o)
	pages, err := templates()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, "published", r.Published.view()); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 150_000 {
		t.Errorf("the block has %d bytes", b.Len())
	}
	// On CUB the papers' four are there, of which abier, baseline and both starts of bier have a
	// number at 512; VehicleID's have no protocol.
	var got []string
	for _, c := range r.Published.Comparisons {
		if c.Group.Dataset == "cub" || c.Group.Dataset == "vehicleid" {
			got = append(got, fmt.Sprintf("%s %s %g", c.Protocol, c.Group.Method, c.Published))
		}
	}
	want := []string{
		"cub-loo baseline 0.518", "cub-loo bier 0.5441", "cub-loo bier-activation 0.553", "cub-loo bier-activation 0.5533", "cub-loo abier 0.575",
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("no comparison %s in %v", w, got)
		}
	}
	if slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "vehicleid") }) {
		t.Errorf("VehicleID is compared: %v", got)
	}
}

// A report without published results near to it takes an older report's away.
func TestPublishedStale(t *testing.T) {
	r := assemble([]loadedRun{sample()}, sampleOptions())
	if n := len(r.Published.shown()); n > 0 {
		t.Fatalf("the sample has %d tables of published results, want none", n)
	}
	dir := t.TempDir()
	old := filepath.Join(dir, publishedName)
	if err := os.WriteFile(old, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing to remove
		if _, err := r.Write(dir); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(old); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v, want that it is gone", publishedName, err)
		}
	}
}
