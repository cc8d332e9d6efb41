package main

import (
	"fmt"
	"slices"
	"strings"
)

// externalPillar takes repositories of git among what Salt calls ext_pillar; what else there is is named.
func externalPillar(into map[string]any, v any) (string, bool) {
	items, _ := v.([]any)
	var remotes []map[string]any
	var notes []string
	for _, item := range items {
		kinds, _ := item.(map[string]any)
		for kind, settings := range kinds {
			if kind != "git" {
				notes = append(notes, kind+": a program that prints JSON, [[pillar.external]] of master.toml")
				continue
			}
			list, _ := settings.([]any)
			for _, one := range list {
				remote, others := pillarRemote(one)
				if remote == nil {
					notes = append(notes, fmt.Sprintf("git: cannot read %v", one))
					continue
				}
				remotes = append(remotes, remote)
				for _, o := range others {
					notes = append(notes, "git: no counterpart, or of another form: "+o)
				}
			}
		}
	}
	slices.Sort(notes)
	note := strings.Join(slices.Compact(notes), "; ")
	if len(remotes) > 0 {
		put(into, remotes, "git_pillar")
	}
	return note, len(remotes) > 0
}

// pillarRemote reads "BRANCH URL", or that with a list of settings.
func pillarRemote(v any) (remote map[string]any, others []string) {
	name, settings := "", any(nil)
	switch v := v.(type) {
	case string:
		name = v
	case map[string]any:
		for name, settings = range v {
			break // it has one key
		}
	}
	words := strings.Fields(name)
	switch len(words) {
	case 1: // of the branch master
		remote = map[string]any{"url": words[0]}
	case 2:
		remote = map[string]any{"url": words[1], "branch": words[0]}
	default:
		return nil, nil
	}
	items, _ := settings.([]any)
	for _, item := range items {
		pairs, _ := item.(map[string]any)
		for key, v := range pairs {
			switch key {
			case "name", "root", "mountpoint", "env", "privkey", "user":
				remote[key] = v
			default:
				others = append(others, key)
			}
		}
	}
	return remote, others
}
