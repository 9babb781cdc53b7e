package datasets

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// fetchable is what a test server holds: 1 MiB that a wrong offset would show in.
func fetchable() []byte {
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = byte(i>>8 ^ i*7)
	}
	return data
}

// fetchFrom fetches data from a test server; handle answers request number n, counted from 1.
func fetchFrom(t *testing.T, data []byte, handle func(w http.ResponseWriter, r *http.Request, n int), change func(a *Address, o *FetchOptions)) (path string, requests int, err error) {
	t.Helper()
	var n atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handle(w, r, int(n.Add(1))) }))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	sum := md5.Sum(data)
	a := Address{Set: "cub", File: "x.tgz", URL: server.URL + "/x.tgz", Bytes: int64(len(data)), MD5: hex.EncodeToString(sum[:])}
	o := DefaultFetchOptions()
	o.Dir, o.Wait, o.MostWait, o.Stall, o.Attempts = filepath.Join(t.TempDir(), "raw"), time.Millisecond, 20*time.Millisecond, 5*time.Second, 4
	if change != nil {
		change(&a, &o)
	}
	path, err = Fetch(t.Context(), a, o)
	if err == nil {
		got, failed := os.ReadFile(path)
		if failed != nil || string(got) != string(data) {
			t.Errorf("%d bytes arrived, %v, want %d of them", len(got), failed, len(data))
		}
		if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
			t.Errorf("files are %v, want the archive alone", entries)
		}
	} else if _, missing := os.Stat(filepath.Join(o.Dir, a.File)); missing == nil {
		t.Error("an archive appeared in spite of the error")
	}
	return path, int(n.Load()), err
}

// serve answers as a good server does, with the part that is asked for.
func serve(w http.ResponseWriter, r *http.Request, data []byte) {
	w.Header().Set("ETag", `"one"`)
	http.ServeContent(w, r, "x.tgz", time.Time{}, strings.NewReader(string(data)))
}

// half sends the first bytes of an answer that says it has all, and breaks off.
func half(w http.ResponseWriter, data []byte, n int) {
	w.Header().Set("ETag", `"one"`)
	w.Header().Set("Content-Length", fmt.Sprint(len(data)))
	_, _ = w.Write(data[:n])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// Servers break off, stall, lie, send elsewhere and are busy. The archive is whole in the end, or it is not
// there.
func TestFetch(t *testing.T) {
	data := fetchable()
	type answer = func(w http.ResponseWriter, r *http.Request, n int)
	for name, c := range map[string]struct {
		handle   answer
		change   func(a *Address, o *FetchOptions)
		requests int
		err      string
	}{
		"a good server": {func(w http.ResponseWriter, r *http.Request, _ int) { serve(w, r, data) }, nil, 1, ""},
		"nothing known": {func(w http.ResponseWriter, r *http.Request, _ int) { serve(w, r, data) }, func(a *Address, _ *FetchOptions) { a.Bytes, a.MD5 = 0, "" }, 1, ""},
		"breaks off twice": {func(w http.ResponseWriter, r *http.Request, n int) {
			switch n {
			case 1:
				half(w, data, 300000)
			case 2:
				if r.Header.Get("Range") != "bytes=300000-" || r.Header.Get("If-Range") != `"one"` {
					t.Errorf("asked for %v", r.Header)
				}
				w.Header().Set("Content-Range", fmt.Sprintf("bytes 300000-%d/%d", len(data)-1, len(data)))
				w.Header().Set("Content-Length", fmt.Sprint(len(data)-300000))
				w.WriteHeader(http.StatusPartialContent)
				_, _ = w.Write(data[300000:500000])
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			}
			serve(w, r, data)
		}, nil, 3, ""},
		"breaks off always": {func(w http.ResponseWriter, _ *http.Request, _ int) { half(w, data, 1000) }, nil, 4, "4 attempts in a row brought nothing, and the same command goes on from here"},
		"stalls": {func(w http.ResponseWriter, r *http.Request, n int) {
			if n == 1 {
				w.Header().Set("ETag", `"one"`)
				w.Header().Set("Content-Length", fmt.Sprint(len(data)))
				_, _ = w.Write(data[:100000])
				w.(http.Flusher).Flush()
				<-r.Context().Done()
				return
			}
			serve(w, r, data)
		}, func(_ *Address, o *FetchOptions) { o.Stall = 200 * time.Millisecond }, 2, ""},
		"does not answer": {func(_ http.ResponseWriter, r *http.Request, _ int) { <-r.Context().Done() }, func(_ *Address, o *FetchOptions) { o.Stall, o.Attempts = 50*time.Millisecond, 2 }, 2, "no byte for 50ms; 2 attempts in a row"},
		"knows no ranges": {func(w http.ResponseWriter, _ *http.Request, n int) {
			if n == 1 {
				half(w, data, 300000)
			}
			w.Header().Set("ETag", `"one"`)
			_, _ = w.Write(data)
		}, nil, 2, ""},
		"has no validator": {func(w http.ResponseWriter, r *http.Request, n int) {
			if r.Header.Get("Range") != "" {
				t.Error("asked for a range of who knows what")
			}
			if n == 1 {
				w.Header().Set("Content-Length", fmt.Sprint(len(data)))
				_, _ = w.Write(data[:1000])
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			}
			_, _ = w.Write(data)
		}, nil, 2, ""},
		"has another file meanwhile": {func(w http.ResponseWriter, r *http.Request, n int) {
			if n == 1 {
				other := append([]byte("other"), data[:len(data)-5]...)
				half(w, other, 300000)
			}
			w.Header().Set("ETag", `"two"`)
			http.ServeContent(w, r, "x.tgz", time.Time{}, strings.NewReader(string(data)))
		}, nil, 2, ""},
		"sends a part of another file": {func(w http.ResponseWriter, r *http.Request, n int) {
			switch {
			case n == 1:
				half(w, data, 300000)
			case r.Header.Get("Range") != "":
				w.Header().Set("ETag", `"two"`)
				w.Header().Set("Content-Range", fmt.Sprintf("bytes 300000-%d/%d", len(data)-1, len(data)))
				w.WriteHeader(http.StatusPartialContent)
				return
			}
			serve(w, r, data)
		}, nil, 3, ""},
		"sends another range": {func(w http.ResponseWriter, r *http.Request, n int) {
			switch {
			case n == 1:
				half(w, data, 300000)
			case r.Header.Get("Range") != "":
				w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", len(data)-1, len(data)))
				w.WriteHeader(http.StatusPartialContent)
				_, _ = w.Write(data)
				return
			}
			serve(w, r, data)
		}, nil, 3, ""},
		"cannot continue": {func(w http.ResponseWriter, r *http.Request, n int) {
			switch {
			case n == 1:
				half(w, data, 300000)
			case r.Header.Get("Range") != "":
				w.Header().Set("Content-Range", "bytes */1000")
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
				return
			}
			serve(w, r, data)
		}, nil, 3, ""},
		"says another size": {func(w http.ResponseWriter, _ *http.Request, _ int) { _, _ = w.Write(data[:1000]) }, nil, 1, "server says that the file has 1000 bytes, want 1048576"},
		"sends more than it may": {func(w http.ResponseWriter, _ *http.Request, _ int) {
			w.(http.Flusher).Flush() // no length
			_, _ = w.Write(data)
			_, _ = w.Write(data)
		}, nil, 1, "server sends more than 1048576 bytes"},
		"sends less without a length": {func(w http.ResponseWriter, _ *http.Request, _ int) {
			w.(http.Flusher).Flush()
			_, _ = w.Write(data[:1000])
		}, nil, 1, "x.tgz.part has 1000 bytes, want 1048576"},
		"sends another content": {func(w http.ResponseWriter, r *http.Request, _ int) { serve(w, r, flipped(data, 5)) }, nil, 1, "it is damaged or another file"},
		"sends a page": {func(w http.ResponseWriter, _ *http.Request, _ int) {
			_, _ = w.Write([]byte("<!DOCTYPE html><p>Log in"))
		}, nil, 1, "answers with a page and not with a file"},
		"is not there": {func(w http.ResponseWriter, r *http.Request, _ int) { http.NotFound(w, r) }, nil, 1, "answers 404 Not Found"},
		"is busy": {func(w http.ResponseWriter, r *http.Request, n int) {
			switch n {
			case 1:
				w.Header().Set("Retry-After", "1") // longer than the longest wait
				w.WriteHeader(http.StatusTooManyRequests)
			case 2:
				w.WriteHeader(http.StatusServiceUnavailable)
			default:
				serve(w, r, data)
			}
		}, nil, 3, ""},
		"stays busy": {func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(http.StatusServiceUnavailable) }, nil, 4, "server answers 503 Service Unavailable; 4 attempts in a row"},
		"sends elsewhere": {func(w http.ResponseWriter, r *http.Request, _ int) {
			if r.URL.Path == "/x.tgz" {
				http.Redirect(w, r, "/there", http.StatusFound)
				return
			}
			serve(w, r, data)
		}, nil, 2, ""},
		"sends in a circle": {func(w http.ResponseWriter, r *http.Request, _ int) { http.Redirect(w, r, "/x.tgz", http.StatusFound) }, nil, 6, "more than 5 redirects"},
		"sends to a file": {func(w http.ResponseWriter, r *http.Request, _ int) {
			http.Redirect(w, r, "file:///etc/passwd", http.StatusFound)
		}, nil, 1, "redirect to file:///etc/passwd"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, requests, err := fetchFrom(t, data, c.handle, c.change)
			if c.err != "" {
				wantError(t, err, "fetch cub: ", c.err)
			} else if err != nil {
				t.Error(err)
			}
			if requests != c.requests {
				t.Errorf("%d requests, want %d", requests, c.requests)
			}
		})
	}
}

// An encrypted server does not send to one that is not.
func TestFetchDowngrade(t *testing.T) {
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	server := httptest.NewTLSServer(http.RedirectHandler(plain.URL+"/x", http.StatusFound))
	defer server.Close()
	o := DefaultFetchOptions()
	o.Dir, o.transport = t.TempDir(), server.Client().Transport
	_, err := Fetch(t.Context(), Address{Set: "cub", File: "x", URL: server.URL}, o)
	wantError(t, err, "which is not encrypted")
}

// An interrupted Fetch goes on where it was, also in another process, and a finished one is checked.
func TestFetchResumes(t *testing.T) {
	data := fetchable()
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Range"))
		if len(asked) > 1 {
			serve(w, r, data)
			return
		}
		w.Header().Set("ETag", `"one"`)
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		_, _ = w.Write(data[:400000])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	o := DefaultFetchOptions()
	o.Dir = t.TempDir()
	o.Progress = func(done, total int64) {
		if total != int64(len(data)) {
			t.Errorf("total is %d", total)
		}
		if done == 400000 {
			cancel()
		}
	}
	a := Address{Set: "cub", File: "x.tgz", URL: server.URL, Bytes: int64(len(data))}
	if _, err := Fetch(ctx, a, o); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	part, err := openFetched(filepath.Join(o.Dir, a.File))
	if err != nil || part.size != 400000 {
		t.Fatalf("part has %d bytes, %v", part.size, err)
	}
	_, err = Fetch(t.Context(), a, o)
	wantError(t, err, "another process is fetching")
	if err = part.Close(); err != nil {
		t.Fatal(err)
	}
	path, err := Fetch(t.Context(), a, o)
	if err != nil {
		t.Fatal(err)
	}
	if got, failed := os.ReadFile(path); failed != nil || string(got) != string(data) {
		t.Errorf("%d bytes, %v", len(got), failed)
	}
	if fmt.Sprint(asked) != "[ bytes=400000-]" {
		t.Errorf("asked for %q", asked)
	}
	if _, err = Fetch(t.Context(), a, o); err != nil || len(asked) != 2 {
		t.Errorf("%d requests, %v", len(asked), err)
	}
	a.Bytes++
	_, err = Fetch(t.Context(), a, o)
	wantError(t, err, "has 1048576 bytes, want 1048577")
}

// Every set has an address or a word on how to get it, and every address is encrypted.
func TestAddresses(t *testing.T) {
	for _, a := range Addresses() {
		if _, err := Lookup(a.Set); err != nil {
			t.Error(err)
		}
		for _, address := range []string{a.Page, a.URL} {
			u, err := url.Parse(address)
			if err != nil || address != "" && (u.Scheme != "https" || u.Host == "") {
				t.Errorf("%s: %q, %v", a.Set, address, err)
			}
		}
		_, err := LookupAddress(a.Set)
		if (a.URL == "") != (a.Instead != "") || (err == nil) != (a.URL != "") || a.Licence == "" || a.Citation == "" || a.File == "" {
			t.Errorf("%+v: %v", a, err)
		}
	}
	if _, err := LookupAddress("mine"); err == nil {
		t.Error("a set without a publisher has an address")
	}
}

// Dates and numbers of seconds are both in use.
func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-7": 0, "soon": 0, "Thu, 01 Jan 2026 12:01:00 GMT": time.Minute, "Thu, 01 Jan 2026 11:00:00 GMT": 0,
	} {
		if got := retryAfter(text, now); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func FuzzContentRange(f *testing.F) {
	for _, text := range []string{"bytes 0-9/10", "bytes */10", "bytes 5-9/*", "bytes 9-5/10", "bytes 0-99999999999999999999/*", "items 0-1/2", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if first, total, ok := contentRange(text); first < 0 || total < 0 || ok && total > 0 && first >= total {
			t.Errorf("%q: first %d of %d, %t", text, first, total, ok)
		}
	})
}
