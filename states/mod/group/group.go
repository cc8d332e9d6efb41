// Package group looks at the groups of a host, and makes, changes and removes them.
package group

import "brine/states/module"

// Module is the group module.
var Module = module.Module{
	Name: "group",
	Doc:  "Look at groups, and make, change and remove them.",
	Funcs: []module.Func{
		{Name: "add", Doc: "Make a group.", Example: "games gid=3456", Do: module.Call(add)},
		{Name: "adduser", Doc: "Put a user into a group.", Example: "games fred", Do: module.Call(addUser)},
		{Name: "chgid", Doc: "Change the number of a group. Files keep the old one.", Example: "games 3457", Do: module.Call(changeGID)},
		{Name: "delete", Doc: "Remove a group.", Example: "games", Do: module.Call(remove)},
		{Name: "deluser", Doc: "Take a user out of a group.", Example: "games fred", Do: module.Call(delUser)},
		{Name: "getent", Doc: "Return what is known of all groups, as info does.", Do: module.Call(all)},
		{Name: "info", Doc: "Return what is known of a group; an empty map when there is none.", Example: "root", Do: module.Call(info)},
		{Name: "members", Doc: "Set the users that are in a group; all others leave it.", Example: "games fred,barney",
			Do: module.Call(setMembers)},
	},
	States: []module.State{
		{
			Name: "absent", Doc: "Make sure that there is no such group. The primary group of a user can't be removed.",
			Example: `
				games:
				  group.absent`,
			Plan: module.Look(absent),
		},
		{
			Name: "present",
			Doc: `
				Make sure that there is a group, with what is given of it. Without members, addusers and delusers the
				users in it are left alone.`,
			Example: `
				games:
				  group.present:
				    - gid: 7648
				    - addusers:
				      - fred`,
			Plan: module.Look(present),
		},
	},
}
