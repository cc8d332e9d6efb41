package clock_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"brine/proto/clock"
)

func TestCompare(t *testing.T) {
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	address := strings.TrimPrefix(s.URL, "https://")
	for _, off := range []time.Duration{0, 5 * time.Minute, -5 * time.Minute} {
		ahead, err := clock.Compare(t.Context(), s.Client(), address, func() time.Time { return time.Now().Add(-off) })
		if err != nil || (ahead-off).Abs() > 20*time.Second {
			t.Errorf("%v off: got %v, %v", off, ahead, err)
		}
		if err := clock.Differs("m1", ahead); err == nil != (off == 0) {
			t.Errorf("%v off: got %v", off, err)
		}
	}
	s.Close()
	if _, err := clock.Compare(t.Context(), s.Client(), address, time.Now); err == nil {
		t.Error("nobody was there, and it has a time")
	}
}
