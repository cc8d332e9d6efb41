package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"brine/master/reactor/rule"
)

const rulesLintAbout = `Read files of rules and list all mistakes of all files at once, each as FILE:LINE. It needs no master.

DIR is a directory of such files, or the root of a tree that has them in _rules. It ends with 65 when there are mistakes; warnings
alone end with 0.`

func (a *app) rulesLintCommand() *cobra.Command {
	return a.outFlag(&cobra.Command{
		Use: "lint [DIR|FILE]...", Short: "Find every mistake in files of rules", Long: rulesLintAbout,
		Example: "  brine rules lint\n  brine rules lint _rules/web.toml --out json",
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"."}
			}
			files, err := ruleFiles(args)
			if err != nil {
				return err
			}
			set, problems := rule.Parse("files", files)
			wrong := rule.Mistakes(problems)
			if a.out == "nested" {
				for _, p := range problems {
					fmt.Fprintln(a.stdout, p)
				}
				fmt.Fprintf(a.stdout, "%s in %s: %s, %s\n", plural(len(set.Rules), "rule"), plural(len(files), "file"), plural(len(wrong), "error"),
					plural(len(problems)-len(wrong), "warning"))
			} else if err := list(a, problems, []string{"FILE", "LINE", "WARNING", "MESSAGE", "HINT"}, func(p rule.Problem) []string {
				return []string{p.File, strconv.Itoa(p.Line), strconv.FormatBool(p.Warning), p.Text, p.Hint}
			}); err != nil {
				return err
			}
			if len(wrong) > 0 {
				return &exit{exitData, nil}
			}
			return nil
		},
	})
}

// ruleFiles reads files, and those of directories.
func ruleFiles(args []string) ([]rule.File, error) {
	var names []string
	for _, arg := range args {
		st, err := os.Stat(arg)
		if err != nil {
			return nil, &exit{exitUsage, fmt.Errorf("cannot read rules: %w", err)}
		}
		if !st.IsDir() {
			names = append(names, arg)
			continue
		}
		if sub := filepath.Join(arg, "_rules"); isDir(sub) {
			arg = sub
		}
		before := len(names)
		err = filepath.WalkDir(arg, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && strings.HasSuffix(path, ".toml") {
				names = append(names, path)
			}
			return err
		})
		if err != nil {
			return nil, &exit{exitUsage, fmt.Errorf("cannot read rules: %w", err)}
		}
		if len(names) == before {
			return nil, &exit{exitUsage, fmt.Errorf("cannot read rules: there is no .toml file in %s", arg)}
		}
	}
	var files []rule.File
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, &exit{exitUsage, fmt.Errorf("cannot read rules: %w", err)}
		}
		files = append(files, rule.File{Name: name, Text: text})
	}
	return files, nil
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}
