package debconf

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/mod/cp"
	"brine/states/module"
	"brine/states/value"
)

// An answer is a line of what debconf-set-selections reads: a value of a type, or with the type seen that flag.
type answer struct{ owner, question, kind, value string }

const password = "password"

func (a answer) check() error {
	for _, word := range []string{a.owner, a.question} {
		if word == "" || strings.ContainsAny(word, " \t\r\n\x00") || word[0] == '#' {
			return fmt.Errorf("%q can't be the name of a package or a question", word)
		}
	}
	if !slices.Contains([]string{"select", "boolean", "string", "multiselect", "note", password, "text", "title", "error", "seen"}, a.kind) {
		return fmt.Errorf("question %s: want a type such as string, boolean, select, multiselect, password or note, got %q", a.question, a.kind)
	}
	if strings.ContainsAny(a.value, "\r\x00") || strings.HasSuffix(a.value, `\`) {
		return fmt.Errorf("question %s: its value can't be written to debconf", a.question)
	}
	return nil
}

// told is the value as results show it.
func (a answer) told() string {
	if a.kind == password {
		return "(password hidden)"
	}
	return a.value
}

// is says whether debconf has the answer.
func (a answer) is(all []question) bool {
	for _, q := range all {
		if q.name != a.question || !slices.Contains(q.owners, a.owner) {
			continue
		}
		if a.kind == "seen" {
			return q.seen == (a.value == "true")
		}
		return q.kind == a.kind && q.value == strings.ReplaceAll(a.value, "\n", `\n`)
	}
	return false
}

// parse reads lines as debconf-set-selections does.
func parse(text string) (all []answer, err error) {
	var errs []error
	line := ""
	for raw := range strings.Lines(text) {
		line += strings.TrimRight(raw, "\r\n")
		if cut, ok := strings.CutSuffix(line, `\`); ok {
			line = cut
			continue
		}
		if words := strings.TrimLeft(line, " \t"); words != "" && words[0] != '#' {
			a := split(words)
			if err := a.check(); err != nil {
				errs = append(errs, err)
			}
			all = append(all, a)
		}
		line = ""
	}
	return all, errors.Join(errs...)
}

func split(line string) answer {
	var words [3]string
	for i := range words {
		n := strings.IndexAny(line, " \t")
		if n < 0 {
			words[i], line = line, ""
			break
		}
		words[i], line = line[:n], line[n:]
		if i < 2 {
			line = strings.TrimLeft(line, " \t")
		} else {
			line = line[1:]
		}
	}
	return answer{words[0], words[1], words[2], line}
}

// write has debconf keep answers.
func write(ctx context.Context, h *host.Host, all []answer) error {
	var b strings.Builder
	for _, a := range all {
		fmt.Fprintf(&b, "%s %s %s %s\n", a.owner, a.question, a.kind, strings.ReplaceAll(a.value, "\n", `\n`))
	}
	argv := []string{"debconf-set-selections"}
	if !h.Real() {
		argv = append([]string{"chroot", h.Path("/")}, argv...)
	}
	out, err := h.Exec(ctx, host.Command{Argv: argv, Env: []string{"LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"}, Stdin: []byte(b.String())})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("cannot set answers: this host does not have debconf")
	case err != nil:
		return err
	case out.Code != 0 && slices.ContainsFunc(all, func(a answer) bool { return a.kind == password }):
		return fmt.Errorf("cannot set answers: debconf-set-selections ended with %d; what it says may hold a password", out.Code)
	}
	return out.Failed(argv)
}

type sourceArgs struct {
	Template string      `arg:"template" doc:"what renders the file: jinja; absent: nothing"`
	Context  *value.Dict `arg:"context" doc:"variables of the template"`
	Defaults *value.Dict `arg:"defaults" doc:"variables that context need not have"`
	Saltenv  string      `arg:"saltenv" doc:"environment to fetch it from; the job's when absent"`
}

// largest bounds files of answers.
const largest = 1 << 20

// read fetches a file of answers. The error is fs.ErrNotExist when there is none.
func (a *sourceArgs) read(ctx context.Context, h *host.Host, source string) ([]answer, error) {
	local, err := cp.Fetch(ctx, h, source, a.Saltenv)
	if err != nil {
		return nil, err
	}
	st, err := os.Stat(local)
	if err != nil {
		return nil, err
	}
	if st.Size() > largest {
		return nil, fmt.Errorf("cannot read %s: it has more than %d bytes", source, largest)
	}
	text, err := os.ReadFile(local)
	if err == nil && a.Template != "" {
		text, err = a.render(ctx, h, source, text)
	}
	if err != nil {
		return nil, err
	}
	all, err := parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("cannot read the answers in %s: %w", source, err)
	}
	return all, nil
}

func (a *sourceArgs) render(ctx context.Context, h *host.Host, source string, text []byte) ([]byte, error) {
	if h.Render == nil {
		return nil, errors.New("cannot render: this host has no engine for templates")
	}
	variables := &value.Dict{}
	for _, d := range []*value.Dict{a.Defaults, a.Context} {
		for k, v := range d.All() {
			_ = variables.Set(k, v) // it was a key already
		}
	}
	return h.Render.Render(ctx, host.Template{Engine: a.Template, Name: source, Text: text, Saltenv: a.Saltenv, Context: variables})
}

// SetFile sets the answers that are in a file, which may be of the host, of masters (salt://) or of the web.
func SetFile(ctx context.Context, h *host.Host, source string) error {
	all, err := (&sourceArgs{}).read(ctx, h, source)
	if err != nil {
		return err
	}
	return write(ctx, h, all)
}

// CheckFile says what is wrong with a file of answers, and sets none.
func CheckFile(ctx context.Context, h *host.Host, source string) error {
	_, err := (&sourceArgs{}).read(ctx, h, source)
	return err
}

// plan is that of answers which debconf is to have.
func plan(h *host.Host, wanted []answer) (module.Plan, error) {
	p := module.Plan{Same: "All specified answers are already set"}
	have, err := questions(h)
	if err != nil {
		return p, err
	}
	var todo []answer
	var names []string
	changes := &value.Dict{}
	for _, a := range wanted {
		if !a.is(have) {
			todo, names = append(todo, a), append(names, a.question)
			changes.Put(a.question, a.told())
		}
	}
	if len(todo) == 0 {
		return p, nil
	}
	p.Would = "Answers would be set: " + strings.Join(names, ", ")
	p.Did = "Answers were set: " + strings.Join(names, ", ")
	p.Steps = []module.Step{{Changes: changes, Do: func(ctx context.Context) (module.Done, error) {
		return module.Done{}, write(ctx, h, todo)
	}}}
	return p, nil
}
