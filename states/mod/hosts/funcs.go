package hosts

import (
	"context"
	"errors"

	"brine/states/host"
	"brine/states/value"
)

func listHosts(_ context.Context, h *host.Host, _ struct{}) (*value.Dict, error) {
	t, err := load(h)
	if err != nil {
		return nil, err
	}
	d := &value.Dict{}
	for _, ip := range t.addresses() {
		entry := value.NewDict("aliases", list(t.names(ip)))
		if c := t.comment(ip); c != "" {
			entry.Put("comment", c)
		}
		d.Put(ip, entry)
	}
	return d, nil
}

func list(names []string) *value.List {
	l := &value.List{Items: []any{}}
	for _, n := range names {
		l.Items = append(l.Items, n)
	}
	return l
}

type hostArgs struct {
	Host string `arg:"host,required" doc:"the name of a host"`
}

// getIP returns the first address of a name; "" when there is none.
func getIP(_ context.Context, h *host.Host, a hostArgs) (string, error) {
	t, err := load(h)
	if err != nil {
		return "", err
	}
	for _, ip := range t.addresses() {
		if t.has(ip, a.Host) {
			return ip, nil
		}
	}
	return "", nil
}

type ipArgs struct {
	IP string `arg:"ip,required" doc:"an address"`
}

func getAlias(_ context.Context, h *host.Host, a ipArgs) (*value.List, error) {
	t, err := load(h)
	if err != nil {
		return nil, err
	}
	return list(t.names(a.IP)), nil
}

type pairArgs struct {
	IP    string `arg:"ip,required" doc:"an address"`
	Alias string `arg:"alias,required" doc:"the name of a host"`
}

func (a *pairArgs) CheckArgs() error { return errors.Join(checkAddress(a.IP), checkName(a.Alias)) }

func hasPair(_ context.Context, h *host.Host, a pairArgs) (bool, error) {
	t, err := load(h)
	return err == nil && t.has(a.IP, a.Alias), err
}

// change makes the function that changes the table.
func change(edit func(*table, pairArgs)) func(context.Context, *host.Host, pairArgs) (bool, error) {
	return func(ctx context.Context, h *host.Host, a pairArgs) (bool, error) {
		t, err := load(h)
		if err != nil {
			return false, err
		}
		edit(t, a)
		err = t.save(ctx, h)
		return err == nil, err
	}
}

type commentArgs struct {
	IP      string `arg:"ip,required" doc:"an address"`
	Comment string `arg:"comment,required" doc:"what stands behind it"`
}

func setComment(ctx context.Context, h *host.Host, a commentArgs) (bool, error) {
	t, err := load(h)
	if err != nil || !t.setComment(a.IP, a.Comment) {
		return false, err
	}
	err = t.save(ctx, h)
	return err == nil, err
}
