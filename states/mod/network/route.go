package network

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"brine/states/host"
	"brine/states/value"
)

func hexValue(_ context.Context, _ *host.Host, a ipArgs) (string, error) {
	ip, err := a.parse()
	if err != nil {
		return "", err
	}
	return strings.ToUpper(fmt.Sprintf("%x", ip.AsSlice())), nil
}

// routeTo asks the kernel which way a packet would take.
func routeTo(ctx context.Context, h *host.Host, a ipArgs) (*value.Dict, error) {
	ip, err := a.parse()
	if err != nil {
		return nil, err
	}
	out, err := h.Run(ctx, "ip", "route", "get", ip.String())
	if err != nil {
		return nil, fmt.Errorf("cannot find the route to %s: %w", ip, err)
	}
	words := strings.Fields(out)
	if len(words) == 0 {
		return nil, errors.New("cannot find the route: ip writes nothing")
	}
	route := value.NewDict("destination", words[0], "gateway", nil, "interface", nil, "source", nil)
	for i := 1; i+1 < len(words); i++ {
		switch words[i] {
		case "via":
			route.Put("gateway", words[i+1])
		case "dev":
			route.Put("interface", words[i+1])
		case "src":
			route.Put("source", words[i+1])
		}
	}
	return route, nil
}
