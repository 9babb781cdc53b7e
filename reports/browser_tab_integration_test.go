//go:build integration

package reports

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser is one that runs, for all tabs.
type browser struct{ ctx context.Context }

// startBrowser starts the Chromium that BIERBENCH_CHROMIUM names, or that of PATH, without a
// window. No name resolves in it, so nothing can be fetched.
func startBrowser(t *testing.T) browser {
	t.Helper()
	path := os.Getenv("BIERBENCH_CHROMIUM")
	if path == "" {
		path = "chromium"
	}
	path, err := exec.LookPath(path)
	if err != nil {
		t.Fatalf("find a browser: %v: install Debian's package chromium, or name a Chromium in BIERBENCH_CHROMIUM", err)
	}
	o := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.DisableGPU,
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND"))
	if os.Getuid() == 0 { // Chromium's sandbox refuses root
		o = append(o, chromedp.NoSandbox)
	}
	allocator, stop := chromedp.NewExecAllocator(t.Context(), o...)
	t.Cleanup(stop)
	ctx, closeBrowser := chromedp.NewContext(allocator)
	t.Cleanup(closeBrowser)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return browser{ctx}
}

// tab is a page in the browser.
type tab struct {
	ctx context.Context

	mu       sync.Mutex
	problems []string // what the page complained about, and what it asked for from elsewhere
}

// glance is how a page is looked at.
type glance struct {
	width  int64  // of the window, in pixels
	scheme string // light or dark
	media  string // screen or print
}

// desk is a page on a desk.
func desk() glance { return glance{width: 1280, scheme: "light", media: "screen"} }

// sheet is a page on paper: A4 across less its margins, 273 mm at 96 pixels an inch.
func sheet() glance { return glance{width: 1031, scheme: "light", media: "print"} }

// open opens a file. What goes wrong in the page until the test ends fails it.
func (b browser) open(t *testing.T, path string, g glance) *tab {
	t.Helper()
	p := &tab{}
	limited, cancel := context.WithTimeout(b.ctx, 4*time.Minute)
	t.Cleanup(cancel)
	address := "file://" + path
	ctx, closeTab := chromedp.NewContext(limited, chromedp.WithListener(func(event any) { p.note(event, address) }))
	p.ctx = ctx
	t.Cleanup(func() {
		p.mu.Lock()
		for _, problem := range p.problems {
			t.Errorf("%s: %s", filepath.Base(path), problem)
		}
		p.mu.Unlock()
		closeTab()
	})
	p.do(t)
	call(t, p, network.Enable, network.EnableParams{})
	call(t, p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: g.width, Height: 900, DeviceScaleFactor: 1, Mobile: g.width < 600,
	})
	call(t, p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Media: g.media, Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: g.scheme}},
	})
	p.do(t, chromedp.Navigate(address))
	return p
}

// note keeps what no page may do: errors in the console, exceptions, violations of its policy, and
// requests but that for itself and for data in it.
func (p *tab) note(event any, address string) {
	problem := ""
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		problem = "console: " + string(e.Type)
		for _, a := range e.Args {
			problem += " " + string(a.Value)
		}
	case *runtime.EventExceptionThrown:
		problem = "exception: " + e.ExceptionDetails.Text
	case *log.EventEntryAdded:
		problem = "log: " + e.Entry.Text
	case *network.EventRequestWillBeSent:
		if u := e.Request.URL; u != address && !strings.HasPrefix(u, "data:") {
			problem = "request: " + u
		}
	}
	if problem != "" {
		p.mu.Lock()
		p.problems = append(p.problems, problem)
		p.mu.Unlock()
	}
}

func (p *tab) do(t *testing.T, actions ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		t.Fatal(err)
	}
}

func call[P, R any](t *testing.T, p *tab, command cdp.Command[P, R], parameters P) {
	t.Helper()
	if _, err := chromedp.Call(p.ctx, command, parameters); err != nil {
		t.Fatalf("%s: %v", command.Method, err)
	}
}

// ask evaluates a script in a page, and waits for it.
func ask[T any](t *testing.T, p *tab, script string) T {
	t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%.200s: %v", script, err)
	}
	return v
}

// finds fails the test with every line that a script finds.
func finds(t *testing.T, p *tab, what, script string) {
	t.Helper()
	for _, line := range ask[[]string](t, p, script) {
		t.Errorf("%s: %s", what, line)
	}
}
