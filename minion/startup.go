package minion

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"brine/minion/job"
	pb "brine/proto"
	"brine/proto/subject"
	"brine/states/value"
)

// startupRetry is how long the minion waits before it asks again for the files that its startup states need.
const startupRetry = 30 * time.Second

// startup applies the states that are wanted at each start, once a master is there. It is a job
// like others, but of the minion's own.
func (m *Minion) startup(ctx context.Context, began time.Time) {
	own, wanted := m.o.Config.startupJob()
	if !wanted || m.WaitLinked(ctx) != nil {
		return
	}
	own.Cause, own.At = job.CauseStartup, began
	for {
		reply, err := m.currentTree(ctx, &pb.TreeRequest{Environment: own.Environment, All: true})
		if err == nil {
			own.Tree, own.Environments = reply.Tree, reply.Environments
			break
		}
		if ctx.Err() != nil {
			return
		}
		m.log.Warn("startup states wait: no master tells which files to use", "err", err)
		timer := time.NewTimer(startupRetry)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
	id, err := m.runner.Start(own)
	if err != nil {
		m.log.Error("startup states not applied", "err", err)
		return
	}
	m.log.Info("startup states begin", "job", id, "function", own.Function)
}

// currentTree asks which file trees the masters serve now.
func (m *Minion) currentTree(ctx context.Context, req *pb.TreeRequest) (*pb.TreeReply, error) {
	body, err := proto.Marshal(req)
	if err != nil {
		return nil, err
	}
	data, err := m.link.Request(ctx, subject.Tree, body)
	if err != nil {
		return nil, err
	}
	reply := &pb.TreeReply{}
	if err := proto.Unmarshal(data, reply); err != nil {
		return nil, fmt.Errorf("cannot read which file tree is served: %w", err)
	}
	if reply.Error != "" {
		return nil, errors.New(reply.Error)
	}
	return reply, nil
}

// startupJob is the job that startup_states asks for.
func (c *Config) startupJob() (own job.Own, wanted bool) {
	var args []any
	switch c.StartupStates {
	case "highstate":
		own.Function = "state.highstate"
	case "sls":
		own.Function, args = "state.sls", []any{strings.Join(c.SLSList, ",")}
	case "top":
		own.Function, args = "state.top", []any{c.TopFile}
	default:
		return own, false
	}
	for _, a := range args {
		text, err := value.MarshalJSON(a)
		if err != nil {
			return own, false // a text can always be encoded
		}
		own.Args = append(own.Args, &pb.Argument{Value: &pb.Argument_Json{Json: text}})
	}
	return own, true
}

// startupProblems are the mistakes in what is wanted at a start.
func (c *Config) startupProblems() (problems []string) {
	switch c.StartupStates {
	case "", "highstate":
	case "sls":
		if len(c.SLSList) == 0 {
			problems = append(problems, `startup_states = "sls": sls_list names no SLS`)
		}
	case "top":
		if c.TopFile == "" {
			problems = append(problems, `startup_states = "top": top_file is missing`)
		}
	default:
		problems = append(problems, fmt.Sprintf("startup_states = %q: want highstate, sls or top", c.StartupStates))
	}
	if len(c.SLSList) > 0 && c.StartupStates != "sls" {
		problems = append(problems, `sls_list is set, but startup_states is not "sls"`)
	}
	if c.TopFile != "" && c.StartupStates != "top" {
		problems = append(problems, `top_file is set, but startup_states is not "top"`)
	}
	return problems
}
