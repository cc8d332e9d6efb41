// Package files brings the file trees that jobs name to a minion: content by
// its SHA-256, over HTTPS from any master, over the bus where only that is
// reachable, and kept in a cache so that nothing is moved twice.
package files
