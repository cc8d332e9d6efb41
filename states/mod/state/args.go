package state

import (
	"strings"

	"brine/states/module"
	"brine/states/value"
)

// environment is what all functions take that read SLS files.
type environment struct {
	Saltenv string      `arg:"saltenv" doc:"environment of the SLS files; the job's when absent"`
	Pillar  *value.Dict `arg:"pillar" doc:"data laid over the minion's pillar for this run"`
}

// turn is what all functions take that apply states. The minion looks at it when the job comes, before it is called.
type turn struct {
	Queue      bool  `arg:"queue" doc:"wait for a state run that is under way, instead of refusing"`
	Events     *bool `arg:"state_events" doc:"tell masters of each state as it ends; absent: as state_events of minion.toml says"`
	Concurrent bool  `arg:"concurrent" doc:"run at once, beside a state run that is under way; two that change the same thing disturb each other"`
}

type options struct {
	Test bool `arg:"test" doc:"only say what would change"`
	environment
	Exclude exclusions `arg:"exclude" doc:"SLS files to leave out, with commas between, or a list of \"sls: NAME\" and \"id: ID\""`
	turn
}

type applyArgs struct {
	Mods names `arg:"mods" doc:"SLS files, such as web or web.config, as a list or with commas between; none is the top file"`
	options
}

type highstateArgs struct{ options }

type testArgs struct {
	Mods names `arg:"mods" doc:"SLS files, such as web or web.config, as a list or with commas between; none is the top file"`
	environment
	Exclude exclusions `arg:"exclude" doc:"SLS files to leave out, with commas between, or a list of \"sls: NAME\" and \"id: ID\""`
	turn
}

type slsArgs struct {
	Mods names `arg:"mods,required" doc:"SLS files, such as web or web.config, as a list or with commas between"`
	options
}

type idArgs struct {
	ID   string `arg:"id,alias=id_,required" doc:"the ID"`
	Mods names  `arg:"mods,required" doc:"SLS files, such as web or web.config, as a list or with commas between"`
	options
}

type topArgs struct {
	File string `arg:"topfn,required" doc:"the top file, as it lies in the tree"`
	options
}

type templateArgs struct {
	Path string `arg:"tem,required" doc:"path of the SLS file on the minion"`
	Test bool   `arg:"test" doc:"only say what would change"`
	environment
	turn
}

type templateStrArgs struct {
	Text string `arg:"tem,required" doc:"text of the SLS"`
	Test bool   `arg:"test" doc:"only say what would change"`
	environment
	turn
}

type singleArgs struct {
	Fun  string `arg:"fun,required" doc:"the state, such as pkg.installed"`
	Name string `arg:"name,required" doc:"the name that the state is applied to"`
	Test bool   `arg:"test" doc:"only say what would change"`
	environment
	turn
	More []module.Arg `arg:"kwargs,named" doc:"arguments of the state"`
}

type softKillArgs struct {
	JID string `arg:"jid,required" doc:"job of the state run"`
	ID  string `arg:"state_id" doc:"ID before whose states the run ends; its next state when absent"`
}

type showArgs struct {
	Mods names `arg:"mods,required" doc:"SLS files, such as web or web.config, as a list or with commas between"`
	environment
}

// names is a list of SLS files; Salt separates them by commas too.
type names []string

func (n *names) ArgType() string { return "list of text" }

func (n *names) ParseArg(v module.Value) error {
	names, err := v.Split("names of SLS files")
	*n = append(*n, names...)
	return err
}

// exclusions are names of SLS files, or "id: ID" and "sls: NAME".
type exclusions []string

func (e *exclusions) ArgType() string { return "list of text" }

func (e *exclusions) ParseArg(v module.Value) error {
	items, ok := v.Items()
	if !ok {
		return (*names)(e).ParseArg(v)
	}
	for _, item := range items {
		text, err := item.Str()
		pairs, isDict := item.Pairs()
		if isDict && len(pairs) == 1 {
			var key, val string
			if key, err = pairs[0][0].Str(); err == nil {
				val, err = pairs[0][1].Str()
			}
			text = key + ":" + val
			isDict = key == "id" || key == "sls"
		}
		if err != nil || item.Data == nil || !isDict && strings.Contains(text, ":") {
			return v.Want("names of SLS files, or \"sls: NAME\" and \"id: ID\"")
		}
		*e = append(*e, text)
	}
	return nil
}
