// Package signin lets people in who have a name and a password somewhere else: it asks PAM or a directory whether they
// are right, and says what [external_auth] of master.toml gives to a user and the user's groups, as Salt's external_auth does.
package signin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"

	"brine/proto"
	"brine/proto/subject"
)

const (
	maxUser     = 128  // bytes of a name
	maxPassword = 1024 // bytes of a password
	maxChecks   = 16   // that ask a backend at the same time
	maxWaiting  = 64   // that wait for one of these
	checkTime   = 30 * time.Second

	// refusalTime is after what time at the earliest a refusal is told, so that it takes as long for a name that is
	// not known as for a wrong password.
	refusalTime = time.Second
)

// ErrWrong says that the user is not known or the password is wrong; which of them is told nobody.
var ErrWrong = errors.New("the name or the password is wrong")

// ErrBusy says that too many are asking, or this one too often.
var ErrBusy = errors.New("try again")

// ErrBackend says that the backend could not be asked: what it said is for the log.
var ErrBackend = errors.New("cannot ask it now")

// ErrNothing says that the password is right, and the user is given nothing.
var ErrNothing = errors.New("nothing is given to this user")

// A Person is who a backend says that signs in.
type Person struct {
	Name   string // as the backend spells it
	Groups []string
	Places map[string][]string // ids of minions by the place in a directory that rights name
}

// A Backend knows people and their passwords.
type Backend interface {
	// Check returns who the user is whose password this is. The error wraps ErrWrong when it is not: anything else
	// is a fault, for the log. The password is at least a byte long and has no zero byte.
	Check(ctx context.Context, user string, password []byte) (*Person, error)
}

// Options say what a Desk needs.
type Options struct {
	Config   *Config
	Backends map[string]Backend // by the name of the backend; nil: those that Config describes
	Log      hclog.Logger
	Now      func() time.Time
	After    func(time.Duration) <-chan time.Time
}

// A Desk lets people sign in. It may be used from several goroutines.
type Desk struct {
	o        Options
	rights   map[string]*rights // by backend
	slots    chan struct{}
	waiting  chan struct{}
	failures *failures
}

// New makes a Desk of a configuration in which Problems found nothing.
func New(o Options) (*Desk, error) {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.After == nil {
		o.After = time.After
	}
	d := &Desk{
		o: o, rights: map[string]*rights{}, failures: newFailures(o.Now),
		slots: make(chan struct{}, maxChecks), waiting: make(chan struct{}, maxChecks+maxWaiting),
	}
	backends := map[string]Backend{}
	for name, table := range o.Config.tables() {
		r, err := readRights(name, table)
		if err != nil {
			return nil, err
		}
		d.rights[name] = r
		if backends[name], err = o.Config.backend(name, r.places()); err != nil {
			return nil, err
		}
	}
	if d.o.Backends == nil {
		d.o.Backends = backends
	}
	return d, nil
}

// Backends are the names of those by which people can sign in, in order.
func (d *Desk) Backends() []string {
	var names []string
	for name := range d.rights {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Valid is how long a sign-in lasts.
func (d *Desk) Valid() time.Duration { return d.o.Config.valid() }

// An Attempt is what someone says at the desk.
type Attempt struct {
	Backend  string
	User     string
	Password []byte // Check clears it
	Address  string // from where
}

// Check asks the attempt's backend. It returns the record of the operator that the person becomes, without a key and
// an end. The error wraps one of those above, and its text may be told to whoever asks.
func (d *Desk) Check(ctx context.Context, a Attempt) (*proto.OperatorRecord, error) {
	defer clear(a.Password)
	r := d.rights[a.Backend]
	if r == nil {
		return nil, fmt.Errorf("%w: nobody signs in by %.20q here, but by %s", ErrNothing, a.Backend, or(d.Backends()))
	}
	began := d.o.Now()
	if wait := d.failures.wait(a); wait > 0 {
		return nil, fmt.Errorf("%w in %v: too many attempts were wrong", ErrBusy, wait.Round(time.Second))
	}
	person, err := d.ask(ctx, a)
	if err != nil {
		if errors.Is(err, ErrWrong) {
			d.failures.add(a)
		}
		d.hold(ctx, began)
		return nil, err
	}
	d.failures.forget(a)
	op := &proto.OperatorRecord{
		Name: a.Backend + ":" + person.Name, Via: a.Backend, Groups: r.known(person.Groups), Places: places(person.Places),
	}
	if op.Roles = d.Roles(op); len(op.Roles) == 0 {
		return nil, fmt.Errorf("%w: [external_auth] of this master names neither %s nor a group of this user", ErrNothing, op.Name)
	}
	op.Roles = nil // they are those of the configuration, always
	return op, nil
}

// Roles are what the configuration gives to who holds the record of a sign-in, now; none to any other.
func (d *Desk) Roles(op *proto.OperatorRecord) []*proto.Role {
	r := d.rights[op.GetVia()]
	user, ok := strings.CutPrefix(op.GetName(), op.GetVia()+":")
	if r == nil || !ok {
		return nil
	}
	return r.roles(user, op.Groups, op.Places)
}

// ask bounds how many ask at the same time, and what they ask.
func (d *Desk) ask(ctx context.Context, a Attempt) (*Person, error) {
	if err := a.check(); err != nil {
		d.o.Log.Debug("sign-in refused", "backend", a.Backend, "err", err)
		return nil, ErrWrong
	}
	select {
	case d.waiting <- struct{}{}:
		defer func() { <-d.waiting }()
	default:
		return nil, fmt.Errorf("%w: too many sign in now", ErrBusy)
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: too many sign in now", ErrBusy)
	}
	person, err := d.o.Backends[a.Backend].Check(ctx, a.User, a.Password)
	if err == nil {
		err = fits(person)
	}
	switch {
	case err == nil:
		return person, nil
	case errors.Is(err, ErrWrong):
		return nil, ErrWrong
	}
	d.o.Log.Error("cannot check a sign-in", "backend", a.Backend, "err", err)
	return nil, fmt.Errorf("%s: %w: the log of this master says why", a.Backend, ErrBackend)
}

// hold waits until it is time to tell a refusal.
func (d *Desk) hold(ctx context.Context, began time.Time) {
	left := refusalTime - d.o.Now().Sub(began)
	if left <= 0 {
		return
	}
	select {
	case <-d.o.After(left):
	case <-ctx.Done():
	}
}

// check refuses what no backend needs to see. What is refused is wrong like any other.
func (a Attempt) check() error {
	switch {
	case len(a.User) == 0 || len(a.User) > maxUser || !utf8.ValidString(a.User):
		return fmt.Errorf("the name has %d bytes, or is no text", len(a.User))
	case strings.ContainsFunc(a.User, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return errors.New("the name has control characters")
	case len(a.Password) == 0:
		return errors.New("the password is empty") // a directory takes that for no sign-in at all, and agrees
	case len(a.Password) > maxPassword:
		return fmt.Errorf("the password has %d bytes, at most %d are taken", len(a.Password), maxPassword)
	case slices.Contains(a.Password, 0):
		return errors.New("the password has a zero byte") // where many programs see its end
	}
	return nil
}

// fits tells why a person can't be an operator.
func fits(p *Person) error {
	if err := subject.CheckID(p.Name); err != nil {
		return fmt.Errorf("the name can't be that of an operator: %w", err)
	}
	return nil
}

func places(all map[string][]string) []*proto.Place {
	var out []*proto.Place
	for name, minions := range all {
		out = append(out, &proto.Place{Name: name, Minions: minions})
	}
	slices.SortFunc(out, func(a, b *proto.Place) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func or(names []string) string {
	if len(names) == 0 {
		return "nothing: [external_auth] is empty"
	}
	return strings.Join(names, " or ")
}
