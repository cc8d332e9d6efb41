package beacon

import (
	"context"
	"errors"
	"strings"

	"brine/states/host"
	"brine/states/value"
)

// networkInfo tells when counters of network interfaces reach limits.
func networkInfo(s *section, _ *env) looker {
	type watched struct {
		name   string
		equal  bool
		limits map[string]float64
	}
	counters := []string{"bytes_sent", "bytes_recv", "packets_sent", "packets_recv", "errin", "errout", "dropin", "dropout"}
	faces := s.sub("interfaces")
	if !s.has("interfaces") {
		s.wrong("", "want interfaces in it")
	}
	var all []watched
	faces.each(func(name string, v any) {
		one := faces.under(name, v)
		w := watched{name, true, map[string]float64{}}
		switch kind := one.text("type", "equal"); kind {
		case "equal", "greater":
			w.equal = kind == "equal"
		default:
			one.wrong("type", "%q: want equal or greater", kind)
		}
		for _, c := range counters {
			if one.has(c) {
				w.limits[c] = one.number(c, 0)
			}
		}
		one.end()
		if len(w.limits) == 0 {
			one.wrong("", "want a counter with its limit in it: %s", strings.Join(counters, ", "))
		}
		all = append(all, w)
	})
	return func(ctx context.Context, h *host.Host) (found []reading, err error) {
		for _, w := range all {
			if !exists(h, "/sys/class/net/"+w.name) {
				continue // as in Salt: it may come
			}
			now, e := ask[*value.Dict](ctx, h, "ps.network_io_counters", w.name)
			if e != nil {
				err = errors.Join(err, e)
				continue
			}
			r := reading{about: w.name, state: below, first: below, data: value.NewDict("interface", w.name, "network_info", now)}
			for c, limit := range w.limits {
				if v, ok := number(now, c); ok && (w.equal && v == limit || !w.equal && v > limit) {
					r.tell, r.state = true, over
				}
			}
			r.quiet = !r.tell
			found = append(found, r)
		}
		return found, err
	}
}
