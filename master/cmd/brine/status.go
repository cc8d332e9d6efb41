package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"brine/proto"
)

// statusItem is the whole of `status --out json`, the only item.
type statusItem struct {
	Masters []masterItem `json:"masters"`
	Minions struct {
		Accepted int      `json:"accepted"`
		Online   int      `json:"online"`
		Offline  []string `json:"offline"`
	} `json:"minions"`
	Warnings []string `json:"warnings"`
}

func (a *app) statusCommand() *cobra.Command {
	return a.outFlag(&cobra.Command{
		Use: "status", Short: "Masters, minions, presence and what needs attention", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var s statusItem
			var err error
			if s.Masters, err = a.masters(c); err != nil {
				return err
			}
			minions, err := a.minions(c, nil)
			if err != nil {
				return err
			}
			s.Minions.Offline, s.Warnings = []string{}, warnings(s.Masters)
			for _, m := range minions {
				s.Minions.Accepted++
				if m.Online {
					s.Minions.Online++
				} else {
					s.Minions.Offline = append(s.Minions.Offline, m.ID)
				}
			}
			return a.printStatus(s)
		},
	})
}

func (a *app) printStatus(s statusItem) error {
	if a.out != "nested" {
		return list(a, []statusItem{s}, nil, nil)
	}
	if err := a.printMasters(s.Masters); err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "\n%s accepted, %d online", plural(s.Minions.Accepted, "minion"), s.Minions.Online)
	if n := len(s.Minions.Offline); n > 0 {
		fmt.Fprintf(a.stdout, ", %d offline: %s", n, some(s.Minions.Offline))
	}
	fmt.Fprintln(a.stdout)
	for _, m := range s.Masters {
		if r := m.Returner; r != nil && r.Active && m.State != "away" {
			fmt.Fprintf(a.stdout, "returner: at %s, %s given since it began, about %d waiting\n", m.Name, plural(int(r.Given), "return"), r.Waiting)
		}
	}
	for _, m := range s.Masters {
		if r := m.Rules; r != nil && r.Rules > 0 && m.State != "away" {
			fmt.Fprintf(a.stdout, "rules at %s: %d, %s behind (%v), %d undecided, %d under way, %d to approve\n", m.Name, r.Rules, plural(int(r.Lag), "record"),
				time.Duration(r.LagMS)*time.Millisecond, r.Undecided, r.Open-r.Approvals, r.Approvals)
		}
	}
	for _, w := range s.Warnings {
		fmt.Fprintln(a.stdout, "warning:", w)
	}
	return nil
}

// warnings names what an operator should look at.
func warnings(masters []masterItem) []string {
	out := []string{}
	trees := map[string]bool{}
	for _, m := range masters {
		for _, w := range m.Warnings {
			out = append(out, fmt.Sprintf("master %s: %s", m.Name, w))
		}
		if m.State == "invited" {
			out = append(out, fmt.Sprintf("master %s was invited and has not joined (brine master revoke %s, if it never will)", m.Name, m.Name))
			continue
		}
		if m.State != "live" && m.State != "revoked" {
			is := " is"
			if strings.Contains(m.State, " ") { // what is wrong, in a sentence of its own
				is = ":"
			}
			out = append(out, fmt.Sprintf("master %s%s %s", m.Name, is, m.State))
			continue
		}
		if m.State == "live" && m.Tree != "" { // one that has just started has not read it yet
			trees[m.Tree] = true
		}
		expires, err := time.Parse(time.RFC3339, m.CertificateExpires)
		if err == nil && time.Until(expires) < 60*24*time.Hour {
			out = append(out, fmt.Sprintf("the certificate of master %s expires on %s", m.Name, expires.Format(time.DateOnly)))
		}
	}
	if len(trees) > 1 {
		out = append(out, "the masters' file trees differ")
	}
	return out
}

func (a *app) versionCommand() *cobra.Command {
	return a.outFlag(&cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if a.out == "nested" {
				fmt.Fprintln(a.stdout, "brine", proto.Version)
				return nil
			}
			return a.single("version", proto.Version)
		},
	})
}
