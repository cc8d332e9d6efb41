package host

import "context"

// A Mine is what minions tell each other through their masters. Safe for concurrent use.
type Mine interface {
	// Get returns what the minions of a target told, as far as this minion may see it, in order of function and minion.
	Get(ctx context.Context, q MineQuery) ([]MineItem, error)
	// Edit changes what this minion tells, by name, and returns when a master has stored it. Without a master the change
	// is kept and told later; the error says so.
	Edit(ctx context.Context, change func(own map[string]MineEntry)) error
}

// A MineQuery says what to get from whom.
type MineQuery struct {
	Target, Type string // Type is glob, grain, compound and the like
	Functions    []string
}

// A MineItem is what one minion told.
type MineItem struct {
	Function, Minion string
	Value            any
}

// A MineEntry is what a minion tells under one name.
type MineEntry struct {
	Data            []byte // JSON
	Allow, AllowHow string // the minions that may get it, and how that target is read; "" is all
}
