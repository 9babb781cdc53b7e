package datasets

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// FetchOptions say how Fetch gets an archive. Start from DefaultFetchOptions.
type FetchOptions struct {
	Dir      string                               // gets the archive; it is made where it is not there
	Attempts int                                  // in a row that bring nothing, before Fetch gives up
	Stall    time.Duration                        // without a byte, after which an attempt ends
	Wait     time.Duration                        // before the second attempt; each later one waits twice as long
	MostWait time.Duration                        // the longest wait, also of those that a server asks for
	Progress func(done, total int64)              // bytes; total is 0 where it is not known. nil: none
	Retry    func(why error, after time.Duration) // is told of an attempt that failed. nil: nobody

	transport http.RoundTripper // of tests; nil: the standard one
}

// DefaultFetchOptions returns options for a large file on a line that breaks off now and then.
func DefaultFetchOptions() FetchOptions {
	return FetchOptions{Attempts: 8, Stall: time.Minute, Wait: time.Second, MostWait: 5 * time.Minute}
}

const (
	// mostRedirects is how many times a server may send to another address.
	mostRedirects = 5
	// mostFetched bounds an archive whose size is not known, in bytes.
	mostFetched = 64 << 30
)

// Fetch downloads the archive of an address and returns its path. The archive appears under its name when
// it is whole and has the size and the hash of the address, where they are known. Until then it is a file
// NAME.part, which stays when Fetch ends early: the next one goes on behind it, if the server still has the
// same file. An archive that is there already is checked and not fetched again.
func Fetch(ctx context.Context, a Address, o FetchOptions) (string, error) {
	path, err := fetch(ctx, a, o)
	if err != nil {
		return "", fmt.Errorf("fetch %s: %w", a.Set, err)
	}
	return path, nil
}

// fetch is Fetch without the name of the set in its errors.
func fetch(ctx context.Context, a Address, o FetchOptions) (string, error) {
	path := filepath.Join(o.Dir, a.File)
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return "", err
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = checkFetched(ctx, path, a)
		}
		return path, err
	}
	part, err := openFetched(path)
	if err != nil {
		return "", err
	}
	defer part.Close()
	if err = part.fill(ctx, a, o); err != nil {
		return "", err
	}
	if err = part.Sync(); err != nil {
		return "", err
	}
	if err = checkFetched(ctx, part.Name(), a); err != nil {
		if ctx.Err() == nil { // what is wrong cannot be mended by going on
			err = errors.Join(err, os.Remove(part.Name()), part.forget())
		}
		return "", err
	}
	if err = os.Rename(part.Name(), path); err != nil {
		return "", err
	}
	return path, errors.Join(part.forget(), syncDir(o.Dir))
}

// checkFetched compares a file with what is known of it.
func checkFetched(ctx context.Context, path string, a Address) error {
	f, size, err := openRegular(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if a.Bytes != 0 && size != a.Bytes {
		return fmt.Errorf("%s has %d bytes, want %d", path, size, a.Bytes)
	}
	if a.MD5 == "" {
		return nil
	}
	sum := md5.New()
	if _, err = io.Copy(sum, &countedSource{ctx: ctx, reader: f}); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != a.MD5 {
		return fmt.Errorf("%s has MD5 %s, want %s: it is damaged or another file", path, got, a.MD5)
	}
	return nil
}

// A fetched is an archive while it is fetched.
type fetched struct {
	*os.File
	size  int64
	state fetchedState
}

// A fetchedState says which file of the server a part is of.
type fetchedState struct {
	URL       string `json:"url"`
	Validator string `json:"validator"` // a strong ETag or a date, for If-Range; empty: it cannot be continued
	Total     int64  `json:"total"`     // bytes; 0 where the server did not say
}

// openFetched opens the part of an archive. Two processes do not fetch the same one.
func openFetched(path string) (*fetched, error) {
	f, err := os.OpenFile(path+".part", os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = fmt.Errorf("another process is fetching %s; wait until it is done", path)
		}
		return nil, errors.Join(err, f.Close())
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	p := &fetched{File: f, size: info.Size()}
	if data, missing := os.ReadFile(p.statePath()); missing != nil || json.Unmarshal(data, &p.state) != nil {
		p.state = fetchedState{} // it begins anew
	}
	return p, nil
}

// statePath is where the state is kept.
func (p *fetched) statePath() string { return p.Name() + ".json" }

// forget removes the state.
func (p *fetched) forget() error {
	if err := os.Remove(p.statePath()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// restart empties the part and notes which file it is of from now on.
func (p *fetched) restart(s fetchedState) error {
	if err := p.Truncate(0); err != nil {
		return err
	}
	p.size, p.state = 0, s
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return writeFile(p.statePath(), data)
}

// A refusal is an answer after which another attempt would be the same.
type refusal struct{ err error }

// Error returns what was refused.
func (r *refusal) Error() string { return r.err.Error() }

// Unwrap returns what was refused.
func (r *refusal) Unwrap() error { return r.err }

// refuse returns a refusal.
func refuse(format string, args ...any) error { return &refusal{fmt.Errorf(format, args...)} }

// A later is an answer that asks to wait.
type later struct {
	status string
	wait   time.Duration // 0 where it does not say how long
}

// Error returns the answer.
func (l *later) Error() string { return "server answers " + l.status }

// fill makes attempts until the part is whole.
func (p *fetched) fill(ctx context.Context, a Address, o FetchOptions) error {
	client := &http.Client{Transport: o.transport, CheckRedirect: checkRedirect}
	most := p.size // so far: a server that knows no ranges begins anew each time
	for failed := 0; ; {
		err := p.attempt(ctx, client, a, o)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if _, never := errors.AsType[*refusal](err); never {
			return err
		}
		if failed++; p.size > most {
			failed, most = 1, p.size
		}
		if failed >= o.Attempts {
			return fmt.Errorf("%w; %d attempts in a row brought nothing, and the same command goes on from here", err, failed)
		}
		wait := min(o.Wait<<min(failed-1, 20), o.MostWait)
		if busy, ok := errors.AsType[*later](err); ok && busy.wait > 0 {
			wait = min(busy.wait, o.MostWait)
		}
		if o.Retry != nil {
			o.Retry(err, wait)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// checkRedirect follows a few redirects, and none from an encrypted address to one that is not.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > mostRedirects {
		return refuse("more than %d redirects, the last to %s", mostRedirects, req.URL.Redacted())
	}
	for _, earlier := range via {
		if earlier.URL.Scheme == "https" && req.URL.Scheme != "https" {
			return refuse("redirect from %s to %s, which is not encrypted", earlier.URL.Redacted(), req.URL.Redacted())
		}
	}
	if req.URL.Scheme != "https" && req.URL.Scheme != "http" {
		return refuse("redirect to %s", req.URL.Redacted())
	}
	return nil
}

// attempt asks for what is missing and appends it to the part. It is done when the part is whole.
func (p *fetched) attempt(ctx context.Context, client *http.Client, a Address, o FetchOptions) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(o.Stall, func() { cancel(fmt.Errorf("no byte for %s", o.Stall)) })
	defer watchdog.Stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL, nil)
	if err != nil {
		return refuse("address: %w", err)
	}
	req.Header.Set("Accept-Encoding", "identity") // the bytes as they are, which ranges count
	if p.state.URL != a.URL || p.state.Validator == "" {
		if err = p.restart(fetchedState{URL: a.URL}); err != nil {
			return &refusal{err}
		}
	}
	if p.size > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", p.size))
		req.Header.Set("If-Range", p.state.Validator)
	}
	resp, err := client.Do(req)
	if err != nil {
		return cause(ctx, err)
	}
	defer resp.Body.Close()
	done, err := p.answer(resp, a)
	if err != nil || done {
		return err
	}
	return p.receive(ctx, resp, a, o, watchdog)
}

// cause returns why the context of an attempt ended, where it did, in place of an error.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// answer reads the head of an answer: whether the part is whole already, goes on, or begins anew.
func (p *fetched) answer(resp *http.Response, a Address) (done bool, err error) {
	switch resp.StatusCode {
	case http.StatusOK:
		if kind := resp.Header.Get("Content-Type"); strings.HasPrefix(kind, "text/html") {
			return false, refuse("%s answers with a page and not with a file", a.URL)
		}
		s := fetchedState{URL: a.URL, Validator: validator(resp), Total: max(resp.ContentLength, 0)}
		if err = checkTotal(s.Total, a); err == nil {
			if err = p.restart(s); err != nil {
				err = &refusal{err}
			}
		}
		return false, err
	case http.StatusPartialContent:
		first, total, ok := contentRange(resp.Header.Get("Content-Range"))
		if !ok || first != p.size || p.size == 0 || p.state.Total > 0 && total > 0 && total != p.state.Total {
			p.state.Validator = "" // the next attempt begins anew
			return false, fmt.Errorf("server sends range %q, want one from byte %d on", resp.Header.Get("Content-Range"), p.size)
		}
		if tag := validator(resp); tag != "" && tag != p.state.Validator {
			p.state.Validator = ""
			return false, errors.New("server sends a part of another file")
		}
		if total > 0 {
			p.state.Total = total
		}
		return false, checkTotal(total, a)
	case http.StatusRequestedRangeNotSatisfiable:
		_, total, _ := contentRange(resp.Header.Get("Content-Range"))
		if total > 0 && total == p.size && (p.state.Total == 0 || p.state.Total == total) {
			return true, nil // it was whole when the last one ended
		}
		p.state.Validator = ""
		return false, fmt.Errorf("server has no byte %d, and says that the file has %d", p.size, total)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusRequestTimeout,
		http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return false, &later{resp.Status, retryAfter(resp.Header.Get("Retry-After"), time.Now())}
	}
	return false, refuse("%s answers %s", a.URL, resp.Status)
}

// receive appends the body of an answer to the part.
func (p *fetched) receive(ctx context.Context, resp *http.Response, a Address, o FetchOptions, watchdog *time.Timer) error {
	limit := int64(mostFetched)
	if p.state.Total > 0 {
		limit = p.state.Total
	} else if a.Bytes > 0 {
		limit = a.Bytes
	}
	if _, err := p.Seek(p.size, io.SeekStart); err != nil {
		return &refusal{err}
	}
	buffer := make([]byte, 256<<10)
	for {
		n, err := resp.Body.Read(buffer)
		if n > 0 {
			watchdog.Reset(o.Stall)
			if p.size+int64(n) > limit {
				return refuse("server sends more than %d bytes", limit)
			}
			if _, failed := p.Write(buffer[:n]); failed != nil {
				return &refusal{failed}
			}
			p.size += int64(n)
			if o.Progress != nil {
				o.Progress(p.size, p.state.Total)
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			if p.size < p.state.Total {
				return fmt.Errorf("server ends after %d bytes of %d", p.size, p.state.Total)
			}
			return nil
		case err != nil:
			return cause(ctx, fmt.Errorf("after %d bytes: %w", p.size, err))
		}
	}
}

// checkTotal compares the size that a server says with the known one.
func checkTotal(total int64, a Address) error {
	switch {
	case a.Bytes > 0 && total > 0 && total != a.Bytes:
		return refuse("server says that the file has %d bytes, want %d: it is another file", total, a.Bytes)
	case total > mostFetched:
		return refuse("server says that the file has %d bytes, want at most %d", total, int64(mostFetched))
	}
	return nil
}

// validator returns what If-Range compares: a strong ETag, else the date of the file, or "".
func validator(resp *http.Response) string {
	if tag := resp.Header.Get("ETag"); strings.HasPrefix(tag, `"`) {
		return tag
	}
	return resp.Header.Get("Last-Modified")
}

// contentRange reads "bytes FIRST-LAST/TOTAL" or "bytes */TOTAL". An unknown total is 0.
func contentRange(text string) (first, total int64, ok bool) {
	rest, found := strings.CutPrefix(text, "bytes ")
	span, size, cut := strings.Cut(rest, "/")
	if !found || !cut {
		return 0, 0, false
	}
	if size != "*" {
		n, err := strconv.ParseUint(size, 10, 63)
		if err != nil {
			return 0, 0, false
		}
		total = int64(n)
	}
	if span == "*" {
		return 0, total, false
	}
	a, b, cut := strings.Cut(span, "-")
	from, err := strconv.ParseUint(a, 10, 63)
	to, failed := strconv.ParseUint(b, 10, 63)
	if !cut || err != nil || failed != nil || to < from || total > 0 && int64(to) >= total {
		return 0, 0, false
	}
	return int64(from), total, true
}

// retryAfter returns how long a server asks to wait: a number of seconds or a date; 0 where it says
// nothing.
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
