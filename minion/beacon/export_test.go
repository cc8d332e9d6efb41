package beacon

// What reads the output of other programs, for its fuzz tests.
var (
	PluginOutput = pluginOutput
	Execve       = execve
)
