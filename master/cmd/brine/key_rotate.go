package main

import (
	"strings"

	"github.com/spf13/cobra"

	"brine/master/client"
	"brine/proto"
)

const rekeyFunction = "saltutil.regen_keys"

func (a *app) keyRotateCommand() *cobra.Command {
	f := &jobFlags{}
	return f.add(a, &cobra.Command{
		Use: "rotate TARGET...", Short: "Have accepted minions make new keys, in the place of those that they have",
		Long: "Have accepted minions make new keys. Each proves the new one with the old one, which is refused for good\n" +
			"from then on; the id stays accepted throughout. A minion that is offline keeps its key (see --wait-offline).\n" +
			"A key that may be in other hands is better revoked: whoever has it can change it too.",
		Example:           "  brine key rotate 'web*'\n  brine key rotate -L web1,db1\n  brine key rotate '*' --batch 10%",
		ValidArgsFunction: a.minionIDs,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return usage("key rotate wants at least one id or glob")
			case len(args) > 1 && f.syntax != proto.Target_SYNTAX_UNSPECIFIED:
				return usage("key rotate wants one target; several may only be globs")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 1 {
				f.syntax = proto.Target_COMPOUND
			}
			return a.job(c.Context(), f, strings.Join(args, " or "), []*proto.Call{{Function: rekeyFunction}})
		},
	})
}

// operatorKeyItem tells in JSON of an operator's new key.
type operatorKeyItem struct {
	Name        string   `json:"name"`
	Fingerprint string   `json:"fingerprint"`
	Unconfirmed []string `json:"unconfirmed"`
}

func (a *app) operatorRotateCommand() *cobra.Command {
	return a.outFlag(&cobra.Command{
		Use: "rotate-key", Short: "Make yourself a new key, in the place of the one that operator.toml names",
		Long: "Make yourself a new key. It takes the place of the one in the file that operator.toml names; the one before is refused for good\n" +
			"from then on, wherever else there are copies of it. It lies beside it (.old), for masters that were away.\n" +
			"Another operator's key is changed by its owner, or with a key that brine operator new made: brine operator set NAME --key KEY.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("operator rotate-key is for your own key: that of %s is changed by its owner, or with brine operator set %s --key KEY", args[0], args[0])
			}
			return nil
		},
		ValidArgsFunction: nothing,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			key, unconfirmed, err := client.RotateKey(c.Context(), cl)
			if err != nil {
				return err
			}
			item := operatorKeyItem{cl.Config().Name, key.String(), ordered(unconfirmed)}
			return list(a, []operatorKeyItem{item}, []string{"OPERATOR", "NEW KEY", "NOT YET KNOWN TO"}, func(o operatorKeyItem) []string {
				return []string{o.Name, o.Fingerprint, strings.Join(o.Unconfirmed, ",")}
			})
		},
	})
}
