package shell_test

import (
	"io"
	"testing"

	"github.com/spf13/cobra"

	"brine/proto/shell"
)

func TestUnknownFlagTellsWhichWasMeant(t *testing.T) {
	for arg, want := range map[string]string{
		"--tset":      `unknown flag: --tset (did you mean "--test"?)`,
		"--confg":     `unknown flag: --confg (did you mean "--config"?)`,
		"--whatever":  "unknown flag: --whatever (see tool do --help)",
		"--secrt":     "unknown flag: --secrt (see tool do --help)",
		"-x":          "unknown shorthand flag: 'x' in -x (see tool do --help)",
		"--count=two": `invalid argument "two" for "--count" flag: strconv.ParseInt: parsing "two": invalid syntax`,
	} {
		root := &cobra.Command{Use: "tool", SilenceErrors: true, SilenceUsage: true}
		do := &cobra.Command{Use: "do", Run: func(*cobra.Command, []string) {}}
		do.Flags().Bool("test", false, "")
		do.Flags().Int("count", 0, "")
		do.Flags().Bool("secret", false, "")
		if err := do.Flags().MarkHidden("secret"); err != nil {
			t.Fatal(err)
		}
		root.PersistentFlags().String("config", "", "")
		root.AddCommand(do)
		root.SetFlagErrorFunc(shell.Flag)
		root.SetOut(io.Discard)
		root.SetArgs([]string{"do", arg})
		if err := root.Execute(); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", arg, err, want)
		}
	}
}
