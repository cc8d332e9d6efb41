package grains

import (
	"strings"

	"brine/states/value"
)

// dmiFiles are the grains that the firmware's tables tell, by their files.
var dmiFiles = map[string]string{
	"biosreleasedate": "bios_date",
	"biosvendor":      "bios_vendor",
	"biosversion":     "bios_version",
	"boardname":       "board_name",
	"manufacturer":    "sys_vendor",
	"productname":     "product_name",
	"serialnumber":    "product_serial",
	"uuid":            "product_uuid",
}

// hardware reads what firmware or device tree say. Some files only root may read: then the grain is not there.
func hardware(p *probe) {
	deviceTree(p)
	for name, file := range dmiFiles {
		data, err := p.tree.read("/sys/class/dmi/id/" + file)
		if err != nil {
			continue
		}
		text := strings.ToValidUTF8(strings.TrimSpace(string(data)), "\ufffd")
		if name == "uuid" {
			text = strings.ToLower(text)
		}
		p.put(name, text)
	}
}

func deviceTree(p *probe) {
	read := func(name string) string {
		return strings.TrimRight(p.tree.text("/proc/device-tree/"+name), "\x00")
	}
	if model := read("model"); model != "" {
		if maker, product, ok := strings.Cut(model, ","); ok {
			p.put("manufacturer", maker)
			p.put("productname", product)
		} else {
			p.put("productname", model)
		}
	}
	for _, name := range []string{"system-id", "serial-number"} {
		if serial := read(name); serial != "" {
			p.put("serialnumber", serial)
		}
	}
}

func machineID(p *probe) {
	for _, name := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id"} {
		if p.tree.exists(name) {
			p.put("machine_id", p.tree.text(name))
			return
		}
	}
}

func firmware(p *probe) {
	vars := "/sys/firmware/efi/efivars"
	if !p.tree.exists(vars) {
		vars = "/sys/firmware/efi/vars"
	}
	secure := false
	for _, name := range p.tree.list(vars) {
		if !strings.HasPrefix(name, "SecureBoot-") {
			continue
		}
		file := vars + "/" + name
		if p.tree.isDir(file) {
			file += "/data"
		}
		data, err := p.tree.read(file)
		secure = secure || err == nil && strings.HasSuffix(string(data), "\x01")
	}
	p.put("efi", p.tree.exists(vars))
	p.put("efi-secure-boot", secure)
}

// gpuMakers are the names of PCI vendors as Salt has them.
var gpuMakers = map[string]string{
	"0x1002": "amd", "0x1013": "cirrus logic", "0x10de": "nvidia", "0x102b": "matrox", "0x15ad": "vmware",
	"0x1a03": "aspeed", "0x8086": "intel",
}

// gpus lists display controllers on the PCI bus. The model is the device's number, as lspci shows one that it has no name for.
func gpus(p *probe) {
	list := value.NewList()
	const bus = "/sys/bus/pci/devices/"
	for _, dev := range p.tree.list(bus) {
		if !strings.HasPrefix(p.tree.text(bus+dev+"/class"), "0x03") {
			continue
		}
		maker := gpuMakers[p.tree.text(bus+dev+"/vendor")]
		if maker == "" {
			maker = "unknown"
		}
		model := "Device " + strings.TrimPrefix(p.tree.text(bus+dev+"/device"), "0x")
		list.Items = append(list.Items, value.NewDict("vendor", maker, "model", model))
	}
	p.put("num_gpus", int64(len(list.Items)))
	p.put("gpus", list)
}
