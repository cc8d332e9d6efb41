package grains

import (
	"os"
	"regexp"
	"slices"
	"strings"
)

// disks tells block devices that turn from those that don't; virtual ones, such as loops and mappings, are neither.
func disks(p *probe) {
	turning, still := []string{}, []string{}
	for _, dev := range p.tree.list("/sys/block") {
		link, err := os.Readlink(linkPath(p.tree, "/sys/block", dev))
		if err == nil && strings.HasPrefix(link, "../devices/virtual/") {
			continue
		}
		switch p.tree.text("/sys/block/" + dev + "/queue/rotational") {
		case "0":
			still = append(still, dev)
		case "1":
			turning = append(turning, dev)
		}
	}
	p.put("disks", texts(turning))
	p.put("ssds", texts(still))
}

// linkPath is where an entry of a directory lies, itself not followed.
func linkPath(t tree, dir, name string) string { return t.path(dir) + "/" + name }

var array = regexp.MustCompile(`^(md\S*)\s*:`)

// raid lists the kernel's RAID arrays.
func raid(p *probe) {
	names := []string{}
	for _, line := range p.tree.lines("/proc/mdstat") {
		if m := array.FindStringSubmatch(line); m != nil {
			names = append(names, m[1])
		}
	}
	slices.Sort(names)
	p.put("mdadm", texts(names))
}
