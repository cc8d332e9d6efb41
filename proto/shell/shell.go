// Package shell gives each of the programs the commands by which it tells a shell and man about itself.
package shell

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"brine/proto"
)

// Add adds the commands man and completion to a program, whose man pages belong into a section. usage makes the
// error of a mistake on the command line.
func Add(root *cobra.Command, section string, usage func(format string, args ...any) error) {
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(manual(section, usage), completion(usage))
}

func manual(section string, usage func(string, ...any) error) *cobra.Command {
	return &cobra.Command{
		Use: "man [DIR]", Short: "Write a man page for each command, into the directory given or this one",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("man wants at most one directory")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			if err := write(c.Root(), section, dir); err != nil {
				return fmt.Errorf("cannot write man pages: %w", err)
			}
			return nil
		},
	}
}

func write(root *cobra.Command, section, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root.DisableAutoGenTag = true // it would tell the day on which the page was made
	header := &doc.GenManHeader{Section: section, Source: "brine " + proto.Version, Manual: "brine"}
	return doc.GenManTree(root, header, dir)
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
