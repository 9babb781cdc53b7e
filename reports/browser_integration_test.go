//go:build integration

package reports

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"bierbench/runs"
)

// TestIntegrationBrowser opens pages of every kind in a browser, and uses them.
func TestIntegrationBrowser(t *testing.T) {
	b := startBrowser(t)
	t.Run("headings", func(t *testing.T) { repeatsHeadings(t, b) })
	for _, p := range hostilePages(t) {
		t.Run(p.name, func(t *testing.T) {
			t.Run("opens", func(t *testing.T) { opens(t, b, p) })
			t.Run("narrow", func(t *testing.T) { narrow(t, b, p) })
			t.Run("keyboard", func(t *testing.T) { opensByKey(t, b, p) })
			t.Run("sorts", func(t *testing.T) { sorts(t, b, p) })
			t.Run("filters", func(t *testing.T) { filters(t, b, p) })
			t.Run("prints", func(t *testing.T) { prints(t, b, p) })
			t.Run("axe", func(t *testing.T) { accessible(t, b, p) })
		})
	}
}

// opens checks that data are text, that charts are there, and that the page takes the colours of
// the desk.
func opens(t *testing.T, b browser, of page) {
	t.Helper()
	p := b.open(t, of.path, desk())
	if ask[bool](t, p, `"hacked" in window || document.querySelectorAll("img, script").length !== 1`) {
		t.Error("data of the page ran, or are elements of it")
	}
	text := ask[string](t, p, `document.querySelectorAll("details").forEach((d) => d.open = true), document.body.innerText`)
	for _, want := range of.shows {
		if !strings.Contains(text, want) {
			t.Errorf("%q is nowhere to be read", want)
		}
	}
	charts := ask[[][]float64](t, p, `[...document.querySelectorAll("svg.chart")].map((s) => { const b = s.getBoundingClientRect(); return [b.width, b.height]; })`)
	for i, size := range charts {
		if size[0] < 200 || size[1] < 100 {
			t.Errorf("chart %d is %v by %v pixels", i+1, size[0], size[1])
		}
	}
	if want := map[string]int{"report": 10, "diff": 2, "trend": 2}[of.name]; len(charts) < want {
		t.Errorf("%d charts, want at least %d", len(charts), want)
	}
	finds(t, p, "text of a chart out of its frame", `[...document.querySelectorAll("svg.chart")].flatMap((s) => {
		const frame = s.getBoundingClientRect();
		return [...s.querySelectorAll("text")].filter((x) => {
			const b = x.getBoundingClientRect();
			return b.width && (b.left < frame.left - 1 || b.right > frame.right + 1 || b.top < frame.top - 1 || b.bottom > frame.bottom + 1);
		}).map((x) => x.textContent);
	})`)
	paper := `getComputedStyle(document.body).backgroundColor`
	dark := desk()
	dark.scheme = "dark"
	if light, night := ask[string](t, p, paper), ask[string](t, b.open(t, of.path, dark), paper); light == night {
		t.Errorf("the page is %s in the light and in the dark", light)
	}
}

// narrow checks that a telephone scrolls tables, and not the page.
func narrow(t *testing.T, b browser, of page) {
	t.Helper()
	g := desk()
	g.width = 390
	p := b.open(t, of.path, g)
	ask[any](t, p, `void document.querySelectorAll("details").forEach((d) => d.open = true)`)
	if w := ask[int](t, p, `document.documentElement.scrollWidth`); w > 390 {
		t.Errorf("the page is %d pixels wide", w)
	}
	finds(t, p, "scrolls, but not by keyboard", `[...document.querySelectorAll("body *")].filter((e) =>
		e.scrollWidth > e.clientWidth + 1 && ["auto", "scroll"].includes(getComputedStyle(e).overflowX) && e.tabIndex < 0).map((e) => e.outerHTML.slice(0, 80))`)
	finds(t, p, "out of the page", `[...document.querySelectorAll("body *")].filter((e) =>
		!e.closest(".scroll, pre, .skip, svg, .single > .block > h3, .single > h3") && e.getBoundingClientRect().right > 391).map((e) => e.outerHTML.slice(0, 80))`)
}

// opensByKey opens what is folded, by keyboard alone.
func opensByKey(t *testing.T, b browser, of page) {
	t.Helper()
	p := b.open(t, of.path, desk())
	for i := range ask[int](t, p, `document.querySelectorAll("details").length`) {
		is := fmt.Sprintf(`document.querySelectorAll("details")[%d]`, i)
		ask[any](t, p, is+`.querySelector("summary").focus()`)
		p.do(t, chromedp.KeyEvent(kb.Enter))
		if !ask[bool](t, p, is+`.open && `+is+`.lastElementChild.checkVisibility()`) {
			t.Errorf("fold %d does not open", i+1)
		}
	}
}

// sorts sorts the first table with something to sort, by mouse and by key.
func sorts(t *testing.T, b browser, of page) {
	t.Helper()
	p := b.open(t, of.path, desk())
	const table = `[...document.querySelectorAll("table.sortable")].find((t) => t.checkVisibility() && t.querySelector("th button") &&
		new Set([...t.tBodies[0].rows].map((r) => r.cells[0].dataset.sort)).size > 1)`
	if !ask[bool](t, p, `!!`+table) {
		if of.name == "report" || of.name == "diff" || of.name == "trend" {
			t.Error("no table sorts")
		}
		return
	}
	ask[any](t, p, `void (window.sorted = `+table+`)`)
	const order = `[...sorted.tBodies[0].rows].map((r) => r.cells[0].dataset.sort)`
	const state = `sorted.tHead.rows[0].cells[0].getAttribute("aria-sort")`
	original := ask[[]string](t, p, order)
	place := ask[[]float64](t, p, `(() => { const b = sorted.querySelector("th button"); b.scrollIntoView({block: "center"});
		const r = b.getBoundingClientRect(); return [r.left + r.width / 2, r.top + r.height / 2]; })()`)
	first := ask[string](t, p, `sorted.tHead.rows[0].cells[0].classList.contains("number") ? "descending" : "ascending"`)
	if first != "ascending" {
		t.Fatal("the first column of a table is one of numbers")
	}
	p.do(t, chromedp.MouseClickXY(place[0], place[1]))
	up := ask[[]string](t, p, order)
	// The page's collation is the browser's, not that of Go: only the sets and the ends can be told
	// here, and that the other direction is the reverse.
	if got := ask[*string](t, p, state); got == nil || *got != "ascending" {
		t.Errorf("a click makes the order %v, want ascending", got)
	}
	ask[any](t, p, `sorted.querySelector("th button").focus()`)
	p.do(t, chromedp.KeyEvent(kb.Enter))
	down := ask[[]string](t, p, order)
	if got := ask[*string](t, p, state); got == nil || *got != "descending" {
		t.Errorf("the key makes the order %v, want descending", got)
	}
	distinct := func(list []string) []string { return slices.Compact(slices.Clone(list)) }
	reversed := distinct(down)
	slices.Reverse(reversed)
	if !slices.Equal(distinct(up), reversed) || slices.Equal(up, down) {
		t.Errorf("upwards %q, downwards %q", up, down)
	}
	p.do(t, chromedp.KeyEvent(" "))
	if got := ask[*string](t, p, state); got != nil || !slices.Equal(ask[[]string](t, p, order), original) {
		t.Errorf("the third time the rows are not as they were: %v", got)
	}
}

// filters chooses every data set and every method in turn.
func filters(t *testing.T, b browser, of page) {
	t.Helper()
	p := b.open(t, of.path, desk())
	choices := ask[[][2]string](t, p, `[...document.querySelectorAll("#filter select")].flatMap((s) => [...s.options].filter((o) => o.value).map((o) => [s.name, o.value]))`)
	if want := of.name == "report" || of.name == "diff" || of.name == "trend"; want && len(choices) < 4 {
		t.Errorf("%d data sets and methods to choose, want two of each", len(choices))
	}
	const shown = `[...document.querySelectorAll("[data-block], tbody tr, svg.chart [data-method]")].filter((e) => e.getBoundingClientRect().height > 0)`
	before := ask[int](t, p, shown+`.length`)
	for _, choice := range choices {
		name, err := json.Marshal(choice)
		if err != nil {
			t.Fatal(err)
		}
		ask[any](t, p, `(() => { const [name, value] = `+string(name)+`; const s = document.querySelector("#filter select[name=" + name + "]");
			s.value = value; s.dispatchEvent(new Event("change", {bubbles: true})); })()`)
		finds(t, p, "shown though "+choice[0]+" is "+choice[1], shown+`.filter((e) => { const [name, value] = `+string(name)+`;
			const of = e.dataset[name]; return of && !of.split("\n").includes(value); }).map((e) => e.outerHTML.slice(0, 120))`)
		finds(t, p, "an empty block is left by "+choice[1], shown+`.filter((e) => e.matches("[data-block]") && e.querySelector("tbody") &&
			![...e.querySelectorAll("tbody tr")].some((r) => !r.hidden)).map((e) => e.textContent.slice(0, 120))`)
		if n := ask[int](t, p, shown+`.length`); n == 0 || n >= before {
			t.Errorf("%s %s shows %d parts of %d", choice[0], choice[1], n, before)
		}
		ask[any](t, p, `(() => { const s = document.querySelector("#filter select[name=`+choice[0]+`]"); s.value = ""; s.dispatchEvent(new Event("change", {bubbles: true})); })()`)
		if n := ask[int](t, p, shown+`.length`); n != before {
			t.Errorf("after %s %s there are %d parts, %d before", choice[0], choice[1], n, before)
		}
	}
}

// printedText prints the text of a file of PDF.
const printedText = `
import sys, pypdf
print("".join("".join(p.extract_text().split()) for p in pypdf.PdfReader(sys.argv[1]).pages))
`

// printed returns the text of a page on paper, without spaces.
func (p *tab) printed(t *testing.T) string {
	t.Helper()
	pdf, err := chromedp.Run(p.ctx, chromedp.PrintToPDF(chromedp.PDFPreferCSSPageSize()))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "page.pdf")
	if err = os.WriteFile(path, pdf, 0o600); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), python(t), "-c", printedText, path)
	c.Stderr = os.Stderr
	text, err := c.Output()
	if err != nil {
		t.Fatalf("read the printed page: %v: install .ci/requirements-browser.txt", err)
	}
	return string(text)
}

// prints checks that what is folded is on paper, and nothing is wider than it.
func prints(t *testing.T, b browser, of page) {
	t.Helper()
	p := b.open(t, of.path, sheet())
	finds(t, p, "cut at the edge of the paper", `[...document.querySelectorAll("figure, svg.chart, table, pre, p, li")].filter((e) =>
		e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML.slice(0, 80) + " " + e.getBoundingClientRect().right)`)
	finds(t, p, "higher than the paper", `[...document.querySelectorAll("figure")].filter((e) => e.getBoundingClientRect().height > 702).map((e) => e.textContent.slice(0, 80))`)
	text := p.printed(t)
	folded := ask[[]string](t, p, `[...document.querySelectorAll("details")].flatMap((d) => {
		d.open = true;
		return [...d.querySelectorAll("figcaption, tbody tr:last-child th, pre span:first-child")].map((e) => e.innerText.replace(/\s+/g, "")).filter((x) => x);
	})`)
	if len(folded) == 0 && (of.name == "report" || of.name == "diff") {
		t.Error("nothing is folded")
	}
	for _, want := range folded {
		if !strings.Contains(text, want) {
			t.Errorf("%q is folded and not printed", want)
		}
	}
}

// repeatsHeadings counts the printed headings of a table that is longer than a page.
func repeatsHeadings(t *testing.T, b browser) {
	t.Helper()
	rows := make([]runs.Comparison, 150)
	for i := range rows {
		rows[i] = sampleDiff().Rows[0]
		rows[i].B.Size = i + 1
	}
	path := filepath.Join(t.TempDir(), "diff.html")
	d := &runs.Diff{Schema: runs.Schema, A: "a", B: "b", Rows: rows, Footnotes: sampleDiff().Footnotes}
	page := render(t, func(w io.Writer) error { return DiffHTML(d, nil, nil, w) })
	if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	text := b.open(t, path, sheet()).printed(t)
	if n := strings.Count(text, "Gained/lost"); n < 2 {
		t.Errorf("the headings of 150 rows are printed %d times, want them on every page", n)
	}
}

// python returns the Python that has axe and pypdf.
func python(t *testing.T) string {
	t.Helper()
	path := os.Getenv("BIERBENCH_PYTHON")
	if path == "" {
		t.Fatal("BIERBENCH_PYTHON names no python with axe_playwright_python and pypdf: run \"task test:integration\"")
	}
	return path
}

// accessible checks a page by the rules of axe, in the light, in the dark, and on a telephone, with
// everything unfolded.
func accessible(t *testing.T, b browser, of page) {
	t.Helper()
	where, err := exec.CommandContext(t.Context(), python(t), "-c",
		`import importlib.util as u; print(u.find_spec("axe_playwright_python").submodule_search_locations[0])`).Output()
	if err != nil {
		t.Fatalf("find axe_playwright_python: %v: install .ci/requirements-browser.txt", err)
	}
	axe, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(where)), "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range []glance{
		{width: 1280, scheme: "light", media: "screen"},
		{width: 1280, scheme: "dark", media: "screen"},
		{width: 390, scheme: "light", media: "screen"},
	} {
		p := b.open(t, of.path, g)
		ask[any](t, p, `void document.querySelectorAll("details").forEach((d) => d.open = true)`)
		ask[any](t, p, "void (() => {"+string(axe)+"})()")
		finds(t, p, fmt.Sprintf("axe, %d pixels, %s", g.width, g.scheme), `axe.run(document, {resultTypes: ["violations"]}).then((r) => {
			if (r.passes.length < 15) return ["only " + r.passes.length + " rules passed"];
			return r.violations.map((v) => v.id + " (" + v.impact + "): " + v.help + ": " + v.nodes.length + " times, as " +
				v.nodes.slice(0, 3).map((n) => n.target + " " + n.html.slice(0, 160) + " " + n.failureSummary.slice(0, 200)).join(" and "));
		})`)
	}
}
