package job

import (
	"context"
	"fmt"
	"slices"
)

// several calls the functions of a job one after the other, whether or not one fails. The result is an object of
// what each returned, by its name; of a function that is called again the second is "NAME (2)". Its retcode is the worst.
func (r *Runner) several(ctx context.Context, t *task, p *progress) Result {
	out := Result{Value: []byte("{")}
	var lasts []func(context.Context)
	times := map[string]int{}
	for i, c := range t.request.Calls {
		res := Result{Value: quote("not called: the job was ended before it", maxCell), Retcode: 1}
		if ctx.Err() == nil {
			res = r.call(ctx, t, p, c.Function, c.Args)
		}
		if i > 0 {
			out.Value = append(out.Value, ',')
		}
		times[c.Function]++
		key := c.Function
		if n := times[key]; n > 1 {
			key = fmt.Sprintf("%s (%d)", key, n)
		}
		out.Value = slices.Concat(out.Value, quote(key, maxCell), []byte(":"), res.Value)
		out.Retcode = max(out.Retcode, res.Retcode)
		if res.Retcode != 0 && out.Retcode == 0 {
			out.Retcode = 1 // one below 0 is a failure too
		}
		if res.Last != nil {
			lasts = append(lasts, res.Last)
		}
	}
	out.Value = append(out.Value, '}')
	if len(lasts) > 0 {
		out.Last = func(ctx context.Context) {
			for _, last := range lasts {
				last(ctx)
			}
		}
	}
	return out
}
