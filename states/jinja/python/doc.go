// Package python gives the values of package value the behaviour that they have in Python:
// str and repr, truth, comparison, arithmetic, indexing, iteration, attributes and methods,
// the % and .format mini-languages. It adds the values that only a template has: Undefined,
// Markup, Range, views of dicts, generators and functions.
//
// Nothing here reaches outside; everything is bounded, so that no template can exhaust memory
// by one operation.
package python
