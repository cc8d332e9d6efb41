package client

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/proto"
)

func TestMastersWithoutAPortHaveTheUsualOne(t *testing.T) {
	path := siteConfig(t, "")
	t.Setenv("BRINE_MASTERS", "m1,10.0.0.1:99,::1,[::1]:7")
	c, err := LoadSite(path)
	if want := []string{"m1:4511", "10.0.0.1:99", "[::1]:4511", "[::1]:7"}; err != nil || !slices.Equal(c.Masters, want) {
		t.Errorf("got %v, %v, want %v", c, err, want)
	}
	t.Setenv("BRINE_MASTERS", ":4511,m1:")
	if _, err := LoadSite(path); err == nil || strings.Count(err.Error(), "want HOST or HOST:PORT") != 2 {
		t.Errorf("got %v, want both addresses refused", err)
	}
}

// A file that can't be read has one mistake: what is missing because of that is none.
func TestUnreadableConfigurationIsOneMistake(t *testing.T) {
	path := siteConfig(t, "")
	if err := os.WriteFile(path, []byte("name = = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSite(path); err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), path+":1: ") {
		t.Errorf("got %v, want the mistake of line 1 alone", err)
	}
	dir := filepath.Join(t.TempDir(), "operator.toml")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSite(dir); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v, want one mistake", err)
	}
	if os.Getuid() == 0 {
		return // root may read everything
	}
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadSite(path); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "brine operator new") {
		t.Errorf("got %v, want what to do", err)
	}
}

// A host that takes connections and says nothing keeps nobody in the dark.
func TestMastersThatAreSlowAreTold(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	path := siteConfig(t, "name = \"a\"\nkey = \"a.key\"\n")
	t.Setenv("BRINE_MASTERS", l.Addr().String())
	keep(t, path, "ldap:alice", time.Now().Add(time.Hour))
	config, err := LoadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var told []string
	config.OnSlow(time.Millisecond, func(masters []string) {
		told = masters
		cancel()
	})
	c, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Call(ctx, "master.list", &proto.Empty{}, &proto.Empty{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the end of its context", err)
	}
	if !slices.Equal(told, []string{l.Addr().String()}) {
		t.Errorf("told of %v, want %v", told, l.Addr())
	}
}
