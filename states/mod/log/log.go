// Package log lets states and templates write to the minion's log.
package log

import (
	"context"

	"brine/states/host"
	"brine/states/module"
)

// Module is the log module.
var Module = module.Module{
	Name: "log",
	Doc:  "Write to the minion's log, as templates do to tell what they decided. Each function returns true.",
	Funcs: []module.Func{
		{Name: "critical", Doc: "Write a message of level error, the gravest there is.", Example: "'no disk is left'", Do: at("error")},
		{Name: "debug", Doc: "Write a message of level debug.", Example: "'web: 3 sites'", Do: at("debug")},
		{Name: "error", Doc: "Write a message of level error.", Example: "'no site is named'", Do: at("error")},
		{Name: "info", Doc: "Write a message of level info.", Example: "'web: 3 sites'", Do: at("info")},
		{Name: "warning", Doc: "Write a message of level warn.", Example: "'the pillar has no sites'", Do: at("warn")},
	},
}

type args struct {
	Message string `arg:"message,required" doc:"what is written"`
}

func at(level string) module.Code {
	return module.Call(func(_ context.Context, h *host.Host, a args) (bool, error) {
		if h.Log != nil {
			h.Log(level, a.Message)
		}
		return true, nil
	})
}
