package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	pb "google.golang.org/protobuf/proto"

	"brine/master/client"
	"brine/pki"
	"brine/proto"
	"brine/proto/subject"
)

// decideOperators asks for a change of operators, and shows what came of it.
func (a *app) decideOperators(c *cobra.Command, verb string, req pb.Message) error {
	cl, err := a.connect()
	if err != nil {
		return err
	}
	defer cl.Close()
	reply := &proto.OperatorDecideReply{}
	if err := cl.Call(c.Context(), verb, req, reply); err != nil {
		return err
	}
	err = list(a, operatorItems(reply.Operators), []string{"NAME", "STATE", "UNTIL", "FINGERPRINT", "ROLES"}, func(o operatorItem) []string {
		return []string{o.Name, o.State, o.Until, o.Fingerprint, strings.Join(o.Roles, "; ")}
	})
	if err == nil && len(reply.Unconfirmed) > 0 {
		fmt.Fprintf(a.stderr, "not confirmed yet by master %s: it will learn it when it is back\n", strings.Join(reply.Unconfirmed, ", "))
	}
	return err
}

// operatorNames offers the names of operators.
func (a *app) operatorNames(c *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	reply := &proto.OperatorListReply{}
	a.ask(c, "operator.list", &proto.OperatorListRequest{}, reply)
	var words []string
	for _, o := range reply.Operators {
		words = append(words, o.Name)
	}
	return starting(words, word), noFiles
}

func (a *app) operatorSiteCommand() *cobra.Command {
	return a.outFlag(&cobra.Command{
		Use: "site", Short: "Show what brine operator new wants on another machine: the site's fingerprint and where its masters are", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			reply := &proto.MasterListReply{}
			if err := cl.Call(c.Context(), "master.list", &proto.Empty{}, reply); err != nil {
				return err
			}
			var masters []string
			for _, m := range reply.Masters {
				if m.State != "revoked" && m.Bus != "" {
					masters = append(masters, m.Bus)
				}
			}
			return a.single("site", cl.Trust().Pin().String()+"@"+strings.Join(masters, ","))
		},
	})
}

func (a *app) operatorNewCommand() *cobra.Command {
	var site string
	c := &cobra.Command{
		Use: "new NAME --site SITE", Short: "Make a key and a configuration here, and print the public key for brine operator add",
		Long: "Make a key and an operator.toml on this machine, at the place that --config names, and print the public key, which an " +
			"admin adds with brine operator add. The private key never leaves this machine. SITE is what brine operator site prints for an admin.",
		Example: "  brine --config ~/.brine/operator.toml operator new alice --site 3a:5f:...@m1:4511,m2:4511",
		Args:    oneOperator("new"), ValidArgsFunction: nothing,
		RunE: func(_ *cobra.Command, args []string) error {
			name := args[0]
			if err := subject.CheckID(name); err != nil {
				return &exit{exitUsage, err}
			}
			text, masters, ok := strings.Cut(strings.TrimSpace(site), "@")
			if !ok || masters == "" {
				return usage("cannot use --site %q: want FINGERPRINT@HOST:PORT,..., as brine operator site prints it", site)
			}
			fingerprint, err := pki.ParseFingerprint(text)
			if err != nil {
				return &exit{exitUsage, err}
			}
			key, err := client.NewOperator(a.config, name, fingerprint, strings.Split(masters, ","))
			if err != nil {
				return err
			}
			if a.out == "nested" {
				fmt.Fprintf(a.stderr, "made %s; an admin lets you in with:\n  brine operator add %s --role ROLE --key\n", a.config, name)
			}
			return a.single("key", pki.NKey(key))
		},
	}
	c.Flags().StringVar(&site, "site", "", "FINGERPRINT@HOST:PORT,... of the site")
	return a.outFlag(c)
}
