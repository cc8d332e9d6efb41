package agentmod

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"brine/states/all"
	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/module"
	"brine/states/sls"
	"brine/states/value"
)

// A vector is a run of states and what Salt made of it.
type vector struct {
	Name   string            `json:"name"`
	Fn     string            `json:"fn"`
	Args   []json.RawMessage `json:"args"`
	Kwargs json.RawMessage   `json:"kwargs"`
	Files  map[string]string `json:"files"`
	Expect struct {
		Kind   string   `json:"kind"`
		Order  []string `json:"order"`
		States map[string]struct {
			Result  *bool `json:"result"`
			Changed bool  `json:"changed"`
		} `json:"states"`
		Data json.RawMessage `json:"data"`
	} `json:"expect"`
}

const (
	notMeant = "a requisite that means nothing is found before anything runs"
	isPython = "it is a program in Python"
	isLost   = "the case lost the function that its check calls"
	noFile   = "the case lost the file of its defaults"
)

// onPurpose are the cases that end otherwise here, and why.
var onPurpose = map[string]string{
	"test_listen::test_listen_requisite_not_exist#0":                     notMeant,
	"test_onchanges::test_onchanges_any_recursive_error_issues_50811#0":  notMeant,
	"test_prereq::test_requisites_prereq_simple_ordering_and_errors_1#0": notMeant,
	"test_prereq::test_requisites_prereq_simple_ordering_and_errors_3#0": notMeant,

	"test_prereq::test_requisites_prereq_fail_in_prereq#0": "no result is None outside of test mode: the state did not run",

	"test_aggregate::test_aggregate_requisites#0":                          isPython,
	"test_state::test_pydsl#0":                                             isPython,
	"test_state::test_state_apply_parallel_spawning_with_global_dunders#0": isPython,

	"test_state::test_state_apply_parallel_spawning_with_unpicklable_context#0": isPython,
	"test_state::test_state_sls_defaults#0":                                     noFile,

	"test_listen::test_onlyif_req[2]#0":      isLost,
	"test_onlyif::test_onlyif_req_retcode#0": isLost,
	"test_unless::test_unless_req#1":         isLost,
	"test_unless::test_unless_req_retcode#1": isLost,
}

// lenient are the cases with arguments that the state doesn't have, which Salt ignores.
var lenient = map[string]bool{
	"test_state::test_retry_option_eventual_success#0":          true,
	"test_state::test_retry_option_eventual_success_parallel#0": true,
	"test_state::test_state_non_base_environment#0":             true,
}

// excused says why a case may fail today; "" for one that may not.
func (v *vector) excused(index *module.Index) string {
	if why := onPurpose[v.Name]; why != "" {
		return "on purpose: " + why
	}
	for tag := range v.Expect.States {
		parts := strings.Split(tag, "_|-")
		name := parts[0] + "." + parts[len(parts)-1]
		if _, err := index.State(name); err != nil && parts[len(parts)-1] != "mod_watch" {
			return "needs the state " + name
		}
	}
	return ""
}

// TestConformance runs the cases of requisites.jsonl, those of one name in turn on one host.
func TestConformance(t *testing.T) {
	dir := os.Getenv("BRINE_CONFORMANCE")
	if dir == "" {
		dir = "testdata"
	}
	groups := vectors(t, filepath.Join(dir, "requisites.jsonl"))
	var mu sync.Mutex
	failed := map[string]string{}
	passed := 0
	index := all.Index()
	t.Run("cases", func(t *testing.T) {
		for _, group := range groups {
			t.Run(group[0].Name, func(t *testing.T) {
				t.Parallel()
				h := newScene(t, index)
				for _, v := range group {
					err := h.play(t, v)
					mu.Lock()
					if err == nil {
						passed++
					} else {
						failed[v.Name] = fmt.Sprintf("%s (%s)", v.Name, v.excused(index))
					}
					mu.Unlock()
					if err != nil && v.excused(index) == "" {
						t.Errorf("%s: %v", v.Name, err)
					}
				}
			})
		}
	})
	fmt.Printf("%d passed, %d failed\n", passed, len(failed))
	for _, group := range groups {
		for _, v := range group {
			if line := failed[v.Name]; line != "" {
				fmt.Println("failed:", line)
			}
		}
	}
}

// vectors reads the cases, those of one test of Salt together.
func vectors(t *testing.T, path string) [][]*vector {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var groups [][]*vector
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<22)
	last, shared := "", map[string]string{}
	for lines.Scan() {
		v := &vector{}
		if err := json.Unmarshal(lines.Bytes(), v); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(v.Name, "integration::") {
			// These cases share a tree, and each has only part of it.
			maps.Copy(shared, v.Files)
			v.Files = shared
		}
		test, _, _ := strings.Cut(v.Name, "#")
		if test != last {
			groups = append(groups, nil)
		}
		last = test
		groups[len(groups)-1] = append(groups[len(groups)-1], v)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return groups
}

// A scene is a host with trees on which the cases of one test are played.
type scene struct {
	index     *module.Index
	host      *host.Host
	tmp, tree string
}

func newScene(t *testing.T, index *module.Index) *scene {
	s := &scene{index: index, tmp: t.TempDir(), tree: t.TempDir()}
	local := &host.Local{}
	t.Cleanup(local.Close)
	exec := func(ctx context.Context, c host.Command) (host.Output, error) {
		c.Env = append(c.Env, "PIP_NO_INDEX=1") // no case brings packages to the machine that tests
		return local.Run(ctx, c)
	}
	s.host = &host.Host{
		Exec: exec, Modules: index,
		Grains: value.NewDict("id", "func-tests-minion", "os", "Debian", "kernel", "Linux"),
	}
	return s
}

var marks = regexp.MustCompile(`@(TMP|TREE|BASE)@`)

func (s *scene) fill(text string) string {
	return marks.ReplaceAllStringFunc(text, func(mark string) string {
		if mark == "@TMP@" {
			return s.tmp
		}
		return filepath.Join(s.tree, "base")
	})
}

func (s *scene) play(t *testing.T, v *vector) error {
	if err := s.write(v); err != nil {
		return err
	}
	f, err := s.index.Func(v.Fn)
	if err != nil {
		return err
	}
	in, err := s.input(v)
	if err != nil {
		return err
	}
	a := &Agent{
		Host: s.host, Index: s.index, Source: s.dir("base"), Trees: s, Lenient: lenient[v.Name],
		// What a case waits for happens in the meantime.
		wait: func(context.Context, time.Duration) { s.touch(v) },
	}
	h := *s.host
	h.Files, h.Agent = hosttest.New(t).Files, a
	files := h.Files.(*hosttest.Files)
	files.Serve("salt://testfile", "test", 0o644)
	for name, text := range v.Files {
		files.Serve("salt://"+name, text, 0o644)
	}
	a.Host = &h
	r, err := f.Call(t.Context(), &h, in)
	if err != nil {
		return err
	}
	return s.compare(v, r.Value)
}

// touch makes the file that an "eventual success" waits for.
func (s *scene) touch(v *vector) {
	if strings.Contains(v.Name, "eventual_success") {
		_ = os.WriteFile(filepath.Join(s.tmp, "testfile-2"), nil, 0o600)
	}
}

func (s *scene) write(v *vector) error {
	if strings.Contains(v.Name, "retry_option_success") {
		if err := os.WriteFile(filepath.Join(s.tmp, "testfile"), nil, 0o600); err != nil {
			return err
		}
	}
	for name, text := range v.Files {
		env, rest, ok := strings.Cut(name, ":")
		if !ok {
			env, rest = "base", name
		}
		path := filepath.Join(s.tree, env, rest)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(s.fill(text)), 0o644); err != nil {
			return err
		}
	}
	return os.MkdirAll(filepath.Join(s.tree, "base"), 0o755)
}

func (s *scene) input(v *vector) (module.Input, error) {
	var in module.Input
	for _, raw := range v.Args {
		data, err := value.FromJSON([]byte(s.fill(string(raw))))
		if err != nil {
			return in, err
		}
		in.Args = append(in.Args, module.Arg{Value: module.Data(data)})
	}
	kwargs, err := value.FromJSON([]byte(s.fill(string(v.Kwargs))))
	if err != nil {
		return in, err
	}
	for name, data := range kwargs.(*value.Dict).All() {
		if name := name.(string); !strings.HasPrefix(name, "__") {
			in.Args = append(in.Args, module.Arg{Name: name, Value: module.Data(data)})
		}
	}
	return in, nil
}

func (s *scene) dir(env string) sls.Source { return sls.Dir(os.DirFS(filepath.Join(s.tree, env))) }

func (s *scene) Environments() []string { return []string{"base", "prod"} }

func (s *scene) Source(env string) (sls.Source, error) {
	if !slices.Contains(s.Environments(), env) {
		return nil, fs.ErrNotExist
	}
	return s.dir(env), nil
}

func (s *scene) compare(v *vector, got any) error {
	switch v.Expect.Kind {
	case "errors":
		list, ok := got.(*value.List)
		if !ok || len(list.Items) == 0 {
			return fmt.Errorf("got %s, want errors", shown(got))
		}
		return nil
	case "data":
		var a, b any
		if err := json.Unmarshal([]byte(s.fill(string(v.Expect.Data))), &a); err != nil {
			return err
		}
		if err := json.Unmarshal(shown(got), &b); err != nil {
			return err
		}
		if !reflect.DeepEqual(a, b) {
			return fmt.Errorf("got  %s\nwant %s", shown(got), v.Expect.Data)
		}
		return nil
	}
	results, ok := got.(*value.Dict)
	if !ok {
		return fmt.Errorf("got %s, want states", shown(got))
	}
	return s.compareStates(v, results)
}

func (s *scene) compareStates(v *vector, results *value.Dict) error {
	var order []string
	for tag := range results.All() {
		order = append(order, strings.ReplaceAll(tag.(string), s.tmp, "@TMP@"))
	}
	if !slices.Equal(order, v.Expect.Order) {
		return fmt.Errorf("got order\n%s\nwant\n%s", strings.Join(order, "\n"), strings.Join(v.Expect.Order, "\n"))
	}
	var wrong []string
	for tag, state := range results.All() {
		get := func(key string) any { x, _ := state.(*value.Dict).Get(key); return x }
		want := v.Expect.States[strings.ReplaceAll(tag.(string), s.tmp, "@TMP@")]
		var result any
		if want.Result != nil {
			result = *want.Result
		}
		changed := get("changes").(*value.Dict).Len() > 0
		if get("result") != result || changed != want.Changed {
			wrong = append(wrong, fmt.Sprintf("%s: got %v, changed %v (%s), want %v, %v",
				tag, get("result"), changed, get("comment"), result, want.Changed))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%s", strings.Join(wrong, "\n"))
	}
	return nil
}

func shown(v any) []byte {
	text, err := value.MarshalJSON(v)
	if err != nil {
		return []byte(err.Error())
	}
	return text
}
