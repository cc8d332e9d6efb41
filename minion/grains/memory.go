package grains

import (
	"strconv"
	"strings"
)

// memory counts in MiB, rounded down.
func memory(p *probe) {
	sizes := map[string]int64{}
	for _, line := range p.tree.lines("/proc/meminfo") {
		key, val, _ := strings.Cut(line, ":")
		if f := strings.Fields(val); len(f) > 0 {
			sizes[key], _ = strconv.ParseInt(f[0], 10, 64)
		}
	}
	p.put("mem_total", sizes["MemTotal"]/1024)
	p.put("swap_total", sizes["SwapTotal"]/1024)
}
