package lint

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"brine/states/host"
	"brine/states/jinja/python"
	"brine/states/module"
	"brine/states/plan"
	"brine/states/value"
)

// pure are the functions that need no more than grains, pillar, configuration and the tree. All others look at the
// machine they run on, or change it: checking a tree calls none of those. A name that ends with .* is a module.
const pure = `
config.*
cp.get_file_str cp.hash_file cp.list_master cp.list_master_dirs cp.list_states
defaults.*
file.basename file.dirname file.join file.normpath
grains.equals grains.fetch grains.filter_by grains.get grains.has_value grains.item grains.items grains.ls
hashutil.base64_b64decode hashutil.base64_b64encode hashutil.base64_decodestring hashutil.base64_encodestring
hashutil.digest hashutil.github_signature hashutil.hmac_compute hashutil.hmac_signature
hashutil.md5_digest hashutil.sha256_digest hashutil.sha512_digest
log.*
match.*
network.calc_net network.convert_cidr network.ip_in_subnet network.is_loopback network.is_private network.reverse_ip
pillar.*
random.*
slsutil.*
sys.*
test.arg test.echo test.false test.kwarg test.ping test.rand_str test.true test.version
`

var pureNames = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{}
	for _, name := range strings.Fields(pure) {
		names[name] = true
	}
	return names
})

func isPure(function string) bool {
	mod, _, _ := strings.Cut(function, ".")
	return pureNames()[function] || pureNames()[mod+".*"]
}

// functions are what templates may call here: of those that would look at the machine they get a result that is unknown,
// or the answer that was given for it.
type functions struct {
	*module.Index
	answers *value.Dict // by the function's name
	yes     bool        // what unknown results count as
	at      plan.Place  // of the call that is next
	unknown []call      // in the order in which they were made
}

// A call is one of a function whose result is unknown.
type call struct {
	at       plan.Place
	function string
}

var _ host.Modules = (*functions)(nil)

// Func finds a function. One that was answered for may be of a module that only Salt can run.
func (f *functions) Func(name string) (*module.Func, error) {
	if _, ok := f.answers.Get(name); ok {
		return &module.Func{Name: name}, nil
	}
	return f.Index.Func(name)
}

// Call calls a function that is pure.
func (f *functions) Call(ctx context.Context, h *host.Host, name string, args []any, named *value.Dict) (any, int, error) {
	if v, ok := f.answers.Get(name); ok {
		v, err := value.Clone(v)
		return v, 0, err
	}
	if u := python.FindUnknown(&value.List{Items: args}); u != nil {
		return u, 0, nil
	}
	if u := python.FindUnknown(named); u != nil {
		return u, 0, nil
	}
	if isPure(name) && !ofHost(name, args, named) {
		return f.Index.Call(ctx, h, name, args, named)
	}
	if _, err := f.Func(name); err != nil {
		return nil, 0, err
	}
	f.unknown = append(f.unknown, call{f.at, name})
	return &python.Unknown{Function: name, Yes: f.yes}, 0, nil
}

// ofHost says whether a function that renders or fetches would take a file that is in no tree.
func ofHost(name string, args []any, named *value.Dict) bool {
	if name != "slsutil.renderer" && !strings.HasPrefix(name, "cp.") {
		return false
	}
	path, ok := named.Get("path")
	if len(args) > 0 {
		path, ok = args[0], true
	}
	text, isText := path.(string)
	return ok && isText && strings.HasPrefix(text, "/")
}

// text says what is unknown of a call.
func (c call) text() string {
	return fmt.Sprintf("%s looks at the machine it runs on: its result is not known here", c.function)
}
