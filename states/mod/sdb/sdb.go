// Package sdb looks up values by URIs such as sdb://PROFILE/KEY.
package sdb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// Module is the sdb module.
var Module = module.Module{
	Name: "sdb",
	Doc:  "Look up values by URIs such as sdb://PROFILE/KEY.",
	Funcs: []module.Func{{
		Name: "get",
		Doc: `
			Return the value of a URI. What is no URI of a profile that is known is returned as it is, and with
			strict it is an error.

			A profile is a map in the configuration or in pillar. There are no drivers yet, so that one which names a driver is
			an error: give the value by pillar.`,
		Example: "sdb://vault/password", Do: module.Call(get),
	}},
}

type getArgs struct {
	URI    any  `arg:"uri,required" doc:"the URI, or a value that is returned as it is"`
	Strict bool `arg:"strict" doc:"refuse what is no URI of a known profile"`
}

func get(_ context.Context, h *host.Host, a getArgs) (any, error) {
	uri, _ := a.URI.(string)
	rest, is := strings.CutPrefix(uri, "sdb://")
	profile, key, whole := strings.Cut(rest, "/")
	asIs := func(why string) (any, error) {
		if a.Strict {
			return nil, errors.New("cannot look up a value: " + why)
		}
		return a.URI, nil
	}
	switch {
	case !is:
		return asIs("it is no URI that begins with sdb://")
	case !whole || key == "":
		return asIs(`want sdb://PROFILE/KEY`)
	}
	for _, from := range []*value.Dict{h.Config, h.Pillar} {
		v, _ := from.Get(profile)
		settings, _ := v.(*value.Dict)
		if driver, ok := settings.Get("driver"); ok {
			return nil, fmt.Errorf("cannot look up %q: the profile %q wants the driver %v, and there are none: give the value by pillar", uri, profile, driver)
		}
	}
	return asIs(fmt.Sprintf("there is no profile %q", profile))
}
