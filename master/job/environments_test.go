package job_test

import (
	"fmt"
	"strings"
	"testing"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
)

// trees are what the last job that was published names, such as "base dev: why not".
func (w *world) named() string {
	w.t.Helper()
	env, j := &proto.Envelope{}, &proto.Job{}
	sent := w.published("job.")
	if err := pb.Unmarshal(sent[len(sent)-1].data, env); err != nil {
		w.t.Fatal(err)
	}
	if err := pb.Unmarshal(env.Body, j); err != nil {
		w.t.Fatal(err)
	}
	var out []string
	if j.Tree != "" {
		out = append(out, "own")
	}
	for _, e := range j.Environments {
		if e.Tree == "" {
			out = append(out, fmt.Sprintf("%s (%s)", e.Name, e.Why))
		} else if e.Tree == fmt.Sprintf("%064x", e.Name) {
			out = append(out, e.Name)
		}
	}
	return strings.Join(out, " ")
}

// TestAJobNamesTheTreesOfEnvironments: where SLS are read a job has the files of all environments that its operator may
// use, else of those that it names.
func TestAJobNamesTheTreesOfEnvironments(t *testing.T) {
	run(t, names(1), func(t *testing.T, w *world) {
		w.environments = []string{"base", "dev", "none", "qa"}
		const broken = `none (cannot find environment "none")`
		for _, c := range []struct {
			function, args, environment, forbidden, want string
		}{
			{"state.apply", "", "", "", "own dev " + broken + " qa"},
			{"state.sls", "web", "dev", "", "own base " + broken + " qa"},
			{"state.apply", "", "", "qa", `own dev ` + broken + ` qa (operator "ann" has no right to it)`},
			{"state.apply", "saltenv=qa", "", "qa", "error may not use"},
			{"cp.get_file_str", "salt://a", "", "", "own"},
			{"cp.get_file_str", "salt://a saltenv=dev", "", "qa", "own dev"},
			{"cp.get_file_str", "salt://a?saltenv=dev", "", "", "own dev"},
			{"cp.get_file_str", "salt://a saltenv=base", "", "", "own"},
			{"cp.get_file_str", "salt://a?saltenv=qa", "", "qa", "error may not use"},
			{"cp.get_file_str", "salt://a saltenv=none", "", "", `error cannot find environment "none"`},
			{"file.managed", "/a [salt://a?saltenv=dev,salt://b?saltenv=qa]", "", "", "own dev qa"},
			{"cp.envs", "", "", "", "own dev (it does not ask for them; saltenv=dev does) none (it does not ask for them; saltenv=none does) qa (it does not ask for them; saltenv=qa does)"},
			{"test.ping", "saltenv=dev", "", "", ""},
		} {
			w.forbidden = map[string]bool{c.forbidden: c.forbidden != ""}
			q := w.request("web1")
			q.Function, q.Environment = c.function, c.environment
			for _, word := range strings.Fields(c.args) {
				name, value, ok := strings.Cut(word, "=")
				if !ok || strings.Contains(name, "salt:") {
					name, value = "", word
				}
				q.Args = append(q.Args, &proto.Argument{Name: name, Value: &proto.Argument_Text{Text: value}})
			}
			_, err := w.m.Submit(t.Context(), w.op, w.sign(q))
			if why, fails := strings.CutPrefix(c.want, "error "); fails {
				if !strings.Contains(fmt.Sprint(err), why) {
					t.Errorf("%s %s: got %v, want %q", c.function, c.args, err, why)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s %s: %v", c.function, c.args, err)
				continue
			}
			if got := w.named(); got != c.want {
				t.Errorf("%s %s: got %s, want %s", c.function, c.args, got, c.want)
			}
			if n := strings.Count(" "+c.want, " dev") + strings.Count(c.want, "own"); c.function == "cp.get_file_str" && len(w.committedTrees) != n {
				t.Errorf("%s: %d trees at the peers, want %d", c.args, len(w.committedTrees), n)
			}
		}
	})
}
