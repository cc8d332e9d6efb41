// Package jinja renders templates in the language of Jinja 3.1 with Salt's additions, as Salt renders them.
//
// A template goes one way: package syntax makes tokens of its text, nodes of the tokens, and decides where
// each name is kept; the rest of this package evaluates the nodes over the values of package python, with the
// filters, tests and globals of package library.
//
// A Template never changes, and any number of goroutines may render it.
package jinja
