package manager_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/pkg/manager"
)

// BenchmarkList reads what dpkg-query writes of 3,000 packages.
func BenchmarkList(b *testing.B) {
	var text strings.Builder
	text.WriteString("ii \tdpkg\t1.21.22\tamd64\n")
	for i := range 3000 {
		fmt.Fprintf(&text, "ii \tlibsomething-with-a-name%d-dev\t1:2.36-%d+deb12u14\tamd64\n", i, i)
	}
	h := hosttest.New(b)
	h.Grains.Put("os_family", "Debian")
	h.Write("/usr/bin/apt-get", "")
	out := []byte(text.String())
	h.Host.Exec = func(context.Context, host.Command) (host.Output, error) { return host.Output{Stdout: out}, nil }
	b.ReportAllocs()
	for b.Loop() {
		h.Host.Memo = &host.Memo{}
		s, err := manager.Of(h.Host)
		if err != nil {
			b.Fatal(err)
		}
		if l, err := s.Installed(b.Context()); err != nil || !l.Has("dpkg") {
			b.Fatal(err)
		}
	}
}
