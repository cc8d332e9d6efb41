package grains_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"brine/minion/grains"
	"brine/states/host"
	"brine/states/value"
)

var update = flag.Bool("update", false, "write testdata/*.json anew; read them before they are committed")

// arches are the machines of the recorded hosts that are no x86_64.
var arches = map[string]string{"arch": "aarch64", "raspbian11": "aarch64"}

// own are the grains of the process that tests, which no record can hold.
var own = []string{"cwd", "gid", "groupname", "pid", "uid", "username"}

// systemctl answers for hosts whose systemd has no library that tells.
func systemctl(_ context.Context, c host.Command) (host.Output, error) {
	if strings.Join(c.Argv, " ") != "systemctl --version" {
		return host.Output{}, errors.New("no such command here")
	}
	return host.Output{Stdout: []byte("systemd 219\n+PAM +AUDIT +SELINUX +IMA -APPARMOR\n")}, nil
}

// recorded is the system of a recorded host: two addresses of each kind.
func recorded(name string) grains.System {
	arch := arches[name]
	if arch == "" {
		arch = "x86_64"
	}
	addrs := func(texts ...string) (all []netip.Addr) {
		for _, t := range texts {
			all = append(all, netip.MustParseAddr(t))
		}
		return all
	}
	return grains.System{
		Arch: func() string { return arch },
		Interfaces: func() ([]grains.Interface, error) {
			return []grains.Interface{
				{Name: "lo", Addresses: addrs("127.0.0.1", "::1")},
				{Name: "ens3", Addresses: addrs("10.0.0.11", "10.0.0.9", "2001:db8::11", "fe80::5054:ff:fe12:3456")},
				{Name: "ens4"},
			}, nil
		},
		Env: func(name string) string {
			return map[string]string{"PATH": "/usr/sbin:/usr/bin", "SHELL": "/bin/bash"}[name]
		},
		Now:  func() time.Time { return time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC) },
		Exec: systemctl,
	}
}

func machineOf(t testing.TB, name string) *grains.Machine {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	m := grains.NewMachine(grains.MachineOptions{Root: root, System: recorded(name)})
	t.Cleanup(m.Close)
	return m
}

// TestRecordedHosts compares the grains of recorded hosts with those that Salt finds there.
func TestRecordedHosts(t *testing.T) {
	dirs, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		if !d.IsDir() {
			continue
		}
		t.Run(d.Name(), func(t *testing.T) {
			s := grains.New(grains.Options{ID: d.Name() + ".example.com", Master: "m1.example.com", Machine: machineOf(t, d.Name())})
			got := s.Copy(t.Context())
			for _, name := range own {
				if !got.Delete(name) {
					t.Errorf("grain %s is missing", name)
				}
			}
			golden(t, d.Name(), got)
		})
	}
}

func golden(t *testing.T, name string, got *value.Dict) {
	t.Helper()
	data, err := value.MarshalJSON(got)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, data, "", "  "); err != nil {
		t.Fatal(err)
	}
	b.WriteByte('\n')
	file := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	gotLines, wantLines := strings.Split(b.String(), "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		g, w := "", ""
		if i < len(gotLines) {
			g = gotLines[i]
		}
		if i < len(wantLines) {
			w = wantLines[i]
		}
		if g != w {
			t.Fatalf("line %d: got %s, want %s (go test -update writes the file anew)", i+1, g, w)
		}
	}
}

// TestTypes looks at the grains that templates calculate with.
func TestTypes(t *testing.T) {
	got := grains.New(grains.Options{ID: "web1", Machine: machineOf(t, "debian12")}).Now(t.Context())
	for name, kind := range map[string]string{
		"osmajorrelease": "integer", "osrelease": "text", "osrelease_info": "list", "num_cpus": "integer", "mem_total": "integer",
		"server_id": "integer", "ip4_interfaces": "map", "ipv4": "list", "selinux": "", "systemd": "map", "cpu_flags": "list",
		"saltversioninfo": "list", "efi": "boolean", "ip_gw": "boolean", "uid": "integer", "pid": "integer", "dns": "map",
	} {
		v, there := got.Get(name)
		if kind == "" {
			if there {
				t.Errorf("%s: got %v, want none", name, v)
			}
		} else if value.Kind(v) != kind {
			t.Errorf("%s: got a %s, want a %s", name, value.Kind(v), kind)
		}
	}
	keys := got.Keys()
	if !slices.IsSortedFunc(keys, func(a, b any) int { return strings.Compare(a.(string), b.(string)) }) {
		t.Errorf("grains are not in order: %v", keys)
	}
}

// TestServerID compares with numbers that Salt makes of these ids.
func TestServerID(t *testing.T) {
	for id, want := range map[string]int64{"web1": 1826842219, "web1.example.com": 1935464723, "minion1": 156412900} {
		got, _ := grains.New(grains.Options{ID: id, Machine: machineOf(t, "debian12")}).Now(t.Context()).Get("server_id")
		if got != want {
			t.Errorf("%s: got %v, want %d", id, got, want)
		}
	}
}

func TestThisMachine(t *testing.T) {
	m := grains.NewMachine(grains.MachineOptions{})
	defer m.Close()
	d := m.Facts(t.Context(), false)
	for _, name := range []string{"kernel", "nodename", "cpuarch", "os", "os_family", "fqdn", "host"} {
		v, _ := d.Get(name)
		if s, ok := v.(string); !ok || s == "" {
			t.Errorf("%s: got %#v", name, v)
		}
	}
}
