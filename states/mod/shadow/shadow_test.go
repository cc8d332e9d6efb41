package shadow_test

import (
	"strconv"
	"strings"
	"testing"

	"brine/states/account"
	"brine/states/account/accounttest"
	"brine/states/mod/shadow"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

func TestModule(t *testing.T) { moduletest.Run(t, shadow.Module, moduletest.Options{}) }

func TestFunctions(t *testing.T) {
	for _, tt := range []struct{ line, ran, want string }{
		{"default_hash", "", `"!"`},
		{"info me", "", `{"name":"me","passwd":"XXX-REDACTED-XXX","lstchg":19000,"min":0,"max":99999,"warn":7,"inact":-1,"expire":-1}`},
		{"info root", "", `{"name":"root","passwd":"*","lstchg":19000,"min":0,"max":99999,"warn":7,"inact":-1,"expire":-1}`},
		{"info nosuch", "", `{}`},
		{"list_users", "", `["root","me"]`},
		{"gen_password geheim crypt_salt=saltsalt algorithm=md5", "", `"$1$saltsalt$`},
		{"set_password me $6$a$b", "chpasswd -e < me:$6$a$b", `true`},
		{"set_password me geheim", "", `cannot set the password of the user "me": want a hash of a password as shadow has it`},
		{"set_password nosuch $6$a$b", "", `cannot find user "nosuch": no such account`},
		{"del_password me", "passwd -d me", `true`},
		{"lock_password me", "chpasswd -e < me:!$6$x$y", `true`},
		{"unlock_password me", "", `true`},
		{"unlock_password none", "", `cannot unlock the password: there is none`},
		{"set_date me 2000-01-01", "chage -d 10957 me", `true`},
		{"set_expire me -1", "", `true`},
		{"set_expire me expire=5", "chage -E 5 me", `true`},
		{"set_inactdays me 1", "chage -I 1 me", `true`},
		{"set_maxdays me 90", "chage -M 90 me", `true`},
		{"set_mindays me 1", "chage -m 1 me", `true`},
		{"set_warndays me 3", "chage -W 3 me", `true`},
	} {
		h := accounttest.New(t)
		h.Write("/etc/shadow", "root:*:19000:0:99999:7:::\nme:$6$x$y:19000:0:99999:7:::\nnone:!:1::::::\n")
		if strings.HasPrefix(tt.line, "unlock_password none") {
			h.Write("/etc/passwd", h.Read("/etc/passwd")+"none:x:5:5::/:/bin/sh\n")
		}
		words := strings.Fields(tt.line)
		f, err := module.NewIndex(shadow.Module).Func("shadow." + words[0])
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Call(t.Context(), h.Host.Host, module.Words(words[1:]...))
		json, _ := value.MarshalJSON(r.Value)
		got := string(json)
		if err != nil {
			got = err.Error()
		}
		if ran := strings.Join(h.Ran(), "; "); !strings.HasPrefix(got, tt.want) || ran != tt.ran {
			t.Errorf("%s: got %s and ran %q, want %s and %q", tt.line, got, ran, tt.want, tt.ran)
		}
		if s, _ := account.FindShadow(h.Host.Host, "me"); strings.HasPrefix(tt.line, "set_password me $") && s.LastChange != account.Today() {
			t.Errorf("the day of the change is %s", strconv.FormatInt(s.LastChange, 10))
		}
	}
}
