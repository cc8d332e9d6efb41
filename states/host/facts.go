package host

import (
	"context"

	"brine/states/value"
)

// Facts are a host's grains as they are at each moment, while Host.Grains are
// those of the moment at which a job began. Safe for concurrent use.
type Facts interface {
	// Now returns the grains, which no one may change.
	Now(ctx context.Context) *value.Dict
	// Edit changes the grains that are kept in a file. Change gets what is in it, and what all grains are with that,
	// which it may not change; nobody else edits them meanwhile, and it may not ask for Facts itself. When Edit returns,
	// Now has the new ones. With an error of change nothing is changed.
	Edit(ctx context.Context, change func(custom, grains *value.Dict) error) error
	// Fixed names the file that gives the grain a value which no edit overrides; "" when there is none.
	Fixed(name string) string
	// Refresh looks at the host anew.
	Refresh(ctx context.Context) error
	// Warnings tell what of the custom grains could not be used, and why.
	Warnings(ctx context.Context) []string
}
