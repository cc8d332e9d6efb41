package beacon

import (
	"context"
	"fmt"
	"time"

	"brine/states/host"
	"brine/states/value"
)

// A kind is what a beacon can be.
type kind struct {
	every    time.Duration // interval unless the configuration says another
	stream   bool          // it tells what happens, not how something is
	onChange bool          // onchangeonly unless the configuration says otherwise
	own      bool          // it reads onchangeonly and the like of each of its things by itself
	make     func(s *section, e *env) looker
}

// kinds are all there are, by Salt's names.
func kinds() map[string]kind {
	return map[string]kind{
		"btmp":             {every: time.Second, stream: true, make: btmp},
		"cert_info":        {every: 24 * time.Hour, make: certInfo},
		"check":            {every: time.Minute, onChange: true, make: nagios},
		"diskusage":        {every: 5 * time.Second, make: diskUsage},
		"http":             {every: time.Minute, onChange: true, make: web},
		"inotify":          {every: time.Second, stream: true, make: inotify},
		"journald":         {every: 5 * time.Second, stream: true, make: journald},
		"load":             {every: 5 * time.Second, make: load},
		"log":              {every: time.Second, stream: true, make: logFile},
		"memusage":         {every: 5 * time.Second, make: usage("memusage", "ps.virtual_memory")},
		"nagios":           {every: time.Minute, onChange: true, make: nagios},
		"network_info":     {every: 5 * time.Second, make: networkInfo},
		"network_settings": {every: 5 * time.Second, stream: true, make: networkSettings},
		"pkg":              {every: time.Hour, make: packages},
		"ps":               {every: 5 * time.Second, make: processes},
		"service":          {every: 5 * time.Second, own: true, make: services},
		"sh":               {every: 5 * time.Second, stream: true, make: shells},
		"status":           {every: time.Minute, stream: true, make: status},
		"swapusage":        {every: 5 * time.Second, make: usage("swapusage", "ps.swap_memory")},
		"tcp":              {every: time.Minute, onChange: true, make: port},
		"wtmp":             {every: time.Second, stream: true, make: wtmp},
	}
}

// ask calls an execution function.
func ask[T any](ctx context.Context, h *host.Host, function string, args ...any) (T, error) {
	var none T
	if h.Modules == nil {
		return none, fmt.Errorf("cannot call %s: nothing can be called by name here", function)
	}
	v, _, err := h.Modules.Call(ctx, h, function, args, nil)
	if err != nil {
		return none, err
	}
	got, ok := v.(T)
	if !ok {
		return none, fmt.Errorf("cannot use what %s returns, which is %s", function, value.Kind(v))
	}
	return got, nil
}
