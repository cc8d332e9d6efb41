package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// reactors makes [[reactor]] of Salt's reactor: a list of tags, each with reaction SLS.
func reactors(into map[string]any, v any) (note string, ok bool) {
	var entries []map[string]any
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if m, isDict := item.(map[string]any); isDict {
				entries = append(entries, m)
			}
		}
	case map[string]any:
		entries = append(entries, v)
	case string:
		return fmt.Sprintf("it is a file, %s: put its reactors into [[reactor]] of master.toml", v), false
	}
	var tables []map[string]any
	odd := 0
	for _, entry := range entries {
		for _, tag := range slices.Sorted(maps.Keys(entry)) {
			sls := texts(entry[tag])
			if len(sls) == 0 || slices.ContainsFunc(sls, func(s string) bool { return !strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "salt://") }) {
				odd++
				continue
			}
			tables = append(tables, map[string]any{"tag": tag, "sls": sls})
		}
	}
	if len(tables) == 0 {
		return "it has no tag with reaction SLS, by whole paths or salt://", false
	}
	before, _ := into["reactor"].([]map[string]any)
	into["reactor"] = append(before, tables...)
	note = "the same on all masters; rules in _rules of the state tree can do more: cool-downs, checks, approval"
	if odd > 0 {
		note = fmt.Sprintf("%s left out: no reaction SLS by whole paths or salt://; ", plural(odd, "entry")) + note
	}
	return note, true
}
