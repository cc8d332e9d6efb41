package runner

import (
	"context"
	"time"

	"brine/proto"
	"brine/states/value"
)

// A Site is what functions ask and act on: the master around them. Its methods may be called from many goroutines.
type Site interface {
	// Jobs lists jobs, newest first.
	Jobs(ctx context.Context, q *proto.JobListRequest) (*proto.JobListReply, error)
	// Job is what is known of one job, and of it on each minion, with what that returned.
	Job(ctx context.Context, jid string) (*proto.JobInfo, []Result, error)
	// Run has minions do something for the caller, and waits.
	Run(ctx context.Context, c Caller, j Job) (jid string, results []Result, err error)

	// Minions are those that are accepted, in order of id.
	Minions(ctx context.Context) []Minion
	// Meant are the accepted minions that a target means, in order; the caller must be allowed to know.
	Meant(ctx context.Context, c Caller, expression, kind string) ([]string, error)
	// Grains are what a minion told of its host; nil when it told nothing.
	Grains(ctx context.Context, minion string) (*value.Dict, error)
	// Pillar is that of a minion, or of a master where minion is "": the caller must be allowed to read it.
	Pillar(ctx context.Context, c Caller, minion, environment string) (*value.Dict, error)
	// PillarTop are the SLS that the top files of the pillar give a minion, or this master, by environment; who asks must be
	// allowed to read the pillar.
	PillarTop(ctx context.Context, c Caller, minion, environment string) (*value.Dict, error)
	// Mine is what minions of a target told under names; all names without any.
	Mine(ctx context.Context, c Caller, expression, kind string, names []string) (map[string]*value.Dict, error)

	// Environments are those of the files that masters serve.
	Environments() []string
	// Files are the files of an environment.
	Files(ctx context.Context, environment string) (*proto.Manifest, error)
	// Content is that of a file of an environment.
	Content(ctx context.Context, environment, path string) ([]byte, error)
	// Refresh has all masters fetch their repositories; it tells what went wrong.
	Refresh(ctx context.Context) []string

	// Keys are those of minions, by globs over ids.
	Keys(patterns []string) ([]*proto.KeyInfo, error)
	// Decide decides about keys.
	Decide(ctx context.Context, c Caller, r *proto.KeyDecideRequest) (*proto.KeyDecideReply, error)
	// SiteFingerprint is that of the site's key.
	SiteFingerprint() string

	// Send stores an event.
	Send(ctx context.Context, c Caller, tag string, data *value.Dict) error
	// Await waits for events of a tag, a glob, that are stored from now on.
	Await(ctx context.Context, tag string, count int) ([]*proto.Event, error)
	// Orchestrate carries an orchestration out, and returns what Salt's returns, and its retcode.
	Orchestrate(ctx context.Context, c Call, o Orchestration) (any, int, error)
	// ShowOrchestration returns the states of SLS files as an orchestration compiles them.
	ShowOrchestration(ctx context.Context, c Call, o Orchestration) (any, int, error)
	// Cancel ends an orchestration or a job.
	Cancel(ctx context.Context, c Caller, jid string) error

	// Pause keeps an orchestration from beginning a state, "" for any, until Resume or for so long once it has come to it.
	Pause(ctx context.Context, c Caller, jid, state string, limit time.Duration) error
	// Resume takes back what Pause said of a state, "" for all.
	Resume(ctx context.Context, c Caller, jid, state string) error

	// Name is that of the master.
	Name() string
	// Masters are the masters that live, with their versions.
	Masters() map[string]string
}

// A Minion is what is known of whether a minion is there.
type Minion struct {
	ID      string
	Online  bool
	Address string
}

// A Result is what is known of a job on one minion.
type Result struct {
	Minion  string
	Status  string
	Reason  string
	Retcode int
	Value   any // what it returned, when it did
}

// Returned tells whether the minion returned something.
func (r Result) Returned() bool { return r.Status == "ok" || r.Status == "failed" }

// A Job is what minions are to do.
type Job struct {
	Target   *proto.Target
	Function string
	Args     []*proto.Argument
	Timeout  time.Duration // 0: until it is over
}

// An Orchestration is what is to be carried out.
type Orchestration struct {
	Mods        []string
	State       string // one state by itself, with Args
	Args        *value.Dict
	Environment string
	PillarEnv   string
	Exclude     []string
	Pillar      *value.Dict
	Test        bool
}
