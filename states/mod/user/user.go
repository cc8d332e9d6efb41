// Package user looks at the users of a host, and makes, changes and removes them.
package user

import "brine/states/module"

// Module is the user module.
var Module = module.Module{
	Name: "user",
	Doc:  "Look at users, and make, change and remove them.",
	Funcs: []module.Func{
		{
			Name: "add", Doc: "Make a user, with a home directory unless createhome is false.",
			Example: "fred uid=4000 groups=wheel,games shell=/bin/bash", Do: module.Call(add),
		},
		{Name: "chfullname", Doc: "Change the full name of a user.", Example: "fred 'Fred Jones'", Do: changer(fullName)},
		{Name: "chgid", Doc: "Change the primary group of a user, by its number or name.", Example: "fred 4000", Do: module.Call(changeGID)},
		{
			Name: "chgroups", Doc: "Set the groups that a user is in beside the primary one.",
			Example: "fred wheel,games append=true", Do: module.Call(changeGroups),
		},
		{
			Name: "chhome", Doc: "Change the home directory of a user; the files in it move along with persist.",
			Example: "fred /srv/fred persist=true", Do: module.Call(changeHome),
		},
		{Name: "chhomephone", Doc: "Change the phone at home of a user.", Example: "fred 7735551234", Do: changer(homePhone)},
		{Name: "chother", Doc: "Change what else passwd tells about a user.", Example: "fred night-shift", Do: changer(otherText)},
		{Name: "chroomnumber", Doc: "Change the number of the room of a user.", Example: "fred 123", Do: changer(roomNumber)},
		{Name: "chshell", Doc: "Change the login shell of a user.", Example: "fred /bin/zsh", Do: changer(shell)},
		{Name: "chuid", Doc: "Change the number of a user. Files outside of the home directory keep the old one.",
			Example: "fred 4376", Do: module.Call(changeUID)},
		{Name: "chworkphone", Doc: "Change the phone at work of a user.", Example: "fred 7735550123", Do: changer(workPhone)},
		{
			Name: "delete", Doc: "Remove a user, and with remove the home directory and mail too.",
			Example: "fred remove=true", Do: module.Call(remove),
		},
		{Name: "getent", Doc: "Return what is known of all users, as info does.", Do: module.Call(all)},
		{Name: "info", Doc: "Return what is known of a user; an empty map when there is none.", Example: "root", Do: module.Call(info)},
		{Name: "list_groups", Doc: "Return the names of the groups that a user is in, the primary one too.",
			Example: "root", Do: module.Call(listGroups)},
		{Name: "list_users", Doc: "Return the names of all users, sorted.", Do: module.Call(listUsers)},
		{Name: "primary_group", Doc: "Return the name of the primary group of a user.", Example: "root", Do: module.Call(primaryGroup)},
		{Name: "rename", Doc: "Change the name of a user.", Example: "fred frederick", Do: module.Call(rename)},
	},
	States: []module.State{
		{
			Name: "absent",
			Doc: `
				Make sure that there is no such user.

				The system removes the group that was made for the user alone too. Files of the user
				outside of the home directory stay, and belong to a number without a name then.`,
			Example: `
				fred:
				  user.absent:
				    - purge: true`,
			Plan: module.Look(absent),
		},
		{
			Name: "present",
			Doc: `
				Make sure that there is a user, with what is given of it. What is not given is left as it is, and is the
				system's default for a new user.

				A password is a hash as shadow has it, or with hash_password the password itself; it is never shown. With a
				password that is hashed here an account keeps its hash while the password fits it.`,
			Example: `
				fred:
				  user.present:
				    - fullname: Fred Jones
				    - shell: /bin/sh
				    - home: /home/fred
				    - uid: 4000
				    - groups:
				      - wheel
				    - maxdays: 90`,
			Plan: module.Look(present),
		},
	},
}
