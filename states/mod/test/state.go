package test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type stateArgs struct {
	Name    string `arg:"name,required" doc:"any text"`
	Comment string `arg:"comment" doc:"the comment of the result"`
}

func (a stateArgs) or(comment string) string {
	if a.Comment != "" {
		return a.Comment
	}
	return comment
}

type nopArgs struct {
	Name string      `arg:"name,required" doc:"any text"`
	More *value.Dict `arg:"kwargs,named" doc:"anything; it is ignored"`
}

func nop(context.Context, *host.Host, nopArgs) (module.Plan, error) {
	return module.Plan{Same: "Success!"}, nil
}

func succeedWithoutChanges(_ context.Context, _ *host.Host, a stateArgs) (module.Plan, error) {
	return module.Plan{Same: a.or("Success!")}, nil
}

func succeedWithChanges(_ context.Context, _ *host.Host, a stateArgs) (module.Plan, error) {
	return pretend(nil, a.or("Success!"), a.or("would pretend to change something")), nil
}

func failWithoutChanges(_ context.Context, _ *host.Host, a stateArgs) (module.Plan, error) {
	return module.Plan{}, errors.New(a.or("Failure!"))
}

func failWithChanges(_ context.Context, _ *host.Host, a stateArgs) (module.Plan, error) {
	return pretend(errors.New(a.or("Failure!")), "", a.or("would pretend to change something, and fail")), nil
}

// pretend is a plan of one step that changes nothing but says it did, and ends with err.
func pretend(err error, did, would string) module.Plan {
	changes := value.NewDict("testing", value.NewDict(
		"old", "Unchanged", "new", "Something pretended to change"))
	return plan(changes, err, did, would)
}

func plan(changes *value.Dict, err error, did, would string) module.Plan {
	do := func(context.Context) (module.Done, error) { return module.Done{Changes: changes}, err }
	return module.Plan{Steps: []module.Step{{Changes: changes, Do: do}}, Did: did, Would: would}
}

type notificationArgs struct {
	Name string      `arg:"name,required" doc:"any text"`
	Text string      `arg:"text,required" doc:"what to show"`
	More *value.Dict `arg:"kwargs,named" doc:"anything; it is ignored"`
}

func showNotification(_ context.Context, _ *host.Host, a notificationArgs) (module.Plan, error) {
	return module.Plan{Same: a.Text}, nil
}

// A chance is true, false, or Random, which chooses anew at each run.
type chance struct {
	always bool
	random bool
}

func (c *chance) ArgType() string { return "boolean or Random" }

func (c *chance) ParseArg(v module.Value) error {
	if s, ok := v.Data.(string); ok && strings.EqualFold(s, "random") {
		c.random = true
		return nil
	}
	b, err := v.Bool()
	if err != nil {
		return v.Want("true, false or Random")
	}
	c.always = b
	return nil
}

func (c *chance) is() bool {
	if c.random {
		return rand.IntN(2) == 0
	}
	return c.always
}

type configurableArgs struct {
	stateArgs
	Changes  chance   `arg:"changes" default:"true" doc:"whether something changes"`
	Result   chance   `arg:"result" default:"true" doc:"whether it succeeds"`
	Warnings []string `arg:"warnings" doc:"warnings of the result"`

	AllowFailure bool `arg:"allow_test_mode_failure" doc:"with result false, fail in test mode too"`
}

func configurable(_ context.Context, _ *host.Host, a configurableArgs) (module.Plan, error) {
	changes, succeeds := a.Changes.is(), a.Result.is()
	failure := errors.New(a.Comment)
	p := module.Plan{Same: a.Comment}
	switch {
	case a.AllowFailure && !succeeds:
		return module.Plan{Warnings: a.Warnings}, failure
	case succeeds && changes:
		p = pretend(nil, a.Comment, a.or("This is a test"))
	case changes:
		p = pretend(failure, "", a.or("This is a test"))
	case !succeeds:
		p = plan(&value.Dict{}, failure, "", a.or("This is a test"))
	}
	p.Warnings = a.Warnings
	return p, nil
}

// watched is what every state of this module does when one that it watches changed.
func watched[A any](_ context.Context, _ *host.Host, _ A, changed []string) (module.Plan, error) {
	names := value.NewList()
	for _, name := range changed {
		names.Items = append(names.Items, name)
	}
	do := func(context.Context) error { return nil }
	return module.Plan{
		Steps: []module.Step{module.Change("Requisites with changes", names, do)},
		Did:   "Watch statement fired.", Would: "the watch statement would fire",
	}, nil
}
