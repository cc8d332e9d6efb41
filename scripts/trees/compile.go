package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"

	"brine/minion/agentmod"
	"brine/minion/files"
	"brine/states/host"
	"brine/states/render"
	"brine/states/sls"
	"brine/states/value"
)

// A unit is a tree as one host with one pillar sees it.
type unit struct {
	tree
	machine
	example bool // with its pillar.example

	lenient bool
	pillar  *value.Dict
	funcs   functions
	unknown []string // states that there are none of, as far as they were met
}

// compiled is what came of one SLS.
type compiled struct {
	text     string
	textErr  string
	chunks   []*value.Dict // in the order in which they run
	mistakes []string      // "file:line: text"
	unknown  []string      // states that there are none of
	missing  []string      // functions that there are none of
}

// compileAll compiles every SLS for every host with every pillar.
func compileAll(ctx context.Context, o options, trees []tree, hosts []machine, x *oracle) (*report, error) {
	r := &report{Oracle: x.name, Lenient: o.lenient}
	work := make(chan unit)
	errs := make(chan error, max(o.jobs, 1))
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range max(o.jobs, 1) {
		wg.Go(func() {
			s, err := x.start(ctx)
			if err != nil {
				errs <- err
				return
			}
			defer s.close()
			for u := range work {
				cases, err := u.cases(ctx, s)
				if err != nil {
					errs <- err
					return
				}
				mu.Lock()
				r.Cases = append(r.Cases, cases...)
				mu.Unlock()
			}
		})
	}
	err := send(ctx, work, errs, units(o, trees, hosts))
	close(work)
	wg.Wait()
	if err == nil && len(errs) > 0 {
		err = <-errs
	}
	r.sort()
	return r, err
}

func send(ctx context.Context, work chan<- unit, errs <-chan error, units []unit) error {
	for i, u := range units {
		select {
		case work <- u:
			if st, err := os.Stderr.Stat(); err == nil && st.Mode()&os.ModeCharDevice != 0 {
				fmt.Fprintf(os.Stderr, "\r\x1b[K%d of %d: %s", i+1, len(units), u.repo)
			}
		case err := <-errs:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func units(o options, trees []tree, hosts []machine) []unit {
	var all []unit
	for _, t := range trees {
		for _, m := range hosts {
			all = append(all, unit{tree: t, machine: m, lenient: o.lenient})
			if t.example != "" {
				all = append(all, unit{tree: t, machine: m, lenient: o.lenient, example: true})
			}
		}
	}
	return all
}

// cases compiles the SLS of a unit and compares them.
func (u *unit) cases(ctx context.Context, s *session) ([]outcome, error) {
	u.funcs = functions{index(nil), fixedAnswers()}
	u.pillar = &value.Dict{}
	if u.example {
		d, err := u.readPillar(ctx, u.tree.example, u.funcs)
		if err != nil {
			return []outcome{u.outcome("pillar.example", classPillar, err.Error())}, nil
		}
		u.pillar = d
	}
	answers, err := s.ask(u.tree, u.machine, u.pillar)
	if err != nil {
		return nil, err
	}
	var all []outcome
	for _, name := range u.sls {
		c, err := u.compile(ctx, name)
		if err != nil {
			return nil, err
		}
		all = append(all, u.judge(ctx, name, c, answers[name], s.oracle))
	}
	return all, nil
}

var (
	unknownState    = regexp.MustCompile(`unknown state "([^"]+)"|"([^"]+)" is a function, not a state`)
	unknownFunction = regexp.MustCompile(`unknown function "([^"]+)"`)
)

// compile compiles one SLS. States that are not known don't keep it from being compiled: they take any arguments.
func (u *unit) compile(ctx context.Context, name string) (*compiled, error) {
	for {
		c, err := u.show(ctx, name)
		if err != nil {
			return nil, err
		}
		before := len(u.unknown)
		for _, m := range c.mistakes {
			if found := unknownState.FindStringSubmatch(m); found != nil {
				full := found[1] + found[2]
				if strings.Count(full, ".") == 1 && !slices.Contains(u.unknown, full) {
					u.unknown = append(u.unknown, full)
				}
			}
			if found := unknownFunction.FindStringSubmatch(m); found != nil && !slices.Contains(c.missing, found[1]) {
				c.missing = append(c.missing, found[1])
			}
		}
		if len(u.unknown) > before {
			u.funcs.Index = index(u.unknown)
			continue
		}
		for _, chunk := range c.chunks {
			if full := stateOf(chunk); slices.Contains(u.unknown, full) && !slices.Contains(c.unknown, full) {
				c.unknown = append(c.unknown, full)
			}
		}
		c.text, c.textErr = u.text(ctx, name)
		return c, nil
	}
}

func stateOf(chunk *value.Dict) string {
	mod, _ := chunk.Get("state")
	fn, _ := chunk.Get("fun")
	return fmt.Sprintf("%v.%v", mod, fn)
}

func (u *unit) freshHost() (*host.Host, error) {
	p, err := value.Clone(u.pillar)
	if err != nil {
		return nil, err
	}
	return u.host(u.root, p.(*value.Dict), u.funcs), nil
}

// show compiles as a minion that is asked for state.show_low_sls.
func (u *unit) show(ctx context.Context, name string) (*compiled, error) {
	h, err := u.freshHost()
	if err != nil {
		return nil, err
	}
	agent := &agentmod.Agent{
		Host: h, Index: u.funcs.Index, Source: files.NewDirs("base", u.root), Environment: "base", Lenient: u.lenient,
	}
	v, retcode, err := agent.Show(ctx, host.ShowLow, host.StateRun{Mods: []string{name}})
	if err != nil {
		return nil, err
	}
	c := &compiled{}
	list, _ := v.(*value.List)
	for _, item := range list.Items {
		if retcode != 0 {
			c.mistakes = append(c.mistakes, fmt.Sprint(item))
		} else {
			c.chunks = append(c.chunks, item.(*value.Dict))
		}
	}
	return c, nil
}

// text is what the template of an SLS makes.
func (u *unit) text(ctx context.Context, name string) (text, mistake string) {
	src := files.NewDirs("base", u.root)
	path, data, err := sls.Open(ctx, src, name)
	if err != nil {
		return "", err.Error()
	}
	if strings.HasPrefix(string(data), "#!") {
		_, rest, _ := strings.Cut(string(data), "\n")
		data = []byte(rest)
	}
	h, err := u.freshHost()
	if err != nil {
		return "", err.Error()
	}
	data = append([]byte(`{{ "\n" }}`), data...) // the renderer of text takes one off
	node, errs := render.Render(ctx, render.File{
		Name: path, Text: data, Pipe: "jinja", SLS: name, Path: path, Templates: render.Of(h), TextToo: true,
	})
	if len(errs) > 0 {
		return "", errs[0].Error()
	}
	text, _ = node.Str()
	return text, ""
}
