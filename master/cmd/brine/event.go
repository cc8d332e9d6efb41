package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"brine/master/client"
	"brine/master/reactor/decide"
	"brine/proto"
	"brine/proto/event"
	"brine/states/module"
	"brine/states/output"
	"brine/states/value"
)

const filterHelp = `A FILTER is words and texts in double quotes, each of which stands in an event's tag or data, and conditions:

  tag:salt/beacon/*   minion:web*   master:m1   actor:'operator *'   cause:ID   since:2d   until:2026-11-01

Of several conditions with one key one has to hold. since and until take how long ago, or a time.`

// eventItem is an event in JSON.
type eventItem struct {
	ID     string          `json:"id"`
	Tag    string          `json:"tag"`
	Origin string          `json:"origin"`
	At     string          `json:"at"`
	Actor  string          `json:"actor,omitempty"`
	Cause  string          `json:"cause,omitempty"`
	Depth  uint32          `json:"depth,omitempty"`
	Data   json.RawMessage `json:"data"`
}

func newEventItem(e *proto.EventInfo) eventItem {
	ev := e.Event
	item := eventItem{ID: e.Id, Tag: ev.GetTag(), Origin: ev.GetOrigin(), Actor: ev.GetActor(), Cause: ev.GetCause(), Depth: ev.GetDepth(), Data: ev.GetData(),
		At: time.UnixMicro(ev.GetAt()).UTC().Format("2006-01-02T15:04:05.000000Z")}
	if !json.Valid(item.Data) {
		item.Data = json.RawMessage("null")
	}
	return item
}

func (a *app) eventCommand() *cobra.Command {
	return group(&cobra.Command{Use: "event", Short: "What happens on the site: watch it, look for it, tell it"},
		a.eventListCommand(), a.eventWatchCommand(), a.eventSendCommand())
}

func (a *app) eventListCommand() *cobra.Command {
	req := &proto.EventListRequest{}
	var cause string
	c := a.outFlag(&cobra.Command{
		Use: "ls [FILTER]...", Short: "List events, newest first", Long: "List events, newest first: those that minions, masters and operators tell, and jobs and their returns.\n\n" + filterHelp,
		RunE: func(c *cobra.Command, words []string) (err error) {
			if req.Query, err = filter(words, cause); err != nil {
				return err
			}
			cl, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			items, err := listEvents(c.Context(), cl, req)
			if err != nil {
				return err
			}
			if cause != "" && len(items) == 0 {
				fmt.Fprintf(a.stderr, "nothing here is of %s: --cause wants the id of an event, or that of a job\n", output.Harmless(cause))
			}
			return list(a, items, []string{"TIME", "ID", "ORIGIN", "TAG", "ACTOR", "DATA"}, func(e eventItem) []string {
				return []string{e.time(), e.ID, e.Origin, e.Tag, e.Actor, e.short()}
			})
		},
	})
	c.Flags().Uint32Var(&req.Limit, "limit", 50, "how many")
	c.Flags().StringVar(&cause, "cause", "", "only the event or job of this id and what it led to, step by step")
	return c
}

// listEvents asks a master as often as it takes to get what the limit says: an answer has room for so many.
func listEvents(ctx context.Context, cl *client.Client, req *proto.EventListRequest) ([]eventItem, error) {
	var items []eventItem
	master := ""
	for wanted := req.Limit; ; {
		reply := &proto.EventListReply{}
		if err := cl.Call(ctx, "event.list", req, reply); err != nil {
			return nil, err
		}
		if now := cl.Master(); master != "" && now != master {
			master, items, req.Before, req.Limit = now, nil, 0, wanted // the other's log has places of its own
			continue
		}
		master = cl.Master()
		for _, e := range reply.Events {
			items = append(items, newEventItem(e))
		}
		req.Before, req.Limit = reply.Next, wanted-uint32(len(items))
		if reply.Next == 0 || len(items) >= int(wanted) {
			return items, nil
		}
	}
}

// filter reads the words of a filter.
func filter(words []string, cause string) (*proto.EventQuery, error) {
	q, err := event.Parse(event.Join(words), time.Now())
	if err != nil {
		return nil, &exit{exitUsage, err}
	}
	if cause != "" {
		q.Cause = cause
	}
	return q, nil
}

// shortData is how much of an event's data a line shows.
const shortData = 160

func begin(text string) string {
	text = output.Harmless(text)
	if len(text) > shortData {
		text = strings.ToValidUTF8(text[:shortData], "") + "..."
	}
	return text
}

// time is when it happened, for people.
func (e eventItem) time() string { return e.At[:23] + "Z" }

// short is what a line shows of its data. What a rule did and why stands first in its own.
func (e eventItem) short() string {
	s, ok := decide.ReadStep(&proto.Event{Tag: e.Tag, Actor: e.Actor, Data: e.Data})
	if !ok {
		return begin(string(e.Data))
	}
	words := []string{s.Outcome, s.Do, s.Reason}
	if s.Attempt > 1 {
		words = append(words, fmt.Sprintf("attempt %d", s.Attempt))
	}
	if s.Times > 1 {
		words = append(words, fmt.Sprintf("%d events", s.Times))
	}
	if s.Run != "" {
		words = append(words, "run "+s.Run)
	}
	text := strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), ", ")
	if s.Key != "" {
		text = s.Key + ": " + text
	}
	return begin(text)
}

// errEnough ends a watch that has seen as many events as it wants.
var errEnough = errors.New("enough")

func (a *app) eventWatchCommand() *cobra.Command {
	var count int
	var timeout time.Duration
	c := a.outFlag(&cobra.Command{
		Use: "watch [FILTER]...", Short: "Show events as they happen", Long: "Show events as they happen. When a master dies it goes on with another.\n\n" + filterHelp,
		RunE: func(c *cobra.Command, words []string) error {
			q, err := filter(words, "")
			if err != nil {
				return err
			}
			show, err := a.eventPrinter()
			if err != nil {
				return err
			}
			cl, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			ctx, stop := limited(c.Context(), timeout)
			defer stop()
			seen := 0
			begun := func(master string) { fmt.Fprintf(a.stderr, "watching, by master %s\n", master) }
			err = cl.WatchEvents(ctx, q, begun, func(e *proto.EventInfo) error {
				if err := show(newEventItem(e)); err != nil {
					return err
				}
				if seen++; seen == count {
					return errEnough
				}
				return nil
			})
			if why := timedOut(ctx); why != nil && count > 0 {
				return &exit{exitUnanswered, fmt.Errorf("saw %d of %d events: %w", seen, count, why)}
			} else if why != nil || errors.Is(err, errEnough) {
				return nil
			}
			return err
		},
	})
	c.Flags().IntVar(&count, "count", 0, "end after so many events")
	c.Flags().DurationVarP(&timeout, "timeout", "t", 0, "end after this long")
	return c
}

// eventPrinter is what shows one event of many to come.
func (a *app) eventPrinter() (func(eventItem) error, error) {
	switch a.out {
	case "jsonl":
		return func(e eventItem) error { return writeLine(a.stdout, e) }, nil
	case "json", "yaml":
		return func(e eventItem) error { return writeObject(a.stdout, a.out, e) }, nil
	case "quiet":
		return func(eventItem) error { return nil }, nil
	case "nested", "table", "txt":
		return func(e eventItem) error {
			_, err := fmt.Fprintf(a.stdout, "%s  %s  %s  %s\n", e.At[:19]+"Z", e.Origin, output.Harmless(e.Tag), output.Harmless(string(e.Data)))
			return err
		}, nil
	}
	return nil, usage("unknown --out %q (known: %s)", a.out, strings.Join(listOuts, ", "))
}

func (a *app) eventSendCommand() *cobra.Command {
	return a.outFlag(&cobra.Command{
		Use: "send TAG [KEY=VALUE|JSON]...", Short: "Tell that something happened",
		Long: "Tell that something happened: all masters store it, and who watches for it sees it. Its data are named values, read as YAML, or an object of JSON, or - for one on standard input.",
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("event send wants a tag, as in: brine event send site/deploy/done version=1.2")
			}
			data, err := a.eventData(args[1:])
			if err != nil {
				return &exit{exitUsage, err}
			}
			cl, err := a.connect()
			if err != nil {
				return err
			}
			defer cl.Close()
			reply, err := cl.SendEvent(c.Context(), args[0], data)
			if err != nil {
				return err
			}
			if len(reply.Unconfirmed) > 0 {
				fmt.Fprintf(a.stderr, "not confirmed by %s\n", strings.Join(reply.Unconfirmed, ", "))
			}
			items := []map[string]string{{"id": reply.Id}}
			return list(a, items, []string{"ID"}, func(i map[string]string) []string { return []string{i["id"]} })
		},
	})
}

// eventData makes an object of JSON of what was typed.
func (a *app) eventData(words []string) ([]byte, error) {
	if len(words) == 1 && words[0] == "-" {
		data, err := io.ReadAll(os.Stdin)
		return data, err
	}
	all := value.NewDict()
	for _, w := range words {
		if m := kwarg.FindStringSubmatch(w); m != nil {
			all.Put(m[1], module.Typed(m[2]).Data)
			continue
		}
		v, err := value.FromJSON([]byte(w))
		d, ok := v.(*value.Dict)
		if err != nil || !ok {
			return nil, fmt.Errorf("cannot read %q: want KEY=VALUE or an object of JSON", w)
		}
		for k, v := range d.All() {
			if err := all.Set(k, v); err != nil {
				return nil, err
			}
		}
	}
	return value.MarshalJSON(all)
}
