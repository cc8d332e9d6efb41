package fileserver_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"brine/pki"
	"brine/proto/manifest"
)

// post asks m for many contents.
func (s *site) post(m *master, body []byte, config *tls.Config, header http.Header) (int, []byte) {
	s.t.Helper()
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, "https://"+m.address+manifest.ManyPath, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, data
}

func TestManySmallContentsComeAtOnce(t *testing.T) {
	s := newSite(t)
	m := s.master("m1")
	large := strings.Repeat("x", manifest.ManySize+1)
	most := large[1:]
	for path, text := range map[string]string{"a": "one", "b": "two", "empty": "", "large": large, "most": most} {
		m.write(t, path, text)
	}
	m.tree(t)
	body, err := manifest.EncodeMany([]string{sum("two"), sum("gone"), sum(large), sum("one"), sum(""), sum(most)})
	if err != nil {
		t.Fatal(err)
	}
	config := pki.ClientTLS(s.trust)
	code, answer := s.post(m, body, config, s.token("web1", s.minion, time.Now()))
	got := map[string]string{}
	err = manifest.ReadMany(bytes.NewReader(answer), func(sum string, data []byte) error {
		got[sum] = string(data)
		return nil
	})
	want := map[string]string{sum("one"): "one", sum("two"): "two", sum(""): "", sum(most): most}
	if code != http.StatusOK || err != nil || !maps.Equal(got, want) {
		t.Errorf("got %d, %d contents, %v", code, len(got), err)
	}
	if code, _ := s.post(m, body[1:], config, s.token("web1", s.minion, time.Now())); code != http.StatusBadRequest {
		t.Errorf("half a hash: got %d", code)
	}
	if code, answer := s.post(m, body, config, http.Header{}); code != http.StatusUnauthorized || bytes.Contains(answer, []byte("one")) {
		t.Errorf("without a token: got %d", code)
	}
}
