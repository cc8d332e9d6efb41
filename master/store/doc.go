// Package store keeps what a master knows, in one SQLite database. All SQL of
// the masters is here.
//
// What is kept is an append-only log of immutable records, each named by an
// id that contains a hash of its body. Queries are answered from projections,
// tables that are folded from the log in the transaction that appends to it and
// that can be folded anew (Rebuild). Every fold is a function of the set of
// records and not of their order, so masters that have exchanged their logs
// give equal answers.
//
// One goroutine writes. It commits what has gathered while the last commit was
// under way, so that a thousand returns cost one fsync; nothing is reported as
// stored before.
package store
