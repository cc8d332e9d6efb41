package cron

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

// most is how large a crontab may be.
const most = 1 << 20

type fileArgs struct {
	Name           string      `arg:"name,required" doc:"the crontab: salt://PATH, or a path of this host"`
	User           string      `arg:"user" default:"root" doc:"whose crontab"`
	Template       string      `arg:"template" doc:"the engine that renders it, such as jinja"`
	Context        *value.Dict `arg:"context" doc:"variables of its template"`
	Defaults       *value.Dict `arg:"defaults" doc:"variables of its template that context has not"`
	Replace        bool        `arg:"replace" default:"true" doc:"false leaves a crontab alone that is there"`
	SourceHash     string      `arg:"source_hash" doc:"the sha256 of the file, for one of this host; what masters serve is always verified"`
	SourceHashName string      `arg:"source_hash_name" doc:"taken for Salt's sake: source_hash is the hash itself"`
	Backup         string      `arg:"backup" doc:"only warns: no copy is made, as what was there is among the changes of the result"`
}

// CheckArgs implements module.Checker.
func (a *fileArgs) CheckArgs() error {
	if !strings.HasPrefix(a.Name, "salt://") && !filepath.IsAbs(a.Name) {
		return fmt.Errorf("cannot read a crontab from %q: want salt://PATH or an absolute path", a.Name)
	}
	return nil
}

func planFile(ctx context.Context, h *host.Host, a fileArgs) (module.Plan, error) {
	have, err := read(ctx, h, a.User)
	if err != nil {
		return module.Plan{}, err
	}
	same := module.Plan{Same: fmt.Sprintf("Crontab for user %s is in the correct state", a.User)}
	if a.Backup != "" && a.Backup != "false" {
		same.Warnings = []string{`argument "backup" has no effect: the crontab that was there is among the changes of the result`}
	}
	if have != "" && !a.Replace {
		return same, nil
	}
	want, err := a.text(ctx, h)
	if err != nil || want == have {
		return same, err
	}
	return module.Plan{
		Warnings: same.Warnings,

		Would: fmt.Sprintf("Crontab for user %s is set to be updated", a.User),
		Did:   fmt.Sprintf("Crontab for user %s was updated", a.User),
		Steps: []module.Step{module.Replace(a.User, have, want, func(ctx context.Context) error {
			return write(ctx, h, a.User, want)
		})},
	}, nil
}

// text is the crontab that the file is, with a newline at its end: cron takes no last line without one.
func (a *fileArgs) text(ctx context.Context, h *host.Host) (string, error) {
	data, err := source(ctx, h, a.Name)
	if err != nil {
		return "", err
	}
	if sum := fmt.Sprintf("%x", sha256.Sum256(data)); a.SourceHash != "" &&
		!strings.EqualFold(strings.TrimPrefix(a.SourceHash, "sha256="), sum) {
		return "", fmt.Errorf("cannot use %s: its sha256 is %s, want %s", a.Name, sum, a.SourceHash)
	}
	if a.Template != "" {
		if data, err = a.render(ctx, h, data); err != nil {
			return "", err
		}
	}
	text := string(data)
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return text, nil
}

func (a *fileArgs) render(ctx context.Context, h *host.Host, data []byte) ([]byte, error) {
	if h.Render == nil {
		return nil, errors.New("cannot render: this host has no engine for templates")
	}
	variables := &value.Dict{}
	for _, d := range []*value.Dict{a.Defaults, a.Context} {
		for k, v := range d.All() {
			_ = variables.Set(k, v) // it was a key already
		}
	}
	return h.Render.Render(ctx, host.Template{Engine: a.Template, Name: a.Name, Text: data, Context: variables})
}

func source(ctx context.Context, h *host.Host, name string) ([]byte, error) {
	local := h.Path(name)
	if strings.HasPrefix(name, "salt://") {
		if h.Files == nil {
			return nil, fmt.Errorf("cannot fetch %q: this host has no masters to fetch from", name)
		}
		var err error
		if local, err = h.Files.Fetch(ctx, name); err != nil {
			return nil, err
		}
	}
	st, err := os.Stat(local)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, module.Unknown("cannot read a crontab from %s: there is no such file", name)
	case err == nil && st.Size() > most:
		return nil, fmt.Errorf("cannot read a crontab from %s: it has more than %d bytes", name, most)
	case err != nil:
		return nil, err
	}
	return os.ReadFile(local)
}
