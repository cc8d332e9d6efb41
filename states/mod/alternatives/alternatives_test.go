package alternatives_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/alternatives"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

// A fake is a host's pager, which has less (70) and more (50), is set by hand to less; and an editor that no one has.
type fake struct {
	*hosttest.Host
	paths  map[string][]string // "PATH PRIORITY"
	manual string
	value  string
	redHat bool
}

func newFake(t testing.TB, redHat bool) *fake {
	f := &fake{Host: hosttest.New(t), manual: "manual", value: "/usr/bin/less", redHat: redHat,
		paths: map[string][]string{"pager": {"/bin/more 50", "/usr/bin/less 70"}}}
	program := "update-alternatives"
	if redHat {
		program = "alternatives"
		f.Write("/var/lib/alternatives/pager", "auto\n/usr/bin/pager\n")
	}
	f.Write("/usr/bin/"+program, "")
	ok := func() (host.Output, error) { f.answers(program); return host.Output{}, nil }
	f.Change(program+" --install /usr/bin/editor editor /usr/bin/vim 50", func(host.Command) (host.Output, error) {
		f.paths["editor"] = []string{"/usr/bin/vim 50"}
		return ok()
	})
	f.Change(program+" --remove pager /usr/bin/less", func(host.Command) (host.Output, error) {
		f.paths["pager"], f.value, f.manual = []string{"/bin/more 50"}, "/bin/more", "auto"
		return ok()
	})
	f.Change(program+" --set pager /bin/more", func(host.Command) (host.Output, error) {
		f.value, f.manual = "/bin/more", "manual"
		return ok()
	})
	f.Change(program+" --auto pager", func(host.Command) (host.Output, error) {
		f.manual = "auto"
		return ok()
	})
	f.answers(program)
	return f
}

func (f *fake) answers(program string) {
	for _, name := range []string{"pager", "editor"} {
		var lines []string
		if f.redHat {
			lines = []string{name + " - status is " + f.manual + ".", " link currently points to " + f.value}
		} else {
			lines = []string{name + " - " + f.manual + " mode", "  link best version is /usr/bin/less",
				"  link currently points to " + f.value, "  link " + name + " is /usr/bin/" + name}
		}
		for _, p := range f.paths[name] {
			path, prio, _ := strings.Cut(p, " ")
			lines = append(lines, path+" - priority "+prio)
		}
		out := host.Output{Stdout: []byte(strings.Join(lines, "\n") + "\n")}
		if f.paths[name] == nil {
			out = host.Output{Code: 2, Stderr: []byte("update-alternatives: error: no alternatives for " + name + "\n")}
		}
		f.Answer(program+" --display "+name, out)
	}
}

func TestModule(t *testing.T) {
	moduletest.Run(t, alternatives.Module, moduletest.Options{Host: func(t testing.TB) *hosttest.Host { return newFake(t, false).Host }})
}

func told(r module.Result) string {
	json, err := value.MarshalJSON(r.Changes)
	if err != nil {
		return err.Error()
	}
	result := "would"
	if r.Result != nil {
		result = fmt.Sprint(*r.Result)
	}
	return fmt.Sprintf("%s %s %s", result, json, r.Comment)
}

func TestStates(t *testing.T) {
	for _, c := range []struct{ state, test, done string }{
		{"install name=editor link=/usr/bin/editor path=/usr/bin/vim priority=50",
			`would {"name":"editor","link":"/usr/bin/editor","path":"/usr/bin/vim","priority":50} Alternative will be set for editor to /usr/bin/vim with priority 50`,
			`true {"name":"editor","link":"/usr/bin/editor","path":"/usr/bin/vim","priority":50} Alternative for editor set to path /usr/bin/vim with priority 50`},
		{"install name=pager link=/usr/bin/pager path=/bin/more priority=50", "true {} Alternative /bin/more for pager is already registered",
			"true {} Alternative /bin/more for pager is already registered"},
		{"remove name=pager path=/usr/bin/less", `would {"path":"/usr/bin/less"} Alternative for pager will be removed`,
			`true {"path":"/usr/bin/less"} Alternative for pager removed`},
		{"remove name=pager path=/bin/cat", "true {} Alternative for pager doesn't exist", "true {} Alternative for pager doesn't exist"},
		{"set name=pager path=/bin/more", `would {"path":"/bin/more"} Alternative for pager will be set to path /bin/more`,
			`true {"path":"/bin/more"} Alternative for pager set to path /bin/more`},
		{"set name=pager path=/usr/bin/less", "true {} Alternative for pager already set to /usr/bin/less",
			"true {} Alternative for pager already set to /usr/bin/less"},
		{"set name=editor path=/usr/bin/vim", "false {} Alternative /usr/bin/vim for editor doesn't exist",
			"false {} Alternative /usr/bin/vim for editor doesn't exist"},
		{"auto name=pager", `would {"result":true} pager will be put in auto mode`, `true {"result":true} pager put in auto mode`},
		{"auto name=editor", "false {} Alternatives for editor don't exist", "false {} Alternatives for editor don't exist"},
	} {
		for _, redHat := range []bool{false, true} {
			f := newFake(t, redHat)
			words := strings.Fields(c.state)
			s, err := module.NewIndex(alternatives.Module).State("alternatives." + words[0])
			if err != nil {
				t.Fatal(err)
			}
			b, err := s.Bind(module.Words(words[1:]...))
			if err != nil {
				t.Fatal(err)
			}
			test, done := told(b.Run(t.Context(), f.Host.Host, true)), told(b.Run(t.Context(), f.Host.Host, false))
			if test != c.test || done != c.done {
				t.Errorf("%s: got %s and %s, want %s and %s", c.state, test, done, c.test, c.done)
			}
			if again := b.Run(t.Context(), f.Host.Host, false); again.Changes.Len() > 0 {
				t.Errorf("%s: the second run changed %s", c.state, told(again))
			}
		}
	}
}

func TestFunctions(t *testing.T) {
	for _, redHat := range []bool{false, true} {
		f := newFake(t, redHat)
		for _, c := range [][2]string{
			{"show_current pager", `"/usr/bin/less"`}, {"show_current editor", "false"}, {"show_link pager", `"/usr/bin/pager"`},
			{"show_link editor", "false"}, {"check_exists pager /bin/more", "true"}, {"check_exists editor /bin/more", "false"},
			{"check_installed pager /bin/more", "false"}, {"set pager /bin/more", "true"}, {"check_installed pager /bin/more", "true"},
			{"auto pager", "true"}, {"remove pager /usr/bin/less", "true"}, {"display editor", `""`},
			{"show_link ../x", `"../x" can't be the name of alternatives`},
		} {
			words := strings.Fields(c[0])
			fn, err := module.NewIndex(alternatives.Module).Func("alternatives." + words[0])
			if err != nil {
				t.Fatal(err)
			}
			r, err := fn.Call(t.Context(), f.Host.Host, module.Words(words[1:]...))
			json, _ := value.MarshalJSON(r.Value)
			got := string(json)
			if err != nil {
				got = err.Error()
			}
			if got != c[1] {
				t.Errorf("%s: got %s, want %s", c[0], got, c[1])
			}
		}
		if !slices.ContainsFunc(f.Ran(), func(line string) bool { return strings.Contains(line, "--display") }) {
			t.Error("nothing was asked")
		}
	}
}
