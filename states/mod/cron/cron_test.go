package cron_test

import (
	"fmt"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/cron"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

// hostWith makes a host whose crontab program keeps the crontabs of root and app.
func hostWith(t testing.TB, root string) *hosttest.Host {
	h := hosttest.New(t)
	set := func(user, text string) {
		out := host.Output{Stdout: []byte(text)}
		if text == "" {
			out = host.Output{Code: 1, Stderr: []byte("no crontab for " + user + "\n")}
		}
		h.Answer("crontab -u "+user+" -l", out)
	}
	for _, user := range []string{"root", "app"} {
		h.Change("crontab -u "+user+" -", func(c host.Command) (host.Output, error) {
			if strings.Contains(string(c.Stdin), "refused") {
				return host.Output{Code: 1, Stderr: []byte("errors in crontab file, can't install.\n")}, nil
			}
			set(user, string(c.Stdin))
			return host.Output{}, nil
		})
		set(user, "")
	}
	set("root", root)
	h.Answer("crontab -u ghost -l", host.Output{Code: 1, Stderr: []byte("crontab:  user `ghost' unknown\n")})
	h.Write("/srv/root.cron", "0 1 * * * true")
	return h
}

const managed = "# Lines below here are managed by Salt, do not edit\n"

func TestModule(t *testing.T) {
	moduletest.Run(t, cron.Module, moduletest.Options{Host: func(t testing.TB) *hosttest.Host {
		return hostWith(t, "5 5 * * * mine\n"+managed+"PATH=/bin\n# SALT_CRON_IDENTIFIER:old\n* * * * * /bin/old\n")
	}})
}

func state(t *testing.T, h *hosttest.Host, name string, words ...string) (test, done module.Result) {
	t.Helper()
	s, err := module.NewIndex(cron.Module).State("cron." + name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Bind(module.Words(words...))
	if err != nil {
		t.Fatal(err)
	}
	return b.Run(t.Context(), h.Host, true), b.Run(t.Context(), h.Host, false)
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

// TestStates compares what a state makes of a crontab with what Salt makes of it.
func TestStates(t *testing.T) {
	const (
		mine   = "# mine\n\n5 5 * * *\tmine\n"
		backup = "# nightly SALT_CRON_IDENTIFIER:b\n0 2 * * * backup\n"
	)
	for _, c := range []struct {
		before, state     string
		after, test, done string
	}{
		{"", "present|name=a", managed + "# SALT_CRON_IDENTIFIER:a\n* * * * * a\n",
			`would {"root":"a"} Cron a is set to be added`, `true {"root":"a"} Cron a added to root's crontab`},
		{mine, "present|name=backup|identifier=b|hour=2|minute=0|comment=nightly", mine + managed + backup,
			`would {"root":"backup"} Cron backup is set to be added`, `true {"root":"backup"} Cron backup added to root's crontab`},
		{mine + managed + backup, "present|name=backup|identifier=b|hour=2|minute=0", mine + managed + backup,
			`true {} Cron backup already present`, `true {} Cron backup already present`},
		{managed + backup, "present|name=backup -v|identifier=b|hour=2|minute=0",
			managed + "# nightly SALT_CRON_IDENTIFIER:b\n0 2 * * * backup -v\n",
			`would {"root":"backup -v"} Cron backup -v is set to be updated`, `true {"root":"backup -v"} Cron backup -v updated`},
		{managed + backup, "present|name=backup|identifier=b|hour=2|minute=0|comment=two\nlines|commented=True",
			managed + "# two\n# lines SALT_CRON_IDENTIFIER:b\n#DISABLED#0 2 * * * backup\n",
			`would {"root":"backup"} Cron backup is set to be updated`, `true {"root":"backup"} Cron backup updated`},
		{managed + "# plain\n1 * * * * a\n", "present|name=a|minute=1", managed + "# plain SALT_CRON_IDENTIFIER:a\n1 * * * * a\n",
			`would {"root":"a"} Cron a is set to be updated`, `true {"root":"a"} Cron a updated`},
		{managed + "1 * * * * a\n", "present|name=a|minute=1|identifier=''", managed + "1 * * * * a\n",
			`true {} Cron a already present`, `true {} Cron a already present`},
		{managed + backup + "# what is this\nstrange\n", "present|name=a|special=@daily",
			managed + backup + "# what is this\nstrange\n# SALT_CRON_IDENTIFIER:a\n@daily a\n",
			`would {"root":"a"} Cron a is set to be added`, `true {"root":"a"} Cron a added to root's crontab`},
		{managed + "# SALT_CRON_IDENTIFIER:r\n7 3 * * * r\n", "present|name=r|minute=random|hour=random", managed + "# SALT_CRON_IDENTIFIER:r\n7 3 * * * r\n",
			`true {} Cron r already present`, `true {} Cron r already present`},
		{managed + backup + "@daily d\n", "absent|name=x|identifier=b", managed + "@daily d\n",
			`would {"root":"x"} Cron x is set to be removed`, `true {"root":"x"} Cron x removed from root's crontab`},
		{managed + backup, "absent|name=backup|identifier=c", managed + backup,
			`true {} Cron backup already absent`, `true {} Cron backup already absent`},
		{managed + "@daily d\n", "absent|name=d|special=@daily", managed,
			`would {"root":"d"} Cron d is set to be removed`, `true {"root":"d"} Cron d removed from root's crontab`},
		{managed + backup, "env_present|name=MAILTO|value=ops", managed + "MAILTO=ops\n" + backup,
			`would {"root":"MAILTO"} Cron env MAILTO is set to be added`, `true {"root":"MAILTO"} Cron env MAILTO added to root's crontab`},
		{managed + "MAILTO=ops\n" + backup, "env_present|name=MAILTO", managed + "MAILTO=\"\"\n" + backup,
			`would {"root":"MAILTO"} Cron env MAILTO is set to be updated`, `true {"root":"MAILTO"} Cron env MAILTO updated`},
		{managed + "MAILTO=ops\n", "env_absent|name=MAILTO", managed,
			`would {"root":"MAILTO"} Cron env MAILTO is set to be removed`, `true {"root":"MAILTO"} Cron env MAILTO removed from root's crontab`},
		{"", "file|name=/srv/root.cron", "0 1 * * * true\n", `would {"root":{"old":"","new":"0 1 * * * true\n"}} Crontab for user root is set to be updated`,
			`true {"root":{"old":"","new":"0 1 * * * true\n"}} Crontab for user root was updated`},
		{mine, "file|name=/srv/root.cron|replace=False", mine, `true {} Crontab for user root is in the correct state`,
			`true {} Crontab for user root is in the correct state`},
		{mine, "present|name=refused", mine, `would {"root":"refused"} Cron refused is set to be added`,
			`false {} cannot write the crontab of root: crontab ended with 1: errors in crontab file, can't install.`},
		{mine, "present|name=a|user=ghost", mine, `false {} cannot read the crontab of ghost: there is no such user`,
			`false {} cannot read the crontab of ghost: there is no such user`},
	} {
		h := hostWith(t, c.before)
		words := strings.Split(c.state, "|")
		test, done := state(t, h, words[0], words[1:]...)
		if told(test) != c.test || told(done) != c.done {
			t.Errorf("%s: got %s and %s, want %s and %s", c.state, told(test), told(done), c.test, c.done)
		}
		if got := call(t, h, "raw_cron", "root"); got != c.after {
			t.Errorf("%s: got crontab\n%v\nwant\n%s", c.state, got, c.after)
		}
		if _, again := state(t, h, words[0], words[1:]...); again.Changes.Len() > 0 {
			t.Errorf("%s: the second run changed %s", c.state, told(again))
		}
	}
}

func call(t *testing.T, h *hosttest.Host, name string, words ...string) any {
	t.Helper()
	f, err := module.NewIndex(cron.Module).Func("cron." + name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Call(t.Context(), h.Host, module.Words(words...))
	if err != nil {
		return err.Error()
	}
	if text, ok := r.Value.(string); ok {
		return text
	}
	json, err := value.MarshalJSON(r.Value)
	if err != nil {
		t.Fatal(err)
	}
	return string(json)
}

func TestFunctions(t *testing.T) {
	h := hostWith(t, "# by hand\n")
	for _, c := range []struct{ line, want string }{
		{"set_job|app|5|*/2|*|jan|1-5|job one|identifier=one", "new"},
		{"set_job|app|5|*/2|*|jan|1-5|job one|identifier=one", "present"},
		{"set_job|app|6|*/2|*|jan|mon|job one|identifier=one", "updated"},
		{"set_job|app|99|*|*|*|*|x", `minute: want numbers from 0 to 59, *, ranges and steps, or random, got "99"`},
		{"set_special|app|@reboot|job two", "new"},
		{"set_env|app|PATH|/bin", "new"}, {"set_env|app|PATH|/usr/bin", "updated"}, {"set_env|app|PATH|/usr/bin", "present"},
		{"get_entry|app|identifier=one", `{"minute":"6","hour":"*/2","daymonth":"*","month":"jan","dayweek":"mon","identifier":"one",` +
			`"cmd":"job one","comment":"","commented":false}`},
		{"get_entry|app|cmd=none", "false"},
		{"list_tab|app", `{"pre":[],"crons":[{"minute":"6","hour":"*/2","daymonth":"*","month":"jan","dayweek":"mon","identifier":"one",` +
			`"cmd":"job one","comment":"","commented":false}],"special":[{"spec":"@reboot","cmd":"job two","identifier":null,"comment":null,` +
			`"commented":false}],"env":[{"name":"PATH","value":"/usr/bin"}]}`},
		{"rm_job|app|job one|minute=7|identifier=one", "absent"}, {"rm_job|app|job one|identifier=one", "removed"},
		{"rm_special|app|job two", "removed"}, {"rm_env|app|PATH", "removed"}, {"rm_env|app|PATH", "absent"},
		{"write_cron_file|app|/srv/root.cron", "true"}, {"raw_cron|app", "0 1 * * * true\n"},
		{"write_cron_file_verbose|app|/none", `{"retcode":1,"stdout":"","stderr":"cannot read a crontab from /none: there is no such file"}`},
	} {
		words := strings.Split(c.line, "|")
		if got := call(t, h, words[0], words[1:]...); got != c.want {
			t.Errorf("%s: got %v, want %s", c.line, got, c.want)
		}
	}
}

func TestMistakesAreToldBeforeAnythingRuns(t *testing.T) {
	s, err := module.NewIndex(cron.Module).State("cron.present")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, want string }{
		{"name=a|minute=60|hour=x|dayweek=8|month=13", "4"}, {"name=a|special=@daily|hour=2", "1"}, {"name=a\nb", "1"},
		{"name=a|special=daily", "1"}, {"name=a|minute=1-5/2,7|hour=*/2|month=jan-mar|dayweek=sun", "0"}, {"name=a|minute=5~15", "0"},
	} {
		_, err := s.Bind(module.Words(strings.Split(c.args, "|")...))
		n := 0
		if errs, ok := err.(module.ArgErrors); ok {
			n = len(errs)
		}
		if fmt.Sprint(n) != c.want {
			t.Errorf("%s: got %d mistakes (%v), want %s", c.args, n, err, c.want)
		}
	}
}
