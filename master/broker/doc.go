// Package broker embeds the message bus in a master: a nats-server that
// minions and operators reach over TLS, and other masters over mutual TLS.
//
// Its account SITE carries what minions, operators and masters say to each
// other, MASTERS what masters say among themselves, SYS the server's own
// events. Nobody who comes over the network gets into anything but SITE, and
// there into no more than the table in permissions.go allows.
package broker
