package beacon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"brine/states/host"
	"brine/states/value"
)

// status tells what functions of the status module return.
func status(s *section, _ *env) looker {
	type asked struct {
		function string
		items    []any
	}
	var all []asked
	s.each(func(function string, v any) {
		items := []any{v}
		if l, ok := v.(*value.List); ok {
			items = l.Items
		}
		all = append(all, asked{function, items})
	})
	if len(all) == 0 {
		for _, f := range []string{"loadavg", "cpustats", "meminfo", "vmstats", "time"} {
			all = append(all, asked{f, []any{"all"}})
		}
	}
	return func(ctx context.Context, h *host.Host) ([]reading, error) {
		data := &value.Dict{}
		var errs []error
		for _, a := range all {
			v, err := ask[any](ctx, h, "status."+a.function)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			data.Put(a.function, chosen(v, a.items))
		}
		at := time.Now().UTC().Format("2006-01-02T15:04:05.000000")
		return []reading{{tag: at, data: value.NewDict("data", data)}}, errors.Join(errs...)
	}
}

// chosen are items of what a function returned.
func chosen(v any, items []any) any {
	d := &value.Dict{}
	for _, item := range items {
		if item == "all" {
			return v
		}
		got, ok := value.Lookup(v, value.KeyText(item), ":")
		if _, nested := v.(*value.Dict); !ok && !nested {
			if _, list := v.(*value.List); !list {
				return v // a value by itself, of which 0 is all
			}
		}
		if !ok {
			return fmt.Sprintf("Status beacon is incorrectly configured: '%v'", item)
		}
		_ = d.Set(item, got) // it came as a key or a number
	}
	return d
}
