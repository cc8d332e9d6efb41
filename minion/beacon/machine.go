package beacon

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/regex"
	"brine/states/value"
)

// averages are those of the load, by Salt's names in beacons and in status.loadavg.
var averages = [3][2]string{{"1m", "1-min"}, {"5m", "5-min"}, {"15m", "15-min"}}

// A band is what a value should stay in. The upper end may have a clearance.
type band struct {
	low   float64
	high  threshold
	given bool
}

// load tells when a load average is outside of its band.
func load(s *section, _ *env) looker {
	var bands [len(averages)]band
	limits, clears := s.sub("averages"), s.sub("clear")
	for n, a := range averages {
		bands[n] = readBand(limits, clears, a[0])
	}
	limits.end()
	clears.end()
	told := clears.d.Len() > 0
	return func(ctx context.Context, h *host.Host) ([]reading, error) {
		now, err := ask[*value.Dict](ctx, h, "status.loadavg")
		if err != nil {
			return nil, err
		}
		data := &value.Dict{}
		for _, a := range averages {
			v, _ := now.Get(a[1])
			data.Put(a[0], v)
		}
		var all []reading
		for n, a := range averages {
			v, ok := number(data, a[0])
			if bands[n].given && ok {
				state := bands[n].state(v)
				all = append(all, reading{
					about: a[0], data: data, state: state, first: "inside", tell: state != "inside", quiet: state == "inside" && !told,
				})
			}
		}
		return all, nil
	}
}

func readBand(limits, clears *section, key string) band {
	b := band{given: limits.has(key)}
	if !b.given {
		return b
	}
	ends := limits.list(key)
	if len(ends) != 2 {
		limits.wrong(key, "want a list of the lowest and the highest that is right")
		return b
	}
	both := &section{key: append(limits.key, key), d: value.NewDict("low", ends[0], "high", ends[1]), read: map[string]bool{}, errs: limits.errs}
	b.low, b.high.limit = both.number("low", 0), both.number("high", 0)
	if b.high.clear = clears.number(key, b.high.limit); b.high.clear > b.high.limit {
		clears.wrong(key, "want at most the limit, which is %v", b.high.limit)
	}
	return b
}

func (b *band) state(v float64) string {
	// As in Salt the limit itself is right.
	if b.high.over = v > b.high.limit || b.high.over && v > b.high.clear; b.high.over {
		return "above"
	}
	if v < b.low {
		return "beneath"
	}
	return "inside"
}

func number(d *value.Dict, key string) (float64, bool) {
	switch v, _ := d.Get(key); n := v.(type) {
	case float64:
		return n, true
	case int64:
		return float64(n), true
	}
	return 0, false
}

// usage tells when so much of something is in use, in percent.
func usage(name, function string) func(*section, *env) looker {
	return func(s *section, _ *env) looker {
		clear := s.number("clear", -1)
		t := s.threshold("percent", s.any("percent"), clear)
		return func(ctx context.Context, h *host.Host) ([]reading, error) {
			now, err := ask[*value.Dict](ctx, h, function)
			if err != nil {
				return nil, err
			}
			used, ok := number(now, "percent")
			if !ok {
				return nil, fmt.Errorf("%s does not tell how much is in use", function)
			}
			return []reading{t.reading(name, used, value.NewDict(name, used))}, nil
		}
	}
}

// A mountLimit is a threshold for the mount points that an expression means.
type mountLimit struct {
	means func(string) (bool, error)
	make  func() *threshold
	at    map[string]*threshold
}

// diskUsage tells when a file system is so full.
func diskUsage(s *section, _ *env) looker {
	clear := s.number("clear", -1)
	var all []*mountLimit
	s.each(func(mount string, v any) {
		expr := mount
		if !strings.HasSuffix(expr, "$") {
			expr += "$"
		}
		means, err := regex.Beginning(expr, false)
		if err != nil {
			s.wrong(mount, "%v", err)
			return
		}
		t := s.threshold(mount, v, clear)
		all = append(all, &mountLimit{means, func() *threshold { c := *t; return &c }, map[string]*threshold{}})
	})
	if len(all) == 0 {
		s.wrong("", "want a mount point with a limit in it, such as /: 90%%")
	}
	return func(ctx context.Context, h *host.Host) ([]reading, error) {
		mounts, err := ask[*value.List](ctx, h, "ps.disk_partitions", true)
		if err != nil {
			return nil, err
		}
		// As in Salt, of several limits for one mount point the last counts.
		limits, order := map[string]*threshold{}, []string{}
		for _, l := range all {
			for _, m := range mounts.Items {
				d, _ := m.(*value.Dict)
				v, _ := d.Get("mountpoint")
				at, _ := v.(string)
				ok, err := l.means(at)
				if err != nil {
					return nil, err
				}
				if !ok {
					continue
				}
				if limits[at] == nil {
					order = append(order, at)
				}
				if l.at[at] == nil {
					l.at[at] = l.make()
				}
				limits[at] = l.at[at]
			}
		}
		return fill(ctx, h, limits, order)
	}
}

func fill(ctx context.Context, h *host.Host, limits map[string]*threshold, order []string) (all []reading, err error) {
	for _, at := range order {
		now, e := ask[*value.Dict](ctx, h, "ps.disk_usage", at)
		if e != nil {
			err = errors.Join(err, e)
			continue
		}
		if used, ok := number(now, "percent"); ok {
			all = append(all, limits[at].reading(at, used, value.NewDict("diskusage", used, "mount", at)))
		}
	}
	return all, err
}
