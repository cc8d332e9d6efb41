package postgres

import (
	"context"
	"fmt"

	"brine/states/host"
	"brine/states/module"
)

type languageArgs struct {
	Name string `arg:"name,required" doc:"the language, such as plpgsql"`
	DB   string `arg:"maintenance_db,required" doc:"the database that it is in"`
	signArgs
}

const languages = "SELECT lanname AS name FROM pg_language"

func planLanguage(ctx context.Context, h *host.Host, a languageArgs) (module.Plan, error) {
	c := a.to(a.DB)
	p := module.Plan{
		Same:  fmt.Sprintf("Language %s is already installed", a.Name),
		Would: fmt.Sprintf("Language %s is set to be installed", a.Name),
		Did:   fmt.Sprintf("Language %s has been installed", a.Name),
	}
	have, err := c.one(ctx, h, languages, "name", a.Name)
	if err != nil || have != nil {
		return p, err
	}
	p.Steps = []module.Step{module.Change(a.Name, "Present", func(ctx context.Context) error {
		err := c.exec(ctx, h, "CREATE LANGUAGE "+ident(a.Name)+";\n")
		return named(err, "cannot install language", a.Name)
	})}
	return p, nil
}

func planLanguageGone(ctx context.Context, h *host.Host, a languageArgs) (module.Plan, error) {
	c := a.to(a.DB)
	have, err := c.one(ctx, h, languages, "name", a.Name)
	return gone(h, c, "Language", a.Name, have != nil, "DROP LANGUAGE "+ident(a.Name)+";\n", err)
}
