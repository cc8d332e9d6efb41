package postgres

import (
	"context"
	"fmt"

	"brine/states/host"
	"brine/states/module"
)

const schemas = `SELECT n.nspname AS name, n.nspacl AS acl, r.rolname AS owner FROM pg_namespace n LEFT JOIN pg_roles r ON r.oid = n.nspowner`

func createSchema(name, owner string) string {
	sql := "CREATE SCHEMA " + ident(name)
	if owner != "" {
		sql += " AUTHORIZATION " + ident(owner)
	}
	return sql + ";\n"
}

type schemaArgs struct {
	DBName string `arg:"dbname,required" doc:"the database that it is in"`
	Name   string `arg:"name,required" doc:"the schema"`
	Owner  string `arg:"owner" doc:"the role that a new one belongs to"`
	signArgs
}

func planSchema(ctx context.Context, h *host.Host, a schemaArgs) (module.Plan, error) {
	c := a.to(a.DBName)
	p := module.Plan{
		Same:  fmt.Sprintf("Schema %s already exists in database %s", a.Name, a.DBName),
		Would: fmt.Sprintf("Schema %s is set to be created in database %s.", a.Name, a.DBName),
		Did:   fmt.Sprintf("Schema %s has been created in database %s", a.Name, a.DBName),
	}
	have, err := c.one(ctx, h, schemas, "name", a.Name)
	if err != nil || have != nil {
		return p, err
	}
	p.Steps = []module.Step{module.Change(a.Name, "Present", func(ctx context.Context) error {
		err := c.exec(ctx, h, createSchema(a.Name, a.Owner))
		return named(err, "cannot create schema", a.Name)
	})}
	return p, nil
}

type schemaGoneArgs struct {
	DBName string `arg:"dbname,required" doc:"the database that it is in"`
	Name   string `arg:"name,required" doc:"the schema"`
	signArgs
}

func planSchemaGone(ctx context.Context, h *host.Host, a schemaGoneArgs) (module.Plan, error) {
	c := a.to(a.DBName)
	have, err := c.one(ctx, h, schemas, "name", a.Name)
	p, err := gone(h, c, "Schema", a.Name, have != nil, "DROP SCHEMA "+ident(a.Name)+";\n", err)
	p.Same = fmt.Sprintf("Schema %s is not present in database %s, so it cannot be removed", a.Name, a.DBName)
	p.Did = fmt.Sprintf("Schema %s has been removed from database %s", a.Name, a.DBName)
	return p, err
}
