package kmod_test

import (
	"fmt"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/kmod"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

const boot = "/etc/modules-load.d/salt_managed.conf"

// newHost is a host where pcspkr is loaded, nf_nat is too and uses nf_conntrack, and overlay is part of the kernel.
func newHost(t testing.TB) *hosttest.Host {
	h := hosttest.New(t)
	h.Grains.Put("kernelrelease", "6.1.0")
	h.Write("/run/systemd/system/x", "")
	h.Write("/lib/modules/6.1.0/modules.builtin", "kernel/fs/overlayfs/overlay.ko\n")
	h.Write("/lib/modules/6.1.0/modules.dep", "kernel/net/bridge/br_netfilter.ko.xz: kernel/net/bridge/bridge.ko.xz\n"+
		"kernel/net/bridge/bridge.ko.xz:\nkernel/drivers/input/misc/pcspkr.ko.xz:\nkernel/drivers/net/bonding/bonding.ko.xz:\nkernel/x/nf-nat.ko:\n")
	h.Write(boot, "# by hand\npcspkr\n# br_netfilter\n")
	running := "pcspkr 16384 0 - Live 0x0\nnf_nat 32768 1 xt_nat,nft_nat, Live 0x0\n"
	h.Write("/proc/modules", running)
	for line, after := range map[string]string{
		"modprobe br_netfilter":   running + "bridge 1 1 br_netfilter, Live 0x0\nbr_netfilter 1 0 - Live 0x0\n",
		"modprobe bonding mode=4": running + "bonding 1 0 - Live 0x0\n",
		"rmmod pcspkr":            "nf_nat 32768 1 xt_nat,nft_nat, Live 0x0\n",
	} {
		h.Change(line, func(host.Command) (host.Output, error) {
			h.Write("/proc/modules", after)
			return host.Output{}, nil
		})
	}
	return h
}

func TestModule(t *testing.T) { moduletest.Run(t, kmod.Module, moduletest.Options{Host: newHost}) }

func run(t *testing.T, h *hosttest.Host, test bool, function string, words ...string) string {
	t.Helper()
	s, err := module.NewIndex(kmod.Module).State("kmod." + function)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Bind(module.Words(words...))
	if err != nil {
		return err.Error()
	}
	r := b.Run(t.Context(), h.Host, test)
	changes, err := value.MarshalJSON(r.Changes)
	if err != nil {
		t.Fatal(err)
	}
	result := "would"
	if r.Result != nil {
		result = fmt.Sprint(*r.Result)
	}
	return fmt.Sprintf("%s %s %s", result, changes, r.Comment)
}

func TestStates(t *testing.T) {
	for _, c := range []struct{ args, test, done, again, boot string }{
		{"present name=br_netfilter", `would {"br_netfilter":"loaded"} Kernel module br_netfilter is set to be loaded`,
			`true {"br_netfilter":"loaded"} Loaded kernel module br_netfilter`, "true {} Kernel module br_netfilter is already present",
			"# by hand\npcspkr\n# br_netfilter\n"},
		{"present name=x|mods=[br-netfilter, overlay, overlay]|persist=True",
			`would {"br_netfilter":"loaded","overlay":"loaded at boot"} Kernel modules br_netfilter, overlay are set to be loaded`,
			`true {"br_netfilter":"loaded","overlay":"loaded at boot"} Loaded kernel modules br_netfilter, overlay`,
			"true {} Kernel modules br_netfilter, overlay are already present", "# by hand\npcspkr\nbr_netfilter\noverlay\n"},
		{"present name=br_netfilter|persist=True", `would {"br_netfilter":"loaded"} Kernel module br_netfilter is set to be loaded`,
			`true {"br_netfilter":"loaded"} Loaded kernel module br_netfilter`, "true {} Kernel module br_netfilter is already present",
			"# by hand\npcspkr\nbr_netfilter\n"},
		{"present name=bonding mode=4|persist=True", `would {"bonding":"loaded"} Kernel module bonding is set to be loaded`,
			`true {"bonding":"loaded"} Loaded kernel module bonding`, "true {} Kernel module bonding is already present",
			"# by hand\npcspkr\n# br_netfilter\nbonding mode=4\n"},
		{"present name=nosuch", "false {} Kernel module nosuch is unavailable", "false {} Kernel module nosuch is unavailable", "", ""},
		{"absent name=pcspkr|persist=True", `would {"pcspkr":"removed"} Kernel module pcspkr is set to be removed`,
			`true {"pcspkr":"removed"} Removed kernel module pcspkr`, "true {} Kernel module pcspkr is already removed",
			"# by hand\n#pcspkr\n# br_netfilter\n"},
		{"absent name=pcspkr|persist=True|comment=False", `would {"pcspkr":"removed"} Kernel module pcspkr is set to be removed`,
			`true {"pcspkr":"removed"} Removed kernel module pcspkr`, "true {} Kernel module pcspkr is already removed", "# by hand\n# br_netfilter\n"},
		{"absent name=overlay", "false {} cannot remove the kernel module overlay: it is built into the kernel",
			"false {} cannot remove the kernel module overlay: it is built into the kernel", "", ""},
	} {
		h := newHost(t)
		words := strings.Fields(c.args)[0:1]
		args := strings.Split(strings.TrimPrefix(c.args, words[0]+" "), "|")
		test, done := run(t, h, true, words[0], args...), run(t, h, false, words[0], args...)
		if test != c.test || done != c.done {
			t.Errorf("%s: got %s and %s, want %s and %s", c.args, test, done, c.test, c.done)
		}
		if c.again == "" {
			continue
		}
		if again := run(t, h, false, words[0], args...); again != c.again || h.Read(boot) != c.boot {
			t.Errorf("%s: got %s and %q, want %s and %q", c.args, again, h.Read(boot), c.again, c.boot)
		}
	}
	if got, want := run(t, newHost(t), true, "present", "name=/etc/x"), `argument "name": want the name of a module such as br_netfilter, got "/etc/x"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestFunctions(t *testing.T) {
	h := newHost(t)
	for _, c := range [][2]string{
		{"available", `["bonding","br_netfilter","bridge","nf_nat","overlay","pcspkr"]`},
		{"check_available nf-nat", `true`}, {"check_available nosuch", `false`},
		{"is_loaded overlay", `true`}, {"is_loaded bridge", `false`},
		{"lsmod", `[{"size":"32768","module":"nf_nat","depcount":"1","deps":["xt_nat","nft_nat"]},{"size":"16384","module":"pcspkr","depcount":"0","deps":[]}]`},
		{"mod_list", `["nf_nat","pcspkr"]`}, {"mod_list only_persist=true", `["pcspkr"]`},
		{"load br_netfilter persist=true", `["br_netfilter","bridge"]`}, {"mod_list only_persist=true", `["br_netfilter","pcspkr"]`},
	} {
		words := strings.Fields(c[0])
		f, err := module.NewIndex(kmod.Module).Func("kmod." + words[0])
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Call(t.Context(), h.Host, module.Words(words[1:]...))
		json, _ := value.MarshalJSON(r.Value)
		got := string(json)
		if err != nil {
			got = err.Error()
		}
		if got != c[1] {
			t.Errorf("%s: got %s, want %s", c[0], got, c[1])
		}
	}
}

func TestWithoutSystemd(t *testing.T) {
	h := hosttest.New(t)
	h.Grains.Put("kernelrelease", "6.1.0")
	h.Write("/lib/modules/6.1.0/modules.builtin", "kernel/fs/overlayfs/overlay.ko\n")
	if got, want := run(t, h, false, "present", "name=overlay", "persist=true"), `true {"overlay":"loaded at boot"} Loaded kernel module overlay`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := h.Read("/etc/modules"); got != "overlay\n" {
		t.Errorf("got %q", got)
	}
}
