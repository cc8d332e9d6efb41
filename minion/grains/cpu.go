package grains

import (
	"strconv"
	"strings"
)

// cpu reads /proc/cpuinfo, whose keys differ between architectures. Of a key
// that stands there for each processor the last counts.
func cpu(p *probe) {
	count, model, flags := int64(0), "Unknown", ""
	for _, line := range p.tree.lines("/proc/cpuinfo") {
		key, val, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		key, val = strings.TrimSpace(key), strings.TrimSpace(val)
		switch key {
		case "processor":
			count++
		case "# processors": // s390
			if n, err := strconv.ParseInt(val, 10, 64); err == nil {
				count = n
			}
		case "vendor_id", "model name", "cpu": // "cpu" is POWER's
			model, _, _ = strings.Cut(val, ":")
		case "Processor": // old ARM kernels
			model, _, _ = strings.Cut(val, "-")
			count = 1
		case "flags", "Features":
			flags = val
		}
	}
	p.put("num_cpus", count)
	p.put("cpu_model", model)
	p.put("cpu_flags", texts(strings.Fields(flags)))
}
