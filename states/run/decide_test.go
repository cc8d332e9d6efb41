package run_test

import (
	"strings"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/mod/file"
	testmod "brine/states/mod/test"
	"brine/states/module"
	"brine/states/run"
	"brine/states/value"
)

// TestOnlyWhatCanDecideMakesAFailureUncertain: in test mode a state that fails says that it depends on another one only where that has to do with it.
func TestOnlyWhatCanDecideMakesAFailureUncertain(t *testing.T) {
	const fails, depends = "false", "depends on changes of earlier"
	for _, c := range []struct{ earlier, state, want string }{
		{"file.managed: [{name: /etc/motd}, {contents: x}]", "file.managed: [{name: /srv/a/b}, {contents: y}]", fails},
		{"file.directory: [{name: /srv/a}]", "file.managed: [{name: /srv/a/b}, {contents: y}]", depends},
		{"file.managed: [{name: /srv/list}, {contents: x}]", "file.append: [{name: /srv/list}, {text: y}]", ""},
		{"file.managed: [{name: /srv/other}, {contents: x}]", "file.copy: [{name: /srv/copy}, {source: /srv/list}]", fails},
		{"file.managed: [{name: /srv/list}, {contents: x}]", "file.copy: [{name: /srv/copy}, {source: /srv/list}]", depends},
		{"file.absent: [{name: /srv/here}]", "file.managed: [{name: /srv/here}]", depends},
		{"file.absent: [{name: /srv/here}]", "file.directory: [{name: /srv/here}]", depends},
		{"file.absent: [{name: /srv/here}]", "file.managed: [{name: /srv/there}]", ""},
		{"file.absent: [{name: /srv/here}]", "file.exists: [{name: /srv/}]", ""},
		{"file.absent: [{name: /srv/none}]", "file.managed: [{name: /srv/here}]", ""},
		{"test.succeed_with_changes: []", "file.managed: [{name: /srv/a/b}, {contents: y}]", depends}, // as a command: nobody knows how far it reaches
		{"test.succeed_with_changes: []", "file.managed: [{name: /srv/f}, {source: salt://none}]", fails},
		{"test.succeed_with_changes: []", "file.managed: [{name: /srv/f}, {source: salt://none}, {require: [earlier]}]", fails},
		{"test.succeed_with_changes: []", "file.managed: [{name: /srv/a/b}, {contents: y}, {require: [earlier]}]", depends},
	} {
		h := hosttest.New(t)
		h.Write("/srv/here", "")
		p := compileWith(t, module.NewIndex(file.Module, testmod.Module), "earlier:\n  "+c.earlier+"\nlater:\n  "+c.state+"\n")
		results, _ := run.Run(t.Context(), p, h.Host, run.Options{Test: true})
		for tag, v := range results.All() {
			if !strings.Contains(tag.(string), "_|-later_|-") {
				continue
			}
			result, _ := v.(*value.Dict).Get("result")
			comment, _ := v.(*value.Dict).Get("comment")
			got := ""
			if result == false {
				got = fails
			} else if text := comment.(string); strings.HasPrefix(text, depends) {
				got = depends
			}
			if got != c.want {
				t.Errorf("%s\n%s\ngot %v %v, want %s", c.earlier, c.state, result, comment, c.want)
			}
		}
	}
}
