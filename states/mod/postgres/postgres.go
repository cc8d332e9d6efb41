// Package postgres manages roles, databases and what is in them of PostgreSQL, through psql: the functions of module
// postgres, and the states of postgres_user, postgres_database and their like.
package postgres

import "brine/states/module"

// Module is the postgres module, which has the functions.
var Module = module.Module{
	Name: "postgres",
	Doc: `
		Manage PostgreSQL through its program psql. The settings postgres.host, postgres.port, postgres.user, postgres.pass,
		postgres.maintenance_db and postgres.bins_dir, in the minion's configuration or the pillar, stand for what a call does
		not say. Passwords go to the server hashed, and into no command line.`,
	Funcs: []module.Func{
		{Name: "available_extensions", Doc: "Return the extensions that can be installed.", Do: module.Call(listing(available))},
		{Name: "cluster_create", Doc: "Make a cluster (Debian).", Example: "15 main port=5433", Do: module.Call(createCluster)},
		{Name: "cluster_exists", Doc: "Say whether there is a cluster (Debian).", Example: "15 main", Do: module.Call(clusterExists)},
		{Name: "cluster_list", Doc: "Return the clusters (Debian).", Example: "verbose=True", Do: module.Call(clusterList)},
		{Name: "cluster_remove", Doc: "Remove a cluster (Debian).", Example: "15 old stop=True", Do: module.Call(clusterRemove)},
		{Name: "create_extension", Doc: "Install an extension, or move and upgrade it.", Example: "hstore maintenance_db=shop", Do: module.Call(createExtension)},
		{Name: "datadir_exists", Doc: "Say whether a directory is one of a server.", Example: "/var/lib/pgsql/data", Do: module.Call(dataExists)},
		{Name: "datadir_init", Doc: "Make the directory of a server.", Example: "/var/lib/pgsql/data", Do: module.Call(initData)},
		{Name: "db_alter", Doc: "Give a database another owner or tablespace.", Example: "shop owner=web", Do: module.Call(dbAlter)},
		{Name: "db_create", Doc: "Make a database.", Example: "shop owner=web", Do: module.Call(dbCreate)},
		{Name: "db_exists", Doc: "Say whether there is a database.", Example: "shop", Do: module.Call(exists(databases))},
		{Name: "db_list", Doc: "Return all databases.", Do: module.Call(listing(databases))},
		{Name: "db_remove", Doc: "End all sessions in a database, and remove it.", Example: "old", Do: module.Call(does(dropDatabase))},
		{
			Name: "drop_extension", Doc: "Remove an extension, and what depends on it.", Example: "hstore maintenance_db=shop",
			Do: module.Call(does(func(name string) string { return dropExtension(name, false, nil) })),
		},
		{Name: "group_create", Doc: "Make a role that can't sign in; false when there is one.", Example: "staff", Do: module.Call(makes(true, false))},
		{Name: "group_remove", Doc: "Remove a role.", Example: "staff", Do: module.Call(drop("ROLE"))},
		{Name: "group_update", Doc: "Change a role; false when there is none.", Example: "staff createdb=True", Do: module.Call(makes(true, true))},
		{Name: "has_privileges", Doc: "Say whether a role has privileges.", Example: "web orders table SELECT,INSERT maintenance_db=shop", Do: module.Call(hasPrivileges)},
		{Name: "installed_extensions", Doc: "Return the extensions that are installed.", Example: "maintenance_db=shop", Do: module.Call(listing(extensions))},
		{Name: "is_available_extension", Doc: "Say whether an extension can be installed.", Example: "hstore", Do: module.Call(exists(available))},
		{Name: "is_installed_extension", Doc: "Say whether an extension is installed.", Example: "hstore maintenance_db=shop", Do: module.Call(exists(extensions))},
		{Name: "language_exists", Doc: "Say whether a language is installed.", Example: "plpgsql maintenance_db=shop", Do: module.Call(exists(languages))},
		{Name: "language_list", Doc: "Return the languages that are installed.", Example: "maintenance_db=shop", Do: module.Call(listing(languages))},
		{Name: "owner_to", Doc: "Give everything in a database to a role.", Example: "shop web", Do: module.Call(ownerTo)},
		{Name: "privileges_grant", Doc: "Grant privileges to a role.", Example: "web orders table SELECT,INSERT maintenance_db=shop", Do: module.Call(changes(false))},
		{Name: "privileges_list", Doc: "Return who has which privileges, and whether they may grant them.", Example: "orders table maintenance_db=shop", Do: module.Call(privilegesList)},
		{Name: "privileges_revoke", Doc: "Take privileges from a role.", Example: "web orders table INSERT maintenance_db=shop", Do: module.Call(changes(true))},
		{Name: "psql_query", Doc: "Return the rows of a SELECT.", Example: "'SELECT 1 AS one'", Do: module.Call(psqlQuery)},
		{Name: "role_get", Doc: "Return what is known of a role, or nothing.", Example: "web", Do: module.Call(roleGet)},
		{Name: "schema_create", Doc: "Make a schema; false when there is one.", Example: "shop sales owner=web", Do: module.Call(schemaCreate)},
		{Name: "schema_exists", Doc: "Say whether there is a schema.", Example: "shop sales", Do: module.Call(schemaExists)},
		{Name: "schema_get", Doc: "Return what is known of a schema, or nothing.", Example: "shop sales", Do: module.Call(schemaGet)},
		{Name: "schema_list", Doc: "Return all schemas of a database.", Example: "shop", Do: module.Call(schemaList)},
		{Name: "schema_remove", Doc: "Remove a schema; false when there is none.", Example: "shop old", Do: module.Call(schemaRemove)},
		{Name: "tablespace_create", Doc: "Make a tablespace.", Example: "fast /mnt/ssd", Do: module.Call(tablespaceCreate)},
		{Name: "tablespace_exists", Doc: "Say whether there is a tablespace.", Example: "fast", Do: module.Call(exists(tablespaces))},
		{Name: "tablespace_list", Doc: "Return all tablespaces.", Do: module.Call(listing(tablespaces))},
		{Name: "tablespace_remove", Doc: "Remove a tablespace.", Example: "fast", Do: module.Call(drop("TABLESPACE"))},
		{Name: "user_create", Doc: "Make a role that can sign in; false when there is one.", Example: "web createdb=True", Do: module.Call(makes(false, false))},
		{Name: "user_exists", Doc: "Say whether there is a role.", Example: "web", Do: module.Call(userExists)},
		{Name: "user_list", Doc: "Return all roles.", Do: module.Call(userList)},
		{Name: "user_remove", Doc: "Remove a role.", Example: "web", Do: module.Call(drop("ROLE"))},
		{Name: "user_update", Doc: "Change a role; false when there is none.", Example: "web createdb=True", Do: module.Call(makes(false, true))},
		{Name: "version", Doc: "Return the version of the server.", Do: module.Call(version)},
	},
}

// StateModules are the modules that have the states, in order of name.
func StateModules() []module.Module {
	return []module.Module{
		states("cluster", "a cluster of Debian", "main", "version: '15'", module.Look(planCluster), module.Look(planClusterGone)),
		states("database", "a database", "shop", "owner: web", module.Look(planDatabase), module.Look(planDatabaseGone)),
		states("extension", "an extension", "hstore", "maintenance_db: shop", module.Look(planExtension), module.Look(planExtensionGone)),
		states("group", "a role that can't sign in", "staff", "createdb: true", module.Look(planGroup), module.Look(planGroupGone)),
		{
			Name: "postgres_initdb", Doc: "Make the directories of servers.",
			States: []module.State{{
				Name: "present", Doc: "Have the directory of a server.",
				Example: "/var/lib/pgsql/data:\n  postgres_initdb.present:\n    - auth: scram-sha-256", Plan: module.Look(planInit),
			}},
		},
		states("language", "a language", "plperl", "maintenance_db: shop", module.Look(planLanguage), module.Look(planLanguageGone)),
		states("privileges", "privileges of a role", "web", "object_name: orders\n    - object_type: table\n    - privileges: [SELECT, INSERT]\n    - maintenance_db: shop",
			module.Look(planPrivileges), module.Look(planPrivilegesGone)),
		states("schema", "a schema", "sales", "dbname: shop", module.Look(planSchema), module.Look(planSchemaGone)),
		states("tablespace", "a tablespace", "fast", "directory: /mnt/ssd", module.Look(planTablespace), module.Look(planTablespaceGone)),
		states("user", "a role that can sign in", "web", "createdb: true", module.Look(planUser), module.Look(planUserGone)),
	}
}

func states(name, thing, example, argument string, present, absent module.Planner) module.Module {
	name = "postgres_" + name
	gone := ""
	switch name { // the arguments without which there is no example of absent
	case "postgres_cluster", "postgres_privileges", "postgres_schema", "postgres_language", "postgres_extension":
		gone = ":\n    - " + argument
	}
	return module.Module{
		Name: name,
		Doc:  "Make sure of " + thing + " in PostgreSQL; the module postgres has the functions.",
		States: []module.State{
			{Name: "absent", Doc: "Make sure that PostgreSQL has not " + thing + " by the name given.", Example: example + ":\n  " + name + ".absent" + gone, Plan: absent},
			{Name: "present", Doc: "Make sure that PostgreSQL has " + thing + " by the name given, and as the arguments say.", Example: example + ":\n  " + name + ".present:\n    - " + argument, Plan: present},
		},
	}
}
