package host

import "context"

// Custom keeps the executables that state trees bring along for this host: its modules, states and grains. Safe for
// concurrent use.
type Custom interface {
	// Sync keeps those of a kind (modules, states or grains) that the job's tree has now, and forgets those that it has
	// no more. Of an environment other than the job's, env names it. Those that want does not want stay as they are.
	// It returns the names of those that are new, or others than before; the errors name those that can't be used.
	Sync(ctx context.Context, kind, env string, want func(name string) bool) (changed []string, errs []error)
}
