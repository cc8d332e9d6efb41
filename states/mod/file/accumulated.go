package file

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type accumulatedArgs struct {
	Name     string `arg:"name,required" doc:"the name of the list, a key of accumulator in the template"`
	Filename string `arg:"filename,required" doc:"the path of the file that the list is for"`
	Text     pieces `arg:"text,required" doc:"what is added: text, or a list of texts or other values; nothing is added twice"`
}

// pieces are what is added to a list. What is no list is one piece; a number is the text that was written.
type pieces []any

func (p *pieces) ArgType() string { return "anything" }

func (p *pieces) ParseArg(v module.Value) error {
	if items, isList := v.Items(); isList {
		for _, item := range items {
			*p = append(*p, item.Data)
		}
		return nil
	}
	if _, isDict := v.Data.(*value.Dict); isDict {
		*p = pieces{v.Data}
		return nil
	}
	text, err := v.Str()
	*p = pieces{text}
	return err
}

// planAccumulated adds to a list of the run. It changes nothing of the host, so test mode adds too: the states that use
// the list then foretell what they would write.
func planAccumulated(ctx context.Context, h *host.Host, a accumulatedArgs) (module.Plan, error) {
	filename, err := atHome(ctx, h, a.Filename)
	if err != nil {
		return module.Plan{}, module.Unknown("%w", err)
	}
	if !forFile(ctx) {
		return module.Plan{}, fmt.Errorf("cannot accumulate %s: it is orphaned, as no state of a file requires or watches it "+
			"(name the state that makes %s under require_in or watch_in)", a.Name, a.Filename)
	}
	said := "Accumulator %s for file %s was charged by text"
	if !accumulatorsOf(ctx).add(filename, a.Name, a.Text) {
		said = "Accumulator %s for file %s has the text already"
	}
	return module.Plan{Same: fmt.Sprintf(said, a.Name, a.Filename)}, nil
}

// forFile says whether a state of this module requires or watches the state.
func forFile(ctx context.Context) bool {
	for b := range module.AroundOf(ctx).NeededBy {
		if strings.HasPrefix(b.State().FullName(), "file.") {
			return true
		}
	}
	return false
}

// accumulators are the lists of a run, of each file by their names in the order in which they came. States may
// run beside one another.
type accumulators struct {
	mu    sync.Mutex // guards files and all in them
	files map[string]*value.Dict
}

type accumulatorsKey struct{}

func accumulatorsOf(ctx context.Context) *accumulators {
	return module.AroundOf(ctx).Kept.Keep(accumulatorsKey{}, func() any {
		return &accumulators{files: map[string]*value.Dict{}}
	}).(*accumulators)
}

// add says whether any piece was not in the list yet.
func (a *accumulators) add(filename, name string, text pieces) (more bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	filename = path.Clean(filename)
	if a.files[filename] == nil {
		a.files[filename] = &value.Dict{}
	}
	list := &value.List{}
	if old, ok := a.files[filename].Get(name); ok {
		list = old.(*value.List)
	}
	a.files[filename].Put(name, list)
	for _, piece := range text {
		if !slices.ContainsFunc(list.Items, func(had any) bool { return value.Equal(had, piece) }) {
			list.Items, more = append(list.Items, piece), true
		}
	}
	return more
}

// of are copies of the lists for a file; nil when there are none.
func (a *accumulators) of(filename string) *value.Dict {
	a.mu.Lock()
	defer a.mu.Unlock()
	all, ok := a.files[path.Clean(filename)]
	if !ok {
		return nil
	}
	lists, err := value.Clone(all)
	if err != nil {
		return nil // a piece that contains itself: no state file makes one
	}
	return lists.(*value.Dict)
}

// accumulate gives the template of a file the lists for it.
func (a *templateArgs) accumulate(ctx context.Context, filename string) {
	lists := accumulatorsOf(ctx).of(filename)
	if lists == nil {
		return
	}
	context := value.NewDict()
	merge(context, a.Context)
	context.Put("accumulator", lists)
	a.Context = context
}

// accumulated are the lines that lists have for a block of a file: all, unless the block's state itself requires some of them.
func accumulated(ctx context.Context, h *host.Host, filename string) ([]string, error) {
	lists := accumulatorsOf(ctx).of(filename)
	own := map[any]bool{}
	for b := range module.AroundOf(ctx).Needs {
		if a, ok := b.Args().(*accumulatedArgs); ok {
			if full, err := atHome(ctx, h, a.Filename); err == nil && path.Clean(full) == path.Clean(filename) {
				own[a.Name] = true
			}
		}
	}
	var lines []string
	for name, list := range lists.All() {
		if len(own) > 0 && !own[name] {
			continue
		}
		for _, piece := range list.(*value.List).Items {
			line, err := module.Data(piece).Str()
			if err != nil {
				return nil, fmt.Errorf("cannot take the accumulator %s as lines of %s: %w", name, filename, err)
			}
			lines = append(lines, line)
		}
	}
	return lines, nil
}
