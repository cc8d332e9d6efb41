package shell

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"brine/proto/spell"
)

// Flag is what to tell of an error in the flags of a command: of one that it does not have, also which was meant, or where
// all of them stand.
func Flag(c *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	var names []string
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	if meant := spell.Nearest(unknown.GetSpecifiedName(), names); meant != "" && unknown.GetSpecifiedShortnames() == "" {
		return fmt.Errorf("%w (did you mean %q?)", err, "--"+meant)
	}
	return fmt.Errorf("%w (see %s --help)", err, c.CommandPath())
}
