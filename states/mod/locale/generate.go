package locale

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"brine/states/host"
	"brine/states/mod/file"
)

const (
	supported = "/usr/share/i18n/SUPPORTED" // every locale that Debian and Gentoo can make
	wanted    = "/etc/locale.gen"           // those that locale-gen makes
	languages = "/usr/share/i18n/locales"   // what localedef makes one of
)

type nameArgs struct {
	Locale name `arg:"locale,required" doc:"the locale, such as de_DE.UTF-8"`
}

type generateArgs struct {
	nameArgs
	Verbose bool `arg:"verbose" doc:"accepted for Salt: what went wrong is always told"`
}

type listKey struct{}

// list returns the locales that can be used.
func list(ctx context.Context, h *host.Host, _ struct{}) ([]string, error) {
	out, err := h.Run(ctx, "locale", "-a")
	return strings.Fields(out), err
}

func available(ctx context.Context, h *host.Host, a nameArgs) (bool, error) {
	all, err := host.Remember(h.Memo, listKey{}, 10*time.Second, func() ([]string, error) { return list(ctx, h, struct{}{}) })
	return a.Locale.in(all), err
}

// A way is how a locale is made.
type way struct {
	line    string // of /etc/locale.gen; "" where there is no such file
	command []string
}

// find finds how a locale can be made. It looks and changes nothing.
func find(h *host.Host, n name) (way, error) {
	distro, _ := h.Grains.Get("os")
	family, _ := h.Grains.Get("os_family")
	if !has(h, "/usr/sbin/locale-gen") && !has(h, "/usr/bin/locale-gen") {
		return definition(h, n)
	}
	line, err := spelled(h, n)
	w := way{line: line, command: []string{"locale-gen"}}
	switch {
	case distro == "Debian":
		w.command = append(w.command, "--keep-existing") // without it all others are made anew
	case family == "Gentoo":
		w.command = append(w.command, "--update")
	}
	return w, err
}

// spelled returns the line of a locale as /etc/locale.gen has it.
func spelled(h *host.Host, n name) (string, error) {
	from := supported
	data, err := file.Get(h, from)
	if err == nil && data == nil { // such as on Arch
		from = wanted
		data, err = file.Get(h, from)
	}
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(data)) {
		if line = uncommented(line); len(strings.Fields(line)) == 2 && n.fits(line) {
			return line, nil
		}
	}
	return "", n.missing(from, "")
}

func uncommented(line string) string { return strings.Trim(line, "# \t\n") }

// definition is how a locale is made where there is no locale-gen.
func definition(h *host.Host, n name) (way, error) {
	if !has(h, languages+"/"+n.input()) {
		return way{}, n.missing(languages, " (a package such as glibc-locale-source or glibc-i18ndata brings it)")
	}
	charmap := n.charmap
	if charmap == "" {
		charmap = n.codeset
	}
	if charmap == "" {
		return way{}, fmt.Errorf("cannot make the locale %q: it names no codeset, such as .UTF-8", n)
	}
	return way{command: []string{"localedef", "-i", n.input(), "-f", charmap, n.plain()}}, nil
}

// enter puts the locale among those that locale-gen makes.
func (w way) enter(ctx context.Context, h *host.Host) error {
	data, err := file.Get(h, wanted)
	if err != nil || w.line == "" {
		return err
	}
	var lines []string
	done := false
	for line := range strings.Lines(string(data)) {
		if text := strings.TrimSuffix(line, "\n"); !done && uncommented(text) == w.line {
			done = true
			lines = append(lines, w.line)
		} else {
			lines = append(lines, text)
		}
	}
	if !done {
		lines = append(lines, w.line)
	}
	if text := strings.Join(lines, "\n") + "\n"; text != string(data) {
		return file.Put(ctx, h, wanted, []byte(text), 0o644)
	}
	return nil
}

// make makes the locale. That it is there is what counts: locale-gen ends with 0 when it could not make one, and
// localedef with 1 when it only warned.
func (n name) make(ctx context.Context, h *host.Host) error {
	w, err := find(h, n)
	if err != nil {
		return err
	}
	if err := w.enter(ctx, h); err != nil {
		return err
	}
	out, err := h.Exec(ctx, host.Command{Argv: w.command, Env: []string{"LC_ALL=C"}, Merge: true})
	if err != nil {
		return fmt.Errorf("cannot make the locale %q: %w", n, err)
	}
	all, err := list(ctx, h, struct{}{})
	if err == nil && !n.in(all) {
		err = fmt.Errorf("cannot make the locale %q: %s did not, it ended with %d: %s", n, w.command[0], out.Code, strings.TrimSpace(string(out.Stdout)))
	}
	return err
}

func generate(ctx context.Context, h *host.Host, a generateArgs) (bool, error) {
	err := a.Locale.make(ctx, h)
	return err == nil, err
}

func has(h *host.Host, path string) bool {
	_, err := os.Stat(h.Path(path))
	return err == nil
}
