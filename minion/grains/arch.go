package grains

import (
	"encoding/binary"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// debianArch are Debian's names of architectures.
var debianArch = map[string]string{
	"aarch64": "arm64", "armv5tel": "armel", "armv6l": "armhf", "armv7l": "armhf", "armv8l": "armhf", "i386": "i386", "i486": "i386",
	"i586": "i386", "i686": "i386", "loongarch64": "loong64", "mips64": "mips64el", "ppc64le": "ppc64el",
	"riscv64": "riscv64", "s390x": "s390x", "x86_64": "amd64",
}

// osArch is the architecture that packages are of, which need not be that of the kernel.
func osArch(p *probe) {
	arch := p.text("cpuarch")
	switch p.text("os_family") {
	case "Debian":
		if own := programArch(p.tree, "/usr/bin/dpkg"); own != "" {
			arch = own
		} else if name, ok := debianArch[arch]; ok {
			arch = name
		}
	}
	p.put("osarch", arch)
}

// programArch reads from a program for which of Debian's architectures it was built; "" when it can't be told.
func programArch(t tree, name string) string {
	f, err := os.Open(t.path(name))
	if err != nil {
		return ""
	}
	defer f.Close()
	head := make([]byte, 52)
	if _, err := io.ReadFull(f, head); err != nil || string(head[:4]) != unix.ELFMAG {
		return ""
	}
	var order binary.ByteOrder = binary.LittleEndian
	if head[unix.EI_DATA] == unix.ELFDATA2MSB {
		order = binary.BigEndian
	}
	wide := head[unix.EI_CLASS] == unix.ELFCLASS64
	switch order.Uint16(head[18:]) {
	case unix.EM_X86_64:
		return "amd64"
	case unix.EM_386:
		return "i386"
	case unix.EM_AARCH64:
		return "arm64"
	case unix.EM_ARM:
		const hardFloat = 0x400
		if order.Uint32(head[36:])&hardFloat != 0 {
			return "armhf"
		}
		return "armel"
	case unix.EM_S390:
		return "s390x"
	case unix.EM_PPC64:
		if order == binary.ByteOrder(binary.LittleEndian) {
			return "ppc64el"
		}
		return "ppc64"
	case unix.EM_RISCV:
		if wide {
			return "riscv64"
		}
	}
	return ""
}
