// Package shell gives each of the programs the commands by which it tells a shell and man about itself.
package shell

import (
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// Add adds the commands man and completion to a program, whose man pages belong into a section. usage makes the
// error of a mistake on the command line. A program that is built with the tag noman has no command man.
func Add(root *cobra.Command, section string, usage func(format string, args ...any) error) {
	root.CompletionOptions.DisableDefaultCmd = true
	addManual(root, section, usage)
	root.AddCommand(completion(usage))
	blame(root, usage)
}

// blame has what cobra itself finds wrong with the words behind a command be a mistake on the command line like others.
func blame(c *cobra.Command, usage func(format string, args ...any) error) {
	for _, sub := range c.Commands() {
		blame(sub, usage)
	}
	check := c.Args
	if check == nil || c.HasSubCommands() {
		return
	}
	c.Args = func(c *cobra.Command, args []string) error {
		err := check(c, args)
		switch {
		case err == nil:
			return nil
		case strings.HasPrefix(err.Error(), "unknown command "): // of NoArgs
			return usage("%s takes no words behind it, such as %q (see %s --help)", c.CommandPath(), args[0], c.CommandPath())
		case strings.HasPrefix(err.Error(), "accepts "): // of ExactArgs and its like
			return usage("%s %w (see %s --help)", c.CommandPath(), err, c.CommandPath())
		}
		return err
	}
}

// shells is what a completion can be made for.
var shells = map[string]func(root *cobra.Command, w io.Writer) error{
	"bash": func(root *cobra.Command, w io.Writer) error {
		if _, err := io.WriteString(w, withoutLibrary); err != nil {
			return err
		}
		return root.GenBashCompletionV2(w, true)
	},
	"fish": func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) },
	"zsh":  func(root *cobra.Command, w io.Writer) error { return root.GenZshCompletion(w) },
}

// withoutLibrary stands in for the library bash-completion, which the script uses, where that is not installed. Words
// end at blanks only, as the script asks for; of a word with a colon bash replaces the last part.
const withoutLibrary = `if ! declare -F _init_completion >/dev/null && ! declare -F _get_comp_words_by_ref >/dev/null; then
    _get_comp_words_by_ref() {
        local line=${COMP_LINE:0:COMP_POINT}
        read -ra words <<<"$line"
        [[ $line == *[[:space:]] ]] && words+=("")
        cword=$((${#words[@]} - 1))
        cur=${words[cword]} prev=${words[cword - 1]}
    }
    __ltrim_colon_completions() {
        [[ $1 == *:* ]] || return
        local i=${#COMPREPLY[@]} before=${1%"${1##*:}"}
        while ((i-- > 0)); do COMPREPLY[i]=${COMPREPLY[i]#"$before"}; done
    }
fi
`

func completion(usage func(string, ...any) error) *cobra.Command {
	return &cobra.Command{
		Use: "completion SHELL", Short: "Print what makes a shell complete this program's commands: bash, fish or zsh",
		Long: `Print what makes a shell complete this program's commands: bash, fish or zsh.

In the running shell:

  bash  source <(PROGRAM completion bash)
  zsh   source <(PROGRAM completion zsh)      (compinit must have been run)
  fish  PROGRAM completion fish | source`,
		ValidArgs: []string{"bash", "fish", "zsh"},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 || shells[args[0]] == nil {
				return usage("completion wants one shell: bash, fish or zsh")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			return shells[args[0]](c.Root(), c.OutOrStdout())
		},
	}
}
