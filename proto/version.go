package proto

// Version is the release that this program was built as. The build sets it.
var Version = "0.1.0-dev"
