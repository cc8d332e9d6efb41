package cron

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"brine/states/host"
	"brine/states/module"
)

// read returns the crontab of a user; "" when there is none.
func read(ctx context.Context, h *host.Host, user string) (string, error) {
	out, err := h.Exec(ctx, host.Command{Argv: []string{"crontab", "-u", user, "-l"}, Env: []string{"LC_ALL=C"}})
	stderr := strings.TrimSpace(string(out.Stderr))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", module.Unknown("cannot read crontabs: this host has no crontab program (is cron installed?)")
	case err != nil:
		return "", fmt.Errorf("cannot read the crontab of %s: %w", user, err)
	case out.Code == 0:
		return string(out.Stdout), nil
	case strings.Contains(stderr, "no crontab for"), strings.Contains(stderr, "can't open '"+user+"'"): // BusyBox's
		return "", nil
	case strings.Contains(stderr, "unknown"):
		return "", module.Unknown("cannot read the crontab of %s: there is no such user", user)
	}
	return "", fmt.Errorf("cannot read the crontab of %s: crontab ended with %d: %s", user, out.Code, stderr)
}

// write replaces the crontab of a user, and makes sure that cron took it.
func write(ctx context.Context, h *host.Host, user, text string) error {
	out, err := h.Exec(ctx, host.Command{
		Argv: []string{"crontab", "-u", user, "-"}, Env: []string{"LC_ALL=C"}, Stdin: []byte(text),
	})
	switch {
	case err != nil:
		return fmt.Errorf("cannot write the crontab of %s: %w", user, err)
	case out.Code != 0:
		return fmt.Errorf("cannot write the crontab of %s: crontab ended with %d: %s", user, out.Code, strings.TrimSpace(string(out.Stderr)))
	}
	have, err := read(ctx, h, user)
	if err == nil && have != text {
		err = fmt.Errorf("cannot write the crontab of %s: crontab reported no error, and it is another", user)
	}
	return err
}

// change reads a crontab, has it changed, and writes it when it is another then.
func change(ctx context.Context, h *host.Host, user string, edit func(*tab) error) error {
	text, err := read(ctx, h, user)
	if err != nil {
		return err
	}
	t := parse(text)
	if err := edit(t); err != nil {
		return err
	}
	if now := t.text(); now != text {
		return write(ctx, h, user, now)
	}
	return nil
}
