package locale_test

import (
	"fmt"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/locale"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

// A fake is a host that can make locales, in the way of a distribution.
type fake struct {
	*hosttest.Host
	made []string
	vars []string // what localectl has
}

func newFake(t testing.TB) *fake {
	f := &fake{Host: hosttest.New(t), made: []string{"C", "C.utf8", "POSIX"}, vars: []string{"LANG=C.UTF-8", "LC_TIME=en_DK.UTF-8"}}
	f.answers()
	return f
}

func (f *fake) answers() {
	f.Answer("locale -a", host.Output{Stdout: []byte(strings.Join(f.made, "\n") + "\n")})
	status := "   System Locale: " + strings.Join(f.vars, "\n                  ") + "\n       VC Keymap: (unset)\n      X11 Layout: X=1\n"
	f.Answer("localectl status", host.Output{Stdout: []byte(status)})
}

// makes scripts a command that makes a locale.
func (f *fake) makes(line, name string) {
	f.Change(line, func(host.Command) (host.Output, error) {
		f.made = append(f.made, name)
		f.answers()
		return host.Output{Code: 1, Stdout: []byte("[warning] a language has no name\n")}, nil
	})
}

// debian is a host that has locale-gen.
func debian(t testing.TB, os string) *fake {
	f := newFake(t)
	f.Grains.Put("os", os)
	f.Grains.Put("os_family", "Debian")
	f.Write("/usr/sbin/locale-gen", "")
	f.Write("/usr/share/i18n/SUPPORTED", "de_DE ISO-8859-1\nde_DE.UTF-8 UTF-8\nde_DE@euro ISO-8859-15\n")
	f.Write("/etc/locale.gen", "# This is read by locale-gen\n# de_DE ISO-8859-1\n#  de_DE.UTF-8 UTF-8\n")
	f.makes("locale-gen --keep-existing", "de_DE.utf8")
	return f
}

// boot has systemd run the host.
func (f *fake) boot() *fake {
	f.Write("/run/systemd/system/x", "")
	f.Change("localectl set-locale LANG=de_DE.UTF-8 LC_TIME=en_DK.UTF-8", func(host.Command) (host.Output, error) {
		f.vars = []string{"LANG=de_DE.UTF-8", "LC_TIME=en_DK.UTF-8"}
		f.answers()
		return host.Output{}, nil
	})
	return f
}

func TestModule(t *testing.T) {
	moduletest.Run(t, locale.Module, moduletest.Options{Host: func(t testing.TB) *hosttest.Host { return debian(t, "Debian").boot().Host }})
	moduletest.Run(t, locale.Module, moduletest.Options{Host: func(t testing.TB) *hosttest.Host { return debian(t, "Debian").Host }})
}

func call(t *testing.T, h *fake, name string, args ...string) string {
	t.Helper()
	f, err := module.NewIndex(locale.Module).Func("locale." + name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Call(t.Context(), h.Host.Host, module.Words(args...))
	if err != nil {
		return strings.TrimPrefix(err.Error(), "cannot call locale."+name+": ")
	}
	json, err := value.MarshalJSON(r.Value)
	if err != nil {
		t.Fatal(err)
	}
	return string(json)
}

func state(t *testing.T, h *fake, test bool, function, name string) string {
	t.Helper()
	s, err := module.NewIndex(locale.Module).State("locale." + function)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Bind(module.Words("name=" + name))
	if err != nil {
		return err.Error()
	}
	r := b.Run(t.Context(), h.Host.Host, test)
	changes, err := value.MarshalJSON(r.Changes)
	if err != nil {
		t.Fatal(err)
	}
	result := "would"
	if r.Result != nil {
		result = fmt.Sprint(*r.Result)
	}
	return fmt.Sprintf("%s %s %s", result, changes, r.Comment)
}

func TestPresent(t *testing.T) {
	for _, name := range []string{"de_DE.UTF-8", "de_DE.UTF-8 UTF-8", "de_DE.utf8"} {
		h := debian(t, "Debian")
		for _, c := range []struct {
			test bool
			want string
		}{
			{true, `would {"locale":"%[1]s"} Locale %[1]s needs to be generated`},
			{false, `true {"locale":"%[1]s"} Generated locale %[1]s`},
			{false, `true {} Locale %[1]s is already present`},
		} {
			if got, want := state(t, h, c.test, "present", name), fmt.Sprintf(c.want, name); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		want := "# This is read by locale-gen\n# de_DE ISO-8859-1\nde_DE.UTF-8 UTF-8\n"
		if got := h.Read("/etc/locale.gen"); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestPresentRefuses(t *testing.T) {
	rpm := newFake(t)
	rpm.Write("/usr/share/i18n/locales/de_DE", "")
	for _, c := range []struct {
		h          *fake
		name, want string
	}{
		{debian(t, "Debian"), "tlh_QO.UTF-8", `false {} cannot make the locale "tlh_QO.UTF-8": it is not in /usr/share/i18n/SUPPORTED`},
		{debian(t, "Debian"), "de_DE.UTF-8 KOI8-R", `false {} cannot make the locale "de_DE.UTF-8 KOI8-R": it is not in /usr/share/i18n/SUPPORTED`},
		{rpm, "en_US.UTF-8", `false {} cannot make the locale "en_US.UTF-8": it is not in /usr/share/i18n/locales ` +
			`(a package such as glibc-locale-source or glibc-i18ndata brings it)`},
		{rpm, "de_DE", `false {} cannot make the locale "de_DE": it names no codeset, such as .UTF-8`},
		{rpm, "a b c", `argument "name": want a locale such as de_DE.UTF-8, got "a b c"`},
		{rpm, "--help", `argument "name": want a locale such as de_DE.UTF-8, got "--help"`},
	} {
		if got := state(t, c.h, true, "present", c.name); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestAnErrorOfLocaleGenIsTold(t *testing.T) {
	h := debian(t, "Debian")
	h.makes("locale-gen --keep-existing", "other")
	want := `false {} cannot make the locale "de_DE@euro": locale-gen did not, it ended with 1: [warning] a language has no name`
	if got := state(t, h, false, "present", "de_DE@euro"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestOtherDistributions(t *testing.T) {
	ubuntu := debian(t, "Ubuntu")
	ubuntu.makes("locale-gen", "de_DE.utf8")
	arch := newFake(t)
	arch.Write("/usr/bin/locale-gen", "")
	arch.Write("/etc/locale.gen", "#de_DE.UTF-8 UTF-8  \n")
	arch.makes("locale-gen", "de_DE.utf8")
	gentoo := debian(t, "Gentoo")
	gentoo.Grains.Put("os_family", "Gentoo")
	gentoo.makes("locale-gen --update", "de_DE.utf8")
	rpm := newFake(t)
	rpm.Write("/usr/share/i18n/locales/de_DE", "")
	rpm.makes("localedef -i de_DE -f UTF-8 de_DE.UTF-8", "de_DE.utf8")
	for _, h := range []*fake{ubuntu, arch, gentoo, rpm} {
		if got := call(t, h, "gen_locale", "de_DE.UTF-8", "verbose=true"); got != "true" {
			t.Errorf("got %s", got)
		}
	}
}

func TestAvailable(t *testing.T) {
	h := newFake(t)
	h.made = []string{"C.utf8", "de_DE@euro", "en_US.iso885915"}
	h.answers()
	for name, want := range map[string]string{
		"C.UTF-8": "true", "de_DE@euro ISO-8859-15": "true", "de_DE": "false", "en_US.ISO-8859-15": "true", "en_US": "false",
	} {
		if got := call(t, h, "avail", name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	if got, want := call(t, h, "list_avail"), `["C.utf8","de_DE@euro","en_US.iso885915"]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSystem(t *testing.T) {
	h := debian(t, "Debian").boot()
	for _, c := range []struct {
		test bool
		want string
	}{
		{true, `would {"locale":"de_DE.UTF-8"} System locale de_DE.UTF-8 needs to be set`},
		{false, `true {"locale":"de_DE.UTF-8"} Set system locale de_DE.UTF-8`},
		{false, `true {} System locale de_DE.UTF-8 already set`},
	} {
		if got := state(t, h, c.test, "system", "de_DE.UTF-8"); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestSystemWithoutSystemd(t *testing.T) {
	for _, c := range []struct{ family, file, before, after string }{
		{"Debian", "/etc/default/locale", "LC_TIME=C\nLANG=en_US.UTF-8\n", "LC_TIME=C\nLANG=\"de_DE.UTF-8\"\n"},
		{"RedHat", "/etc/sysconfig/i18n", "LANG=\"C\"\nLANG=\"C\"", "LANG=\"de_DE.UTF-8\"\n"},
		{"RedHat", "/etc/locale.conf", "", "LANG=\"de_DE.UTF-8\"\n"},
		{"Suse", "/etc/sysconfig/language", "## Path\nRC_LANG=\"\"\n", "## Path\nRC_LANG=\"de_DE.UTF-8\"\n"},
		{"Gentoo", "/etc/env.d/02locale", "LC_COLLATE=C", "LC_COLLATE=C\nLANG=\"de_DE.UTF-8\"\n"},
	} {
		h := newFake(t)
		h.Grains.Put("os_family", c.family)
		if c.family == "Suse" {
			h.boot()
			h.Grains.Put("osmajorrelease", int64(12))
		}
		h.Change("env-update", func(host.Command) (host.Output, error) { return host.Output{}, nil })
		if c.before != "" {
			h.Write(c.file, c.before)
		}
		if got := call(t, h, "set_locale", "de_DE.UTF-8"); got != "true" || h.Read(c.file) != c.after {
			t.Errorf("%s: got %s and %q, want %q", c.file, got, h.Read(c.file), c.after)
		}
		if got := call(t, h, "get_locale"); got != `"de_DE.UTF-8"` {
			t.Errorf("%s: got %s", c.file, got)
		}
	}
}
