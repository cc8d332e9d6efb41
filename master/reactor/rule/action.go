package rule

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"

	"brine/proto"
	"brine/proto/target"
	"brine/states/all"
)

var kinds = []Kind{Apply, Run, Orchestrate, Webhook, Notify}

// action reads what is to be done. main is the action of a rule itself.
func (t *table) action(main bool) Action {
	a := Action{Timeout: t.some("timeout", defaultTimeout), Environment: t.text("environment")}
	var given []string
	for _, k := range kinds {
		if _, ok := t.take(string(k)); ok {
			given, a.Kind = append(given, string(k)), k
		}
	}
	if len(given) != 1 {
		t.wrong("", fmt.Sprintf("want one of apply, run, orchestrate, webhook and notify, got %d", len(given)), `run = "service.restart"`)
	}
	t.what(&a)
	t.arguments(&a)
	t.target(&a)
	if main && (a.Kind == Notify || a.Kind == Webhook) && a.Text == nil {
		t.warn(string(a.Kind), "it has no text: it tells the rule's name and the event", `text = "${event.origin}: ..."`)
	}
	return a
}

// what reads the value of the action's key.
func (t *table) what(a *Action) {
	switch a.Kind {
	case Apply, Orchestrate:
		a.Name, a.SLS = "state.apply", t.list(string(a.Kind))
		t.plainNames(string(a.Kind), a.SLS...)
		if a.Kind == Orchestrate && len(a.SLS) != 1 {
			t.wrong(string(a.Kind), "orchestrate wants the name of one SLS", "")
		}
	case Run:
		a.Name = t.text("run")
		if mod, fun, ok := strings.Cut(a.Name, "."); !ok || mod == "" || fun == "" || strings.ContainsAny(a.Name, " \t") {
			t.wrong("run", fmt.Sprintf("run = %q: want a function, such as service.restart; its arguments stand in args", a.Name), `args = ["nginx"]`)
		} else if t.plainNames("run", a.Name); !strings.Contains(a.Name, "${") {
			t.function(a.Name)
		}
	case Webhook:
		a.Name = t.text("webhook")
		if strings.Contains(a.Name, "${") {
			t.plainNames("webhook", a.Name)
		}
		if u, err := url.Parse(a.Name); a.Name == "" || strings.Contains(a.Name, ":") && (err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "") {
			t.wrong("webhook", fmt.Sprintf("webhook = %q: want the name of one, or an address with https://", a.Name), "")
		} else if u.Scheme == "http" {
			t.warn("webhook", "http:// can be read and changed on its way", "https://")
		}
	case Notify:
		if a.Name = t.text("notify"); a.Name == "" {
			t.wrong("notify", "notify wants the name of who is told", `notify = "ops"`)
		} else {
			t.plainNames("notify", a.Name)
		}
	}
	if raw, ok := t.take("text"); ok {
		v, err := value(raw)
		if err != nil {
			t.wrong("text", err.Error(), "")
		}
		if a.Text = &v; a.Kind != Notify && a.Kind != Webhook {
			t.wrong("text", "text is for notify and webhook", "")
		}
	}
}

// function warns of a function that none of brine's modules has. A module that is not known may be the site's own.
func (t *table) function(name string) {
	index := known()
	module, _, _ := strings.Cut(name, ".")
	if _, err := index.Func(name); err == nil {
		return
	} else if slices.Contains(index.Modules(), module) {
		t.warn("run", firstLine(err), "")
	} else if near := suggestion(module, index.Modules()); near != "" {
		t.warn("run", fmt.Sprintf("brine has no module %q", module), near)
	}
}

var known = sync.OnceValue(all.Index)

// arguments reads args, a list, and kwargs, a table.
func (t *table) arguments(a *Action) {
	if raw, ok := t.take("args"); ok {
		list, isList := raw.([]any)
		if !isList {
			t.wrong("args", fmt.Sprintf("args: want a list, got %s", typeName(raw)), `args = ["nginx"]; named ones stand in kwargs`)
		}
		for i, item := range list {
			v, err := value(item)
			if err != nil {
				t.wrong("args", fmt.Sprintf("args[%d]: %v", i+1, err), "")
			}
			a.Args = append(a.Args, v)
		}
	}
	if raw, ok := t.take("kwargs"); ok {
		m, isTable := raw.(map[string]any)
		if !isTable {
			t.wrong("kwargs", fmt.Sprintf("kwargs: want a table, got %s", typeName(raw)), "kwargs = {test = true}")
		}
		named, err := namedValues(m)
		if err != nil {
			t.wrong("kwargs", "kwargs."+err.Error(), "")
		}
		a.Kwargs = named
	}
	if k := a.Kind; (k == Webhook || k == Notify) && len(a.Args)+len(a.Kwargs) > 0 {
		t.wrong("args", fmt.Sprintf("%s takes no arguments", k), "text says what is told")
	}
	if a.Kind == Apply && len(a.Args) > 0 {
		t.wrong("args", "what is applied stands in apply, the rest in kwargs", `kwargs = {test = true}`)
	}
}

// target reads whom an action is for.
func (t *table) target(a *Action) {
	a.Target = t.text("target")
	if a.Target == "" {
		return
	}
	if a.Kind == Webhook || a.Kind == Notify || a.Kind == Orchestrate {
		t.wrong("target", fmt.Sprintf("%s is for no minions", a.Kind), "")
		return
	}
	if strings.Contains(a.Target, "${") {
		t.plainNames("target", a.Target)
		return
	}
	if path, ok := strings.CutPrefix(strings.TrimPrefix(a.Target, "event."), "data."); ok {
		a.Target, a.Data = path, true
		t.warn("target", "the event's data say whom the action is for: who may send such an event may choose any minion", "without target it is the event's origin")
		if slices.Contains(strings.Split(path, "."), "") {
			t.wrong("target", fmt.Sprintf("target = %q: want data.KEY", t.text("target")), "")
		}
		return
	}
	// Nodegroups and regular expressions are the master's own: it reads them when the rule acts.
	if _, err := target.Parse(&proto.Target{Syntax: proto.Target_COMPOUND, Expression: a.Target}); err != nil && !strings.Contains(a.Target, "@") {
		t.wrong("target", firstLine(err), "")
	}
}
