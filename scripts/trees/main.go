// Command trees compiles every SLS file of many state trees, for several hosts and with and without pillar, as a
// minion does, and compares what comes out with what Salt or Jinja2 make of the same files.
//
//	go run ./scripts/trees [flags] DIR
//
// Each directory in DIR is a repository: a formula, which has a folder with init.sls, or a tree with top.sls. No state
// is run, and no template touches the machine. What to compare with is the Salt that python3 can import (set
// PYTHONPATH), or else its Jinja2, or else nothing; the first line printed says which.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
)

type options struct {
	dir     string
	only    string
	hosts   []string
	grains  string
	python  string
	oracle  string
	cache   string
	lenient bool
	verbose bool
	out     string
	jobs    int
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	o, err := parse(os.Args[1:])
	if err == nil {
		err = run(ctx, o)
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "trees:", err)
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var o options
	var hosts string
	f := flag.NewFlagSet("trees", flag.ContinueOnError)
	f.StringVar(&o.only, "only", "", "compile the repositories alone whose name has this `text`")
	f.StringVar(&hosts, "hosts", "debian12,ubuntu2204,rhel9", "`names` of recorded grains")
	f.StringVar(&o.grains, "grains", "minion/grains/testdata", "`directory` of recorded grains")
	f.StringVar(&o.python, "python", "python3", "`program` that has Salt or Jinja2")
	f.StringVar(&o.oracle, "oracle", "", "compare with salt, jinja2 or none; the best there is when not set")
	f.StringVar(&o.cache, "cache", "", "`directory` to keep the answers of Salt in, for the next time")
	f.BoolVar(&o.lenient, "lenient", false, "unknown arguments are warnings, as with the minion's option lenient")
	f.BoolVar(&o.verbose, "verbose", false, "list each difference with its file and line")
	f.StringVar(&o.out, "out", "table", "print a table or json")
	f.IntVar(&o.jobs, "jobs", 1, "trees that are compiled at once")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() != 1 {
		return o, errors.New("name one directory of repositories")
	}
	if o.out != "table" && o.out != "json" {
		return o, fmt.Errorf("cannot print %q: there are table and json", o.out)
	}
	o.dir, o.hosts = f.Arg(0), strings.Split(hosts, ",")
	return o, nil
}

func run(ctx context.Context, o options) error {
	trees, err := findTrees(o.dir, o.only)
	if err != nil {
		return err
	}
	if len(trees) == 0 {
		return fmt.Errorf("cannot find a tree in %s: no repository there has a folder with init.sls or a top.sls", o.dir)
	}
	hosts, err := readHosts(o.grains, o.hosts)
	if err != nil {
		return err
	}
	against, err := newOracle(ctx, o)
	if err != nil {
		return err
	}
	report, err := compileAll(ctx, o, trees, hosts, against)
	if err != nil {
		return err
	}
	if o.out == "json" {
		return printJSON(os.Stdout, report)
	}
	return printTable(os.Stdout, report, o.verbose)
}
