package cron

import (
	"context"
	"errors"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type userArgs struct {
	User string `arg:"user,required" doc:"whose crontab"`
}

func rawCron(ctx context.Context, h *host.Host, a userArgs) (string, error) {
	return read(ctx, h, a.User)
}

func listTab(ctx context.Context, h *host.Host, a userArgs) (*value.Dict, error) {
	text, err := read(ctx, h, a.User)
	if err != nil {
		return nil, err
	}
	t := parse(text)
	lists := map[kind]*value.List{job: {}, special: {}, env: {}}
	for _, e := range t.lines {
		if l := lists[e.kind]; l != nil {
			l.Items = append(l.Items, e.dict())
		}
	}
	pre := &value.List{}
	for _, line := range t.pre {
		pre.Items = append(pre.Items, line)
	}
	return value.NewDict("pre", pre, "crons", lists[job], "special", lists[special], "env", lists[env]), nil
}

type entryArgs struct {
	User       string `arg:"user,required" doc:"whose crontab"`
	Identifier string `arg:"identifier" doc:"what the job is known by"`
	Cmd        string `arg:"cmd" doc:"its command"`
}

// getEntry returns a job, or false.
func getEntry(ctx context.Context, h *host.Host, a entryArgs) (any, error) {
	text, err := read(ctx, h, a.User)
	if err != nil {
		return nil, err
	}
	for _, e := range parse(text).lines {
		if e.kind == job && (a.Identifier != "" && e.id == a.Identifier || a.Cmd != "" && e.cmd == a.Cmd) {
			return e.dict(), nil
		}
	}
	return false, nil
}

type setJobArgs struct {
	User       string  `arg:"user,required" doc:"whose crontab"`
	Minute     when    `arg:"minute,required" doc:"0 to 59, lists, ranges and steps; random chooses once"`
	Hour       when    `arg:"hour,required" doc:"0 to 23"`
	Daymonth   when    `arg:"daymonth,required" doc:"day of the month, 1 to 31"`
	Month      when    `arg:"month,required" doc:"1 to 12, or jan to dec"`
	Dayweek    when    `arg:"dayweek,required" doc:"day of the week, 0 to 7, or sun to sat"`
	Cmd        string  `arg:"cmd,required" doc:"the command"`
	Commented  bool    `arg:"commented" doc:"have it there, but commented out"`
	Comment    *string `arg:"comment" doc:"a comment above the job"`
	Identifier mark    `arg:"identifier" doc:"what the job is known by"`
}

func setJob(ctx context.Context, h *host.Host, a setJobArgs) (string, error) {
	at := times{a.Minute, a.Hour, a.Daymonth, a.Month, a.Dayweek}
	w := wanted{kind: job, when: at.fields(), cmd: strings.TrimSpace(a.Cmd), comment: a.Comment, id: a.Identifier.id, off: a.Commented}
	if err := errors.Join(at.check(), w.check()); err != nil {
		return "", err
	}
	return set(ctx, h, a.User, &w)
}

// set makes a job as wanted and says, as Salt does, what that was.
func set(ctx context.Context, h *host.Host, user string, w *wanted) (string, error) {
	was := absent
	err := change(ctx, h, user, func(t *tab) error {
		was = w.put(t)
		return nil
	})
	return was.word(), err
}

func (s status) word() string {
	return [...]string{absent: "new", stale: "updated", present: "present"}[s]
}

type setSpecialArgs struct {
	User       string  `arg:"user,required" doc:"whose crontab"`
	Special    spec    `arg:"special,required" doc:"@reboot, @hourly, @daily, @weekly, @monthly or @yearly"`
	Cmd        string  `arg:"cmd,required" doc:"the command"`
	Commented  bool    `arg:"commented" doc:"have it there, but commented out"`
	Comment    *string `arg:"comment" doc:"a comment above the job"`
	Identifier mark    `arg:"identifier" doc:"what the job is known by"`
}

func setSpecial(ctx context.Context, h *host.Host, a setSpecialArgs) (string, error) {
	w := wanted{kind: special, spec: string(a.Special), cmd: strings.TrimSpace(a.Cmd), comment: a.Comment, id: a.Identifier.id, off: a.Commented}
	if w.spec == "" {
		return "", errors.New("cannot make a job: special is empty")
	}
	if err := w.check(); err != nil {
		return "", err
	}
	return set(ctx, h, a.User, &w)
}

type rmJobArgs struct {
	User       string `arg:"user,required" doc:"whose crontab"`
	Cmd        string `arg:"cmd,required" doc:"the command"`
	Minute     when   `arg:"minute" doc:"only a job with this"`
	Hour       when   `arg:"hour" doc:"only a job with this"`
	Daymonth   when   `arg:"daymonth" doc:"only a job with this"`
	Month      when   `arg:"month" doc:"only a job with this"`
	Dayweek    when   `arg:"dayweek" doc:"only a job with this"`
	Identifier mark   `arg:"identifier" doc:"what the job is known by"`
}

func rmJob(ctx context.Context, h *host.Host, a rmJobArgs) (string, error) {
	only := times{a.Minute, a.Hour, a.Daymonth, a.Month, a.Dayweek}.fields()
	return remove(ctx, h, a.User, func(e *entry) bool {
		for i, f := range only {
			if f != "" && e.when[i] != f {
				return false
			}
		}
		return e.kind == job && e.matches(strings.TrimSpace(a.Cmd), a.Identifier.id)
	})
}

type rmSpecialArgs struct {
	User       string `arg:"user,required" doc:"whose crontab"`
	Cmd        string `arg:"cmd,required" doc:"the command"`
	Special    spec   `arg:"special" doc:"only a job with this"`
	Identifier mark   `arg:"identifier" doc:"what the job is known by"`
}

func rmSpecial(ctx context.Context, h *host.Host, a rmSpecialArgs) (string, error) {
	return remove(ctx, h, a.User, func(e *entry) bool {
		return e.kind == special && e.matches(strings.TrimSpace(a.Cmd), a.Identifier.id) && (a.Special == "" || e.spec == string(a.Special))
	})
}

// remove takes the first entry out that is meant, and says whether there was one.
func remove(ctx context.Context, h *host.Host, user string, meant func(*entry) bool) (string, error) {
	was := "absent"
	err := change(ctx, h, user, func(t *tab) error {
		for _, e := range t.lines {
			if meant(e) {
				t.remove(e)
				was = "removed"
				return nil
			}
		}
		return nil
	})
	return was, err
}

type setEnvArgs struct {
	User  string `arg:"user,required" doc:"whose crontab"`
	Name  string `arg:"name,required" doc:"the variable"`
	Value string `arg:"value" doc:"its value"`
}

func setEnv(ctx context.Context, h *host.Host, a setEnvArgs) (string, error) {
	if err := checkEnv(a.Name, a.Value); err != nil {
		return "", err
	}
	was := absent
	err := change(ctx, h, a.User, func(t *tab) error {
		was = putEnv(t, a.Name, a.Value)
		return nil
	})
	return was.word(), err
}

type rmEnvArgs struct {
	User string `arg:"user,required" doc:"whose crontab"`
	Name string `arg:"name,required" doc:"the variable"`
}

func rmEnv(ctx context.Context, h *host.Host, a rmEnvArgs) (string, error) {
	return remove(ctx, h, a.User, func(e *entry) bool { return e.kind == env && e.name == a.Name })
}

type writeArgs struct {
	User string `arg:"user,required" doc:"whose crontab"`
	Path string `arg:"path,required" doc:"a file of this host"`
}

func writeFile(ctx context.Context, h *host.Host, a writeArgs) (bool, error) {
	f := fileArgs{Name: a.Path, User: a.User}
	if err := f.CheckArgs(); err != nil {
		return false, err
	}
	text, err := f.text(ctx, h)
	if err == nil {
		err = write(ctx, h, a.User, text)
	}
	return err == nil, err
}

func writeFileVerbose(ctx context.Context, h *host.Host, a writeArgs) (module.Returned, error) {
	_, err := writeFile(ctx, h, a)
	code, text := 0, ""
	if err != nil {
		code, text = 1, err.Error()
	}
	return module.Returned{Value: value.NewDict("retcode", int64(code), "stdout", "", "stderr", text), Retcode: code}, nil
}
