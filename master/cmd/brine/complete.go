package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	pb "google.golang.org/protobuf/proto"

	"brine/master/client"
	"brine/master/orchestrate"
	"brine/proto"
	"brine/states/all"
)

// What the shell offers comes from the code where it can, else from a master: soon, or not at all.

// completionTime is how long a master is asked: who types does not wait, and a master 50 ms away takes five round trips.
const completionTime = 300 * time.Millisecond

type completer = func(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective)

const noFiles = cobra.ShellCompDirectiveNoFileComp

// complete has the shell offer words for a flag.
func complete(c *cobra.Command, flag string, words ...string) {
	_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, noFiles)) // the flag is there
}

// position offers what a completer for each argument says; the last is for all further ones.
func position(of ...completer) completer {
	return func(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		return of[min(len(args), len(of)-1)](c, args, word)
	}
}

// nothing offers nothing, files neither.
func nothing(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, noFiles
}

// starting returns those of the words that a word begins.
func starting(words []string, word string) []string {
	return slices.DeleteFunc(words, func(w string) bool { return !strings.HasPrefix(w, word) })
}

// ask asks a master. Without an answer it leaves reply as it is.
func (a *app) ask(c *cobra.Command, verb string, req, reply pb.Message) {
	config, err := client.LoadConfig(a.config)
	if err != nil {
		return
	}
	cl, err := client.New(config)
	if err != nil {
		return
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(c.Context(), completionTime)
	defer cancel()
	_ = cl.Call(ctx, verb, req, reply) // no answer in time is no offer
}

// minionIDs offers the ids of accepted minions; the last one of a list with commas.
func (a *app) minionIDs(c *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	before := word[:strings.LastIndexByte(word, ',')+1]
	reply := &proto.MinionListReply{}
	a.ask(c, "minion.list", &proto.MinionListRequest{}, reply)
	var words []string
	for _, m := range reply.Minions {
		words = append(words, before+m.Id+"\t"+presence(m.Online))
	}
	return starting(words, word), noFiles
}

// functions offers the functions of modules.
func functions(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
	return starting(all.Index().Functions(), word), noFiles
}

// documented offers everything that has a documentation.
func documented(_ *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, noFiles
	}
	x := orchestrate.Index()
	words := slices.Concat(x.Modules(), x.StateModules(), x.Functions(), x.States())
	slices.Sort(words)
	return starting(slices.Compact(words), word), noFiles
}

// namedArguments offers KEY= of each argument of the function that args name second.
func namedArguments(_ *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	f, err := all.Index().Func(args[1])
	if err != nil {
		return nil, noFiles
	}
	var words []string
	for _, p := range f.Params() {
		if !p.Rest && !p.Named {
			doc, _, _ := strings.Cut(strings.TrimSpace(p.Doc), "\n")
			words = append(words, p.Name+"=\t"+doc)
		}
	}
	return starting(words, word), cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveDefault
}

// jids offers the newest jobs.
func (a *app) jids(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, noFiles
	}
	reply := &proto.JobListReply{}
	a.ask(c, "job.list", &proto.JobListRequest{Limit: 20}, reply)
	var words []string
	for _, j := range reply.Jobs {
		words = append(words, j.Jid+"\t"+j.Function+" "+j.GetTarget().GetExpression())
	}
	return starting(words, word), noFiles | cobra.ShellCompDirectiveKeepOrder
}

// keys offers the ids of keys that are in one of the states; in any when there is none.
func (a *app) keys(states ...proto.KeyState) completer {
	return func(c *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		reply := &proto.KeyListReply{}
		a.ask(c, "key.list", &proto.KeyListRequest{}, reply)
		var words []string
		for _, k := range reply.Keys {
			if len(states) == 0 || slices.Contains(states, k.State) {
				words = append(words, k.Id+"\t"+keyState(k.State))
			}
		}
		return starting(words, word), noFiles
	}
}

// masterNames offers the names of masters.
func (a *app) masterNames(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, noFiles
	}
	reply := &proto.MasterListReply{}
	a.ask(c, "master.list", &proto.Empty{}, reply)
	var words []string
	for _, m := range reply.Masters {
		words = append(words, m.Name+"\t"+m.State)
	}
	return starting(words, word), noFiles
}
