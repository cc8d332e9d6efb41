//go:build e2e

package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// received is a request that a sink got, as a line of its file.
type received struct {
	Status int         `json:"status"` // that it was answered with
	Path   string      `json:"path"`
	Header http.Header `json:"header"`
	Body   string      `json:"body"`
}

// sink serves HTTP until the script ends: it writes what it gets into a file, and puts its address into a variable. The first
// requests fail.
func sink(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 3, "sink FILE VAR FAILURES")
	fails, err := strconv.Atoi(args[2])
	ts.Check(err)
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	var mu sync.Mutex // guards f and fails
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		got := received{http.StatusOK, r.URL.Path, r.Header, string(body)}
		if fails > 0 {
			fails--
			got.Status = http.StatusServiceUnavailable
		}
		if err := json.NewEncoder(f).Encode(got); err != nil {
			got.Status = http.StatusInternalServerError
		}
		w.WriteHeader(got.Status)
		_, _ = io.WriteString(w, "seen "+r.URL.Path) // so that an answer has what is secret
	}))
	ts.Defer(func() { server.Close(); _ = f.Close() })
	ts.Setenv(args[1], server.URL)
}
