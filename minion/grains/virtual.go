package grains

import (
	"os"
	"strings"
)

// virtual tells on what the machine runs. Salt asks systemd-detect-virt,
// dmidecode and others; this reads the files from which they tell.
func virtual(p *probe) {
	v := &machineKind{probe: p, virtual: "physical"}
	v.hypervisor()
	v.openVZ()
	v.xen()
	v.product()
	v.container()
	v.changedRoot()
	if v.sub != "" && v.virtual == "physical" {
		v.virtual = "virtual" // something it is, whatever it is
	}
	v.amazon()
	p.put("virtual", v.virtual)
	if v.sub != "" {
		p.put("virtual_subtype", v.sub)
	}
}

// machineKind is what is known so far; what is found later counts more.
type machineKind struct {
	*probe
	virtual, sub string
}

func (v *machineKind) is(virtual, sub string) {
	v.virtual = virtual
	if sub != "" {
		v.sub = sub
	}
}

// makers are what firmware calls hypervisors, in the order in which they count.
var makers = []struct{ prefix, virtual, sub string }{
	{"KVM", "kvm", ""},
	{"OpenStack", "kvm", ""},
	{"KubeVirt", "kvm", ""},
	{"Amazon EC2", "Nitro", "Amazon EC2"},
	{"QEMU", "kvm", ""},
	{"VMware", "VMware", ""},
	{"VMW", "VMware", ""},
	{"innotek GmbH", "VirtualBox", ""},
	{"VirtualBox", "VirtualBox", ""},
	{"Xen", "xen", ""},
	{"Bochs", "kvm", ""},
	{"Parallels", "Parallels", ""},
	{"BHYVE", "bhyve", ""},
	{"oVirt", "kvm", "ovirt"},
	{"RHEV Hypervisor", "kvm", "rhev"},
	{"Google", "kvm", ""},
	{"SeaBIOS", "kvm", ""},
}

// hypervisor goes by the firmware's words, and without any by the kernel's.
func (v *machineKind) hypervisor() {
	words := []string{v.text("productname"), v.text("manufacturer"), v.text("biosvendor"),
		v.tree.text("/sys/class/dmi/id/board_vendor")}
	if words[1] == "Microsoft Corporation" && words[0] == "Virtual Machine" {
		v.is("VirtualPC", "")
		return
	}
	for _, m := range makers {
		for _, w := range words {
			if strings.HasPrefix(w, m.prefix) {
				v.is(m.virtual, m.sub)
				v.emulated()
				return
			}
		}
	}
	switch {
	case strings.Contains(v.clocks(), "kvm-clock"), strings.HasPrefix(v.tree.text("/proc/device-tree/hypervisor/compatible"), "linux,kvm"):
		v.is("kvm", "")
	case strings.Contains(v.clocks(), "hyperv_clocksource"):
		v.is("VirtualPC", "")
	case strings.Contains(v.tree.text("/proc/sysinfo"), "KVM/Linux"):
		v.is("kvm", "")
	case strings.Contains(v.tree.text("/proc/cpuinfo"), "User Mode Linux"):
		v.is("uml", "")
	}
}

func (v *machineKind) clocks() string {
	return v.tree.text("/sys/devices/system/clocksource/clocksource0/available_clocksource")
}

// emulated tells QEMU without KVM: its processor names itself, and none of KVM's clocks is there.
func (v *machineKind) emulated() {
	if v.virtual == "kvm" && strings.Contains(v.text("cpu_model"), "TCG") {
		v.virtual = "qemu"
	}
}

func (v *machineKind) openVZ() {
	switch {
	case v.tree.exists("/proc/vz/version"):
		v.virtual = "openvzhn"
	case v.tree.exists("/proc/vz/veinfo"):
		v.virtual = "openvzve"
	}
	for _, line := range v.tree.lines("/proc/self/status") {
		if id, ok := strings.CutPrefix(line, "envID:"); ok {
			v.virtual = "openvzve"
			if strings.TrimSpace(id) == "0" {
				v.virtual = "openvzhn"
			}
		}
	}
}

func (v *machineKind) xen() {
	if !v.tree.isDir("/proc/sys/xen") && !v.tree.isDir("/sys/bus/xen") && !v.tree.isDir("/proc/xen") {
		return
	}
	rights, err := v.tree.read("/proc/xen/capabilities")
	switch {
	case v.tree.exists("/proc/xen/xsd_kva"):
		v.is("xen", "Xen Dom0")
	case v.text("productname") == "HVM domU":
		v.is("xen", "Xen HVM DomU")
	case err == nil && strings.Contains(string(rights), "control_d"):
		v.is("xen", "Xen Dom0")
	case err == nil, v.tree.isDir("/sys/bus/xen/drivers/xenconsole"):
		v.is("xen", "Xen PV DomU")
	}
}

// product has the last word on hypervisors.
func (v *machineKind) product() {
	if strings.Contains(v.tree.text("/proc/cpuinfo"), "QEMU Virtual CPU") {
		v.virtual = "kvm"
	}
	name := v.text("productname")
	switch {
	case strings.Contains(name, "VirtualBox"):
		v.virtual = "VirtualBox"
	case strings.Contains(name, "RHEV Hypervisor"):
		v.is("kvm", "rhev")
	case strings.Contains(name, "oVirt Node"):
		v.is("kvm", "ovirt")
	case strings.Contains(name, "Google"):
		v.virtual = "gce"
	case strings.Contains(name, "BHYVE"):
		v.virtual = "bhyve"
	}
}

// container counts more than the machine on which it runs.
func (v *machineKind) container() {
	groups := v.tree.text("/proc/1/cgroup")
	has := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(groups, part) {
				return true
			}
		}
		return false
	}
	manager := v.manager()
	switch {
	case has(":/lxc/"), manager == "lxc", manager == "lxc-libvirt":
		v.is("container", "LXC")
	case has(":/kubepods/"):
		v.sub = "kubernetes"
	case has(":/libpod_parent/"), manager == "podman":
		v.sub = "libpod"
	case has(":/system.slice/docker", ":/docker/", ":/docker-ce/"), manager == "docker", v.tree.exists("/.dockerenv"):
		v.is("container", "Docker")
	case manager == "systemd-nspawn":
		v.virtual = "systemd-nspawn"
	}
}

// manager is what the container's maker says of itself; control groups of version 2 don't tell.
func (v *machineKind) manager() string {
	if name := v.tree.text("/run/systemd/container"); name != "" {
		return name
	}
	env, _ := v.tree.read("/proc/1/environ") // root's alone
	for pair := range strings.SplitSeq(string(env), "\x00") {
		if name, ok := strings.CutPrefix(pair, "container="); ok {
			return name
		}
	}
	if v.tree.exists("/run/.containerenv") {
		return "podman"
	}
	return ""
}

// changedRoot tells a root directory that is not that of process 1.
func (v *machineKind) changedRoot() {
	if v.tree.system != "" || v.tree.kernel != "" {
		return
	}
	own, err := os.Stat("/")
	if err != nil {
		return
	}
	if first, err := os.Stat("/proc/1/root/."); err == nil && !os.SameFile(own, first) {
		v.sub = "chroot"
	}
}

// amazon tells the kind of a virtual machine at Amazon.
func (v *machineKind) amazon() {
	switch v.virtual {
	case "kvm", "qemu", "xen", "Nitro":
	default:
		return
	}
	product := v.text("productname")
	switch {
	case v.text("manufacturer") == "Amazon EC2":
		if v.virtual != "xen" {
			v.virtual = "Nitro"
		}
		v.sub = "Amazon EC2"
		if product != "" {
			v.sub = "Amazon EC2 (" + product + ")"
		}
	case strings.Contains(v.tree.text("/sys/class/dmi/id/product_version"), ".amazon"):
		v.sub = "Amazon EC2"
	}
}
