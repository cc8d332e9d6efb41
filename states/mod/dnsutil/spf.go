package dnsutil

import (
	"context"
	"net"
	"strings"

	"brine/states/host"
)

type spfArgs struct {
	nameArgs
	Record string `arg:"record" default:"SPF" doc:"accepted for Salt: domains have it as TXT"`
}

// lookups is how many domains one may lead to.
const lookups = 10

func digSPF(ctx context.Context, h *host.Host, a spfArgs) ([]string, error) {
	all, left := []string{}, lookups
	err := spf(ctx, h, a.nameArgs, &left, &all)
	return all, err
}

// spf adds the networks of a domain, and of those that it includes, to all.
func spf(ctx context.Context, h *host.Host, a nameArgs, left *int, all *[]string) error {
	*left--
	if *left < 0 {
		return nil
	}
	texts, err := tell(ctx, h, a, func(ctx context.Context, r *net.Resolver) ([]string, error) { return r.LookupTXT(ctx, full(a.Host)) })
	if err != nil {
		return err
	}
	for _, text := range texts {
		words := strings.Fields(text)
		if len(words) == 0 || words[0] != "v=spf1" {
			continue
		}
		for _, word := range words[1:] {
			if err := mechanism(ctx, h, a, word, left, all); err != nil {
				return err
			}
		}
	}
	return nil
}

func mechanism(ctx context.Context, h *host.Host, a nameArgs, word string, left *int, all *[]string) error {
	if domain, ok := strings.CutPrefix(word, "redirect="); ok {
		return spf(ctx, h, nameArgs{Host: domain, Server: a.Server}, left, all)
	}
	kind, val, _ := strings.Cut(strings.TrimLeft(word, "+~"), ":")
	switch kind {
	case "include":
		return spf(ctx, h, nameArgs{Host: val, Server: a.Server}, left, all)
	case "ip4", "ip6":
		if ok, _ := checkNetwork(ctx, h, networkArgs{val}); ok {
			*all = append(*all, val)
		}
	}
	return nil
}
