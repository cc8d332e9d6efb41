package dnsutil

import (
	"context"
	"errors"
	"strconv"
	"time"

	"brine/states/host"
	"brine/states/value"
)

type serialArgs struct {
	Zone   string `arg:"zone" doc:"the zone; absent: one number for all"`
	Update bool   `arg:"update" doc:"take the next number, and keep it"`
}

// serial returns the number that the grain of a zone keeps, or today's first.
func serial(ctx context.Context, h *host.Host, a serialArgs) (string, error) {
	grains := h.Grains
	if h.Facts != nil {
		grains = h.Facts.Now(ctx)
	}
	name := "dnsserial"
	if a.Zone != "" {
		name += "_" + a.Zone
	}
	today := time.Now().Format("20060102") + "01"
	if !a.Update {
		return kept(grains, name, today), nil
	}
	if h.Facts == nil {
		return "", errors.New("cannot keep the number of a zone: this host has no grains of its own")
	}
	now := today
	err := h.Facts.Edit(ctx, func(custom, grains *value.Dict) error {
		if old := kept(grains, name, ""); old >= today && len(old) == len(today) {
			n, err := strconv.ParseUint(old, 10, 32)
			if err != nil {
				return err
			}
			now = strconv.FormatUint(n+1, 10)
		}
		custom.Put(name, now)
		return nil
	})
	return now, err
}

func kept(grains *value.Dict, name, otherwise string) string {
	v, ok := grains.Get(name)
	if !ok || !value.Truth(v) {
		return otherwise
	}
	return value.KeyText(v)
}
