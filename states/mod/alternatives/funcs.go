package alternatives

import (
	"context"
	"strconv"

	"brine/states/host"
)

type nameArgs struct {
	Name string `arg:"name,required" doc:"the name, such as editor"`
}

type pathArgs struct {
	Name string `arg:"name,required" doc:"the name, such as editor"`
	Path string `arg:"path,required" doc:"the program that it may stand for"`
}

type installArgs struct {
	Name     string `arg:"name,required" doc:"the name, such as editor"`
	Link     string `arg:"link,required" doc:"the link that has the name's place, such as /usr/bin/editor"`
	Path     string `arg:"path,required" doc:"the program that it may stand for"`
	Priority int    `arg:"priority,required" doc:"the highest counts in auto mode"`
}

func display(ctx context.Context, h *host.Host, a nameArgs) (string, error) {
	_, out, err := look(ctx, h, a.Name)
	return out, err
}

func showCurrent(ctx context.Context, h *host.Host, a nameArgs) (any, error) {
	g, _, err := look(ctx, h, a.Name)
	if err != nil || g.current == "" {
		return false, err
	}
	return g.current, nil
}

func showLink(ctx context.Context, h *host.Host, a nameArgs) (any, error) {
	g, _, err := look(ctx, h, a.Name)
	if err != nil || g.link == "" {
		return false, err
	}
	return g.link, nil
}

func checkExists(ctx context.Context, h *host.Host, a pathArgs) (bool, error) {
	g, _, err := look(ctx, h, a.Name)
	return err == nil && g.has(a.Path), err
}

func checkInstalled(ctx context.Context, h *host.Host, a pathArgs) (bool, error) {
	g, _, err := look(ctx, h, a.Name)
	return err == nil && g.current == a.Path, err
}

func install(ctx context.Context, h *host.Host, a installArgs) (bool, error) {
	err := run(ctx, h, a.Name, func(g *group) bool { return g.has(a.Path) && g.prio[a.Path] == a.Priority },
		"--install", a.Link, a.Name, a.Path, strconv.Itoa(a.Priority))
	return err == nil, err
}

func remove(ctx context.Context, h *host.Host, a pathArgs) (bool, error) {
	err := run(ctx, h, a.Name, func(g *group) bool { return !g.has(a.Path) }, "--remove", a.Name, a.Path)
	return err == nil, err
}

func set(ctx context.Context, h *host.Host, a pathArgs) (bool, error) {
	err := run(ctx, h, a.Name, func(g *group) bool { return g.current == a.Path }, "--set", a.Name, a.Path)
	return err == nil, err
}

func auto(ctx context.Context, h *host.Host, a nameArgs) (bool, error) {
	err := run(ctx, h, a.Name, func(g *group) bool { return !g.manual }, "--auto", a.Name)
	return err == nil, err
}
