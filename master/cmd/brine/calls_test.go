package main

import (
	"fmt"
	"strings"
	"testing"

	"brine/proto"
)

// The cases agree with what Salt makes of the same words, but for those of no arguments, which Salt refuses.
func TestCalls(t *testing.T) {
	for _, c := range []struct{ function, words, separator, want string }{
		{"test.ping", "", ",", "test.ping()"},
		{"test.arg", "a,b|,|c=1", ",", "test.arg(a,b|,|c=1)"},
		{"test.ping,cmd.run,test.arg", ",uptime,a b", ",", "test.ping() cmd.run(uptime) test.arg(a b)"},
		{"test.ping,cmd.run,test.arg", ",|uptime|,|a|b=2", ",", "test.ping() cmd.run(uptime) test.arg(a|b=2)"},
		{"cmd.run,test.arg", "echo a,b|,|x,y", ",", "cmd.run(echo a,b) test.arg(x,y)"},
		{"cmd.run,test.arg", "echo a,b|--|x", "--", "cmd.run(echo a,b) test.arg(x)"},
		{"cmd.run,test.arg", "uptime,", ",", "cmd.run(uptime) test.arg()"},
		{"test.ping,test.version", "", ",", "test.ping() test.version()"},
		{"test.ping,test.version", ",", ",", "test.ping() test.version()"},
		{"cmd.run,test.arg", "uptime", ",", "2 functions, and arguments of 1"},
		{"cmd.run,test.arg", "a,b,c", ",", "2 functions, and arguments of 3"},
		{"cmd.run,test.arg", "a", "", "empty --args-separator"},
	} {
		var words []string
		if c.words != "" {
			words = strings.Split(c.words, "|")
		}
		all, err := calls(c.function, words, c.separator)
		var got []string
		for _, call := range all {
			var args []string
			for _, a := range call.Args {
				arg := a.GetText()
				if a.Name != "" {
					arg = a.Name + "=" + arg
				}
				args = append(args, arg)
			}
			got = append(got, fmt.Sprintf("%s(%s)", call.Function, strings.Join(args, "|")))
		}
		if text := strings.Join(got, " "); err == nil && text != c.want || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: got %s, %v, want %s", c.function, c.words, text, err, c.want)
		}
	}
}

func TestSeveralFunctionsTakeNoSecrets(t *testing.T) {
	f := &jobFlags{}
	_, _, err := f.prepare([]*proto.Call{{Function: "test.ping"}, {Function: "state.apply", Args: arguments([]string{"pillar={a: 1}"})}})
	if err == nil || !strings.Contains(err.Error(), "cannot use pillar= with several functions") {
		t.Errorf("got %v", err)
	}
	environment, _, err := f.prepare([]*proto.Call{{Function: "test.ping"}, {Function: "state.apply", Args: arguments([]string{"web", "saltenv=dev"})}})
	if err != nil || environment != "dev" {
		t.Errorf("got environment %q, %v", environment, err)
	}
}

// TestWhatMastersLookForHasAName: given by position as in Salt, an environment and pillar are found all the same.
func TestWhatMastersLookForHasAName(t *testing.T) {
	for _, c := range []struct{ function, words, environment, open, sealed string }{
		{"state.apply", `web true base {"a":"secret"}`, "base", "web true", `pillar={"a":"secret"}`},
		{"state.sls", `queue=True web true dev {a:b} x True`, "dev", "queue=True web true exclude=x queue=True", `pillar={a:b}`},
		{"state.apply", `web true pillar={}`, "", "web true", "pillar={}"},
		{"pillar.items", `web pillar={a:b}`, "", "web", "pillar={a:b}"},
		{"pillar.filter_by", "{a:b} role", "", "{a:b} role", ""},
		{"cp.get_file", "salt://a /b dev", "", "salt://a /b saltenv=dev", ""},
		{"cmd.run", "uptime saltenv=dev", "", "uptime saltenv=dev", ""},
		{"own.function", "a b", "", "a b", ""},
	} {
		call := &proto.Call{Function: c.function, Args: arguments(strings.Fields(c.words))}
		environment, sealed, err := (&jobFlags{}).prepare([]*proto.Call{call})
		if err != nil {
			t.Errorf("%s: %v", c.function, err)
		}
		if open, sealed := typed(call.Args), typed(sealed); environment != c.environment || open != c.open || sealed != c.sealed {
			t.Errorf("%s %s: got environment %q, %s, sealed %s", c.function, c.words, environment, open, sealed)
		}
	}
}

func typed(args []*proto.Argument) string {
	var words []string
	for _, a := range args {
		word := a.GetText()
		if a.Name != "" {
			word = a.Name + "=" + word
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}
