// Package cp brings files to the host.
package cp

import "brine/states/module"

// Module is the cp module.
var Module = module.Module{
	Name: "cp",
	Doc:  "Bring files to the minion.",
	Funcs: []module.Func{
		{
			Name: "recv",
			Doc: `
				Put files that came with the call in their places, and return their names, each with True. The command
				brine cp calls it.

				Everything is checked before the first file is written, and each file is replaced in one step: whoever
				reads it sees the old content or the new one. What is there keeps its owner and mode, unless
				others are given; a new file belongs to the minion's user.`,
			Example: "'[{path: motd, content: aGVsbG8K, sha256: " +
				"5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03, mode: \"0644\"}]' /etc/motd",
			Do: module.Call(recv),
		},
	},
}
