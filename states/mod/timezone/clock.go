package timezone

import (
	"context"
	"errors"
	"strings"

	"brine/states/host"
	"brine/states/mod/file"
)

const (
	adjtime = "/etc/adjtime"        // its third line says what the hardware clock shows
	openrc  = "/etc/conf.d/hwclock" // and this for OpenRC
)

// local says whether the hardware clock shows local time.
func local(h *host.Host) (bool, error) {
	data, err := file.Get(h, adjtime)
	if err != nil {
		return false, err
	}
	if lines := strings.Split(string(data), "\n"); len(lines) > 2 {
		return strings.TrimSpace(lines[2]) == "LOCAL", nil
	}
	if data, err = file.Get(h, openrc); err != nil {
		return false, err
	}
	for line := range strings.Lines(string(data)) {
		if val, ok := strings.CutPrefix(strings.TrimSpace(line), "clock="); ok {
			return strings.Trim(val, `"'`) == "local", nil
		}
	}
	return false, nil
}

// setLocal has the hardware clock show local time, or UTC, and sets it.
func setLocal(ctx context.Context, h *host.Host, on bool) error {
	if booted(h) {
		_, err := h.Run(ctx, "timedatectl", "set-local-rtc", map[bool]string{true: "true", false: "false"}[on])
		return err
	}
	name, option, word := "UTC", "--utc", "UTC"
	if on {
		name, option, word = "LOCAL", "--localtime", "local"
	}
	if err := assign(ctx, h, openrc, "clock", word); err != nil {
		return err
	}
	if exists(h, "/dev/rtc") || exists(h, "/dev/rtc0") {
		_, err := h.Run(ctx, "hwclock", "--systohc", option) // which notes it as well
		return err
	}
	return noteClock(ctx, h, name)
}

func noteClock(ctx context.Context, h *host.Host, name string) error {
	data, err := file.Get(h, adjtime)
	if err != nil {
		return err
	}
	lines := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	if len(lines) < 2 {
		lines = []string{"0.0 0 0.0", "0"}
	}
	text := strings.Join(append(lines[:2:2], name), "\n") + "\n"
	return file.Put(ctx, h, adjtime, []byte(text), 0o644)
}

func getClock(_ context.Context, h *host.Host, _ struct{}) (string, error) {
	if l, err := local(h); l || err != nil {
		return "localtime", err
	}
	return "UTC", nil
}

type clockArgs struct {
	Clock string `arg:"clock,required" doc:"UTC or localtime"`
}

// CheckArgs implements module.Checker.
func (a *clockArgs) CheckArgs() error {
	if !strings.EqualFold(a.Clock, "UTC") && !strings.EqualFold(a.Clock, "localtime") {
		return errors.New(`argument "clock": want UTC or localtime`)
	}
	return nil
}

func setClock(ctx context.Context, h *host.Host, a clockArgs) (bool, error) {
	err := setLocal(ctx, h, strings.EqualFold(a.Clock, "localtime"))
	return err == nil, err
}
