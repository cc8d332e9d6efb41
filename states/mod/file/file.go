// Package file manages files and directories.
package file

import "brine/states/module"

// Module is the file module.
var Module = module.Module{
	Name: "file",
	Doc: `
		Manage files and directories.

		A file is replaced in one step: whoever reads it meanwhile sees the old or the new content, never a part,
		and so does who reads it after a power cut. What a state does not mention, such as mode and owner, stays as
		it is, with access lists and other attributes. Symbolic links never lead out of the root that is managed, and a
		directory that is swapped for another during a run is refused.`,
	Funcs:  funcs,
	States: states,
}
