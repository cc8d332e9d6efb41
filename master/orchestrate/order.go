package orchestrate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"brine/proto"
	"brine/proto/jid"
	"brine/states/value"
)

// A Request asks for an orchestration: of Mods, or of one State.
type Request struct {
	JID       string
	RequestID []byte // 16 bytes; a second request of the same is about the same orchestration
	Function  string // by which name it was asked for, such as state.orchestrate

	Mods        []string
	State       string      // one state by itself, such as salt.function
	Args        *value.Dict // of State, name among them
	Environment string      // "" is base
	PillarEnv   string
	Exclude     []string    // globs of SLS names, or "id: ID"
	Pillar      *value.Dict // laid over that of the master; on no disk
	Test        bool
	Derived     bool // the job id follows from a time that may have passed long ago

	By Cause
}

// A Cause is who or what an orchestration, a job or a call is for.
type Cause struct {
	Operator *proto.OperatorRecord // whose rights count; nil: those of the masters themselves, for a rule or a schedule
	Record   string                // id of the record that led to it
	Depth    uint32
	Actor    string // such as "operator ann"
}

// Errors of requests.
var (
	ErrTaken    = errors.New("another request has this job id")
	ErrNotFound = errors.New("no such orchestration is known")
)

// maxDepth is how many reactions and orchestrations may follow from each other.
const maxDepth = 8

// MaxPillar bounds the pillar of a request, in bytes of JSON.
const MaxPillar = 256 << 10

// An order is an orchestration as it stands in the log: the data of salt/run/<jid>/new.
type order struct {
	JID       string          `json:"jid"`
	Fun       string          `json:"fun"`
	FunArgs   []any           `json:"fun_args"`
	User      string          `json:"user"`
	RequestID string          `json:"request_id"`
	Key       string          `json:"operator_key,omitempty"`
	Mods      []string        `json:"mods,omitempty"`
	State     string          `json:"state,omitempty"`
	Args      json.RawMessage `json:"args,omitempty"`
	Env       string          `json:"saltenv"`
	PillarEnv string          `json:"pillarenv,omitempty"`
	Exclude   []string        `json:"exclude,omitempty"`
	Test      bool            `json:"test"`
	Pillar    bool            `json:"pillar"` // it has one of its own, which the masters hold in memory
	Master    string          `json:"master"` // that took it: its pillar is that of this master
	Tree      string          `json:"tree"`
	Commits   []string        `json:"commits,omitempty"`
}

// Start makes an orchestration, which a master then drives. It returns when the masters that are live know of it.
func (o *Orchestrator) Start(ctx context.Context, r Request) error {
	at, err := jid.Time(r.JID)
	if err != nil {
		return err
	}
	known, err := o.known(ctx, r.JID)
	switch off := time.Since(at); {
	case err == nil && known == hex.EncodeToString(r.RequestID):
		return nil
	case err == nil:
		return ErrTaken
	case !errors.Is(err, ErrNotFound):
		return err
	case off.Abs() > clocks && r.By.Record == "" && !r.Derived:
		return &Refusal{Text: fmt.Sprintf("cannot take orchestration %s: clock differs by %.0f s from %s: check NTP", r.JID, off.Abs().Seconds(), o.o.Master)}
	case r.By.Depth > maxDepth:
		return &Refusal{Text: fmt.Sprintf("cannot orchestrate: it would be the %d. orchestration or reaction in a row, each made by the one before", r.By.Depth)}
	}
	ord, err := o.order(ctx, r)
	if err != nil {
		return err
	}
	data, err := json.Marshal(ord)
	if err != nil {
		return err
	}
	_, err = o.o.Records.Keep(ctx, &proto.Event{Tag: tagOf(r.JID, "new"), Data: data, Cause: r.By.Record, Depth: r.By.Depth, Actor: r.By.Actor})
	return err
}

// order makes what goes into the log, and shares what must not.
func (o *Orchestrator) order(ctx context.Context, r Request) (*order, error) {
	ord := &order{
		JID: r.JID, Fun: "runner." + r.Function, FunArgs: []any{}, User: r.By.Actor, RequestID: hex.EncodeToString(r.RequestID), Mods: r.Mods, State: r.State,
		Env: r.Environment, PillarEnv: r.PillarEnv, Exclude: r.Exclude, Test: r.Test, Pillar: r.Pillar != nil, Master: o.o.Master,
	}
	if ord.Env == "" {
		ord.Env = "base"
	}
	if op := r.By.Operator; op != nil {
		ord.User, ord.Key = op.Name, hex.EncodeToString(op.Key)
	}
	for _, m := range r.Mods {
		ord.FunArgs = append(ord.FunArgs, m)
	}
	if len(r.Mods) == 0 && r.State == "" {
		return nil, errors.New("cannot orchestrate nothing: name an SLS")
	}
	var err error
	if r.State != "" {
		if ord.Args, err = value.MarshalJSON(r.Args); err != nil {
			return nil, err
		}
	}
	if ord.Tree, ord.Commits, err = o.o.Files.Current(ctx, ord.Env); err != nil {
		return nil, err
	}
	return ord, o.share(ctx, r)
}

// share lets the other masters have the pillar of a request.
func (o *Orchestrator) share(ctx context.Context, r Request) error {
	if r.Pillar == nil {
		return nil
	}
	data, err := value.MarshalJSON(r.Pillar)
	if err != nil {
		return err
	}
	if len(data) > MaxPillar {
		return fmt.Errorf("cannot take the pillar of the orchestration: it has %d bytes, at most %d are allowed; put large data into files", len(data), MaxPillar)
	}
	o.Take(r.JID, data)
	if err := o.o.Masters.Share(ctx, r.JID, data); err != nil {
		o.log.Warn("pillar of an orchestration not shared: should this master die, those that have it not can't go on with it", "job", r.JID, "err", err)
	}
	return nil
}

// known is the request id of an orchestration that there is.
func (o *Orchestrator) known(ctx context.Context, id string) (string, error) {
	r, err := o.find(ctx, id)
	if err != nil {
		return "", err
	}
	return r.order.RequestID, nil
}

// tagOf is the tag of an event of an orchestration.
func tagOf(jid string, more ...string) string {
	return "salt/run/" + jid + "/" + strings.Join(more, "/")
}

// Derive makes the job id and the request id of what follows from a record and a key within it: every master makes the same.
func Derive(cause, key string, at time.Time) (id string, requestID []byte) {
	sum := sha256.Sum256([]byte(fmt.Sprintf("brine orchestration\x00%d\x00%s\x00%s", len(cause), cause, key)))
	spread := time.Duration(sum[30])<<8 + time.Duration(sum[31])
	return jid.FromTime(at.Add(spread * time.Microsecond)), bytes.Clone(sum[:16])
}
