package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"brine/master/client"
	"brine/proto"
)

// rotateItem tells in JSON of a master's new key.
type rotateItem struct {
	Name             string   `json:"name"`
	Key              string   `json:"key"`
	Confirmed        []string `json:"confirmed"`
	Unconfirmed      []string `json:"unconfirmed"`
	MinionsConfirmed uint32   `json:"minions_confirmed"`
	Minions          uint32   `json:"minions"`
}

func (a *app) masterRotateCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "rotate-key NAME", Short: "Have a master use a new key of its own: the old one is refused from then on",
		Args: oneName("rotate-key"), ValidArgsFunction: a.masterNames,
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			phrase, err := a.passphrase(c.Context(), file)
			if err != nil {
				return err
			}
			defer a.slow(patience, confirming)()
			key, reply, err := client.RotateMaster(c.Context(), cl, args[0], phrase)
			if err != nil {
				return err
			}
			item := rotateItem{args[0], key.String(), ordered(reply.Confirmed), ordered(reply.Unconfirmed), reply.MinionsConfirmed, reply.Minions}
			return list(a, []rotateItem{item}, []string{"ROTATED", "NEW KEY", "CONFIRMED BY", "NOT YET BY", "MINIONS"}, func(r rotateItem) []string {
				return []string{r.Name, r.Key, strings.Join(r.Confirmed, ","), strings.Join(r.Unconfirmed, ","), fmt.Sprintf("%d of %d", r.MinionsConfirmed, r.Minions)}
			})
		},
	}
	c.Flags().StringVar(&file, "passphrase-file", "", "file with the passphrase of the site key (default: ask)")
	return a.outFlag(c)
}

// renewItem tells in JSON of a master's new certificate, or why it has none.
type renewItem struct {
	Name    string `json:"name"`
	Expires string `json:"certificate_expires"`
	Error   string `json:"error"`
}

func (a *app) masterRenewCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use: "renew [NAME...]", Short: "Give masters new certificates, good for a year; without a name all", ValidArgsFunction: a.masterNames,
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			phrase, err := a.passphrase(c.Context(), file)
			if err != nil {
				return err
			}
			defer a.slow(patience, confirming)()
			if len(args) == 0 {
				if args, err = mastersToRenew(c, cl); err != nil {
					return err
				}
			}
			return a.renew(c, cl, args, phrase)
		},
	}
	c.Flags().StringVar(&file, "passphrase-file", "", "file with the passphrase of the site key (default: ask)")
	return a.outFlag(c)
}

func mastersToRenew(c *cobra.Command, cl *client.Client) (names []string, err error) {
	reply := &proto.MasterListReply{}
	err = cl.Call(c.Context(), "master.list", &proto.Empty{}, reply)
	for _, m := range reply.Masters {
		if m.State != "revoked" {
			names = append(names, m.Name)
		}
	}
	return names, err
}

// renew goes through all of names, whatever comes of the first.
func (a *app) renew(c *cobra.Command, cl *client.Client, names []string, phrase string) error {
	renewed, err := client.RenewMasters(c.Context(), cl, names, phrase)
	if err != nil {
		return err
	}
	items := make([]renewItem, 0, len(renewed))
	worst := exitOK
	for _, r := range renewed {
		item := renewItem{Name: r.Name}
		if r.Err == nil {
			item.Expires = stamp(r.Until.UnixMicro())
		} else {
			item.Error, worst = r.Err.Error(), max(worst, statusOf(r.Err))
		}
		items = append(items, item)
	}
	err = list(a, items, []string{"NAME", "CERTIFICATE EXPIRES", "NOT RENEWED"}, func(r renewItem) []string {
		return []string{r.Name, r.Expires, r.Error}
	})
	if err == nil && worst != exitOK {
		err = &exit{worst, nil}
	}
	return err
}
