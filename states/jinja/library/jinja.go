package library

import (
	"brine/states/jinja/python"
)

// jinjaFilters are Jinja's own filters, in order of name.
func jinjaFilters() []Func {
	return []Func{
		{Name: "abs", Sig: "x", Doc: "The absolute value of a number.", Fn: filterAbs},
		{Name: "attr", Sig: "obj, name", Doc: "An attribute of an object, never an element.", Fn: filterAttr},
		{Name: "batch", Sig: "value, linecount, fill_with=None", Doc: "Lists of so many items each.", Fn: filterBatch},
		{Name: "capitalize", Sig: "s", Doc: "The text with its first character in upper case and all others in lower.", Fn: onText(python.Capitalize)},
		{Name: "center", Sig: "value, width=80", Doc: "The text in the middle of a field.", Fn: filterCenter},
		{Name: "count", Sig: "obj", Doc: "How many items there are.", Fn: filterLength},
		{Name: "d", Sig: "value, default_value='', boolean=False", Doc: "Short for default.", Fn: filterDefault},
		{Name: "default", Sig: "value, default_value='', boolean=False", Doc: "The default when the value is undefined, or false and boolean is set.", Fn: filterDefault},
		{Name: "dictsort", Sig: "value, case_sensitive=False, by='key', reverse=False", Doc: "The pairs of a dict in order of key or value.", Fn: filterDictsort},
		{Name: "e", Sig: "s", Doc: "Short for escape.", Fn: filterEscape},
		{Name: "escape", Sig: "s", Doc: "Text that is safe in HTML.", Fn: filterEscape},
		{Name: "filesizeformat", Sig: "value, binary=False", Doc: "A number of bytes for people: 13 kB.", Fn: filterFilesize},
		{Name: "first", Sig: "seq", Doc: "The first item.", Fn: filterFirst},
		{Name: "float", Sig: "value, default=0.0", Doc: "The value as a float, or the default.", Fn: filterFloat},
		{Name: "forceescape", Sig: "value", Doc: "Escape, also of what is safe already.", Fn: filterForceescape},
		{Name: "format", Sig: "value, *args, **kwargs", Doc: "The text as a format of %, applied to the arguments.", Fn: filterFormat},
		{Name: "groupby", Sig: "value, attribute, default=None, case_sensitive=False", Doc: "The items in groups that have an attribute in common.", Fn: filterGroupby},
		{Name: "indent", Sig: "s, width=4, first=False, blank=False", Doc: "The text with its lines indented, but for the first and blank ones.", Fn: filterIndent},
		{Name: "int", Sig: "value, default=0, base=10", Doc: "The value as an int, or the default.", Fn: filterInt},
		{Name: "items", Sig: "value", Doc: "The pairs of a mapping.", Fn: filterItems},
		{Name: "join", Sig: "value, d='', attribute=None", Doc: "The items as one text.", Fn: filterJoin},
		{Name: "last", Sig: "seq", Doc: "The last item.", Fn: filterLast},
		{Name: "length", Sig: "obj", Doc: "How many items there are.", Fn: filterLength},
		{Name: "list", Sig: "value", Doc: "The items as a list.", Fn: filterList},
		{Name: "lower", Sig: "s", Doc: "The text in lower case.", Fn: onText(python.Lower)},
		{Name: "map", Sig: "value, *args, **kwargs", Doc: "A filter applied to each item, or an attribute of each.", Fn: filterMap},
		{Name: "pprint", Sig: "value", Doc: "The value as Python's pprint writes it.", Fn: filterPython},
		{Name: "random", Sig: "seq", Doc: "One item by chance.", Fn: filterRandom},
		{Name: "reject", Sig: "value, *args, **kwargs", Doc: "The items for which a test fails.", Fn: chooser("reject", false, false)},
		{Name: "rejectattr", Sig: "value, *args, **kwargs", Doc: "The items for whose attribute a test fails.", Fn: chooser("rejectattr", true, false)},
		{Name: "replace", Sig: "s, old, new, count=None", Doc: "The text with one part put for another.", Fn: filterReplace},
		{Name: "reverse", Sig: "value", Doc: "Text or items backwards.", Fn: filterReverse},
		{Name: "round", Sig: "value, precision=0, method='common'", Doc: "A number rounded.", Fn: filterRound},
		{Name: "safe", Sig: "value", Doc: "Text that is not to be escaped.", Fn: filterSafe},
		{Name: "select", Sig: "value, *args, **kwargs", Doc: "The items for which a test holds.", Fn: chooser("select", false, true)},
		{Name: "selectattr", Sig: "value, *args, **kwargs", Doc: "The items for whose attribute a test holds.", Fn: chooser("selectattr", true, true)},
		{Name: "slice", Sig: "value, slices, fill_with=None", Doc: "The items in so many lists.", Fn: filterSlice},
		{Name: "sort", Sig: "value, reverse=False, case_sensitive=False, attribute=None", Doc: "The items in order.", Fn: filterSort},
		{Name: "string", Sig: "s", Doc: "The value as text.", Fn: func(_ Host, c *python.Call) (any, error) { return soft(c.Args[0]) }},
		{Name: "striptags", Sig: "value", Doc: "The text without HTML tags.", Fn: filterStriptags},
		{Name: "sum", Sig: "iterable, attribute=None, start=0", Doc: "The sum of the items.", Fn: filterSum},
		{Name: "title", Sig: "s", Doc: "The text with each word in title case.", Fn: onText(titleWords)},
		{Name: "trim", Sig: "value, chars=None", Doc: "The text without blanks, or other characters, at its ends.", Fn: filterTrim},
		{Name: "truncate", Sig: "s, length=255, killwords=False, end='...', leeway=5", Doc: "The beginning of the text.", Fn: filterTruncate},
		{Name: "upper", Sig: "s", Doc: "The text in upper case.", Fn: onText(python.Upper)},
		{Name: "urlencode", Sig: "value", Doc: "Text, or pairs, as part of a URL.", Fn: filterURLEncode},
		{Name: "urlize", Sig: "value, trim_url_limit=None, nofollow=False, target=None, rel=None, extra_schemes=None", Doc: "The text with its URLs made links.", Fn: filterURLize},
		{Name: "wordcount", Sig: "s", Doc: "How many words there are.", Fn: filterWordcount},
		{Name: "wordwrap", Sig: "s, width=79, break_long_words=True, wrapstring=None, break_on_hyphens=True", Doc: "The text in lines of so many characters.", Fn: filterWordwrap},
		{Name: "xmlattr", Sig: "d, autospace=True", Doc: "A dict as attributes of an HTML tag.", Fn: filterXMLAttr},
	}
}

// jinjaTests are Jinja's tests with Salt's two, in order of name.
func jinjaTests() []Func {
	compare := func(op string) func(Host, *python.Call) (any, error) {
		return func(_ Host, c *python.Call) (any, error) { return python.Compare(op, c.Args[0], c.Args[1]) }
	}
	equal := func(_ Host, c *python.Call) (any, error) { return python.Equal(c.Args[0], c.Args[1]) }
	unequal := func(_ Host, c *python.Call) (any, error) {
		same, err := python.Equal(c.Args[0], c.Args[1])
		return !same, err
	}
	return []Func{
		{Name: "!=", Sig: "a, b", Doc: "a is not equal to b.", Fn: unequal},
		{Name: "<", Sig: "a, b", Doc: "a is less than b.", Fn: compare("<")},
		{Name: "<=", Sig: "a, b", Doc: "a is not more than b.", Fn: compare("<=")},
		{Name: "==", Sig: "a, b", Doc: "a is equal to b.", Fn: equal},
		{Name: ">", Sig: "a, b", Doc: "a is more than b.", Fn: compare(">")},
		{Name: ">=", Sig: "a, b", Doc: "a is not less than b.", Fn: compare(">=")},
		{Name: "boolean", Sig: "value", Doc: "It is true or false.", Fn: is(isBool)},
		{Name: "callable", Sig: "obj", Doc: "It can be called.", Fn: is(isCallable)},
		{Name: "defined", Sig: "value", Doc: "It is defined.", Fn: is(func(v any) bool { return !isUndefined(v) })},
		{Name: "divisibleby", Sig: "value, num", Doc: "It can be divided by num.", Fn: testDivisible},
		{Name: "eq", Sig: "a, b", Doc: "a is equal to b.", Fn: equal},
		{Name: "equalto", Sig: "value, other", Doc: "They are equal.", Fn: equal},
		{Name: "escaped", Sig: "value", Doc: "It is text that is safe in HTML.", Fn: is(isMarkup)},
		{Name: "even", Sig: "value", Doc: "It is an even number.", Fn: parity(0)},
		{Name: "false", Sig: "value", Doc: "It is false itself.", Fn: is(func(v any) bool { return v == false })},
		{Name: "filter", Sig: "value", Doc: "There is a filter of that name.", Fn: named(func(n string) bool { return FindFilter(n) != nil })},
		{Name: "float", Sig: "value", Doc: "It is a float.", Fn: is(isFloat)},
		{Name: "ge", Sig: "a, b", Doc: "a is not less than b.", Fn: compare(">=")},
		{Name: "greaterthan", Sig: "a, b", Doc: "a is more than b.", Fn: compare(">")},
		{Name: "gt", Sig: "a, b", Doc: "a is more than b.", Fn: compare(">")},
		{Name: "in", Sig: "value, seq", Doc: "It is in seq.", Fn: testIn},
		{Name: "integer", Sig: "value", Doc: "It is an int and no bool.", Fn: is(func(v any) bool { return python.IsInt(v) && !isBool(v) })},
		{Name: "iterable", Sig: "value", Doc: "It can be looped over.", Fn: testIterable},
		{Name: "le", Sig: "a, b", Doc: "a is not more than b.", Fn: compare("<=")},
		{Name: "lessthan", Sig: "a, b", Doc: "a is less than b.", Fn: compare("<")},
		{Name: "list", Sig: "value", Doc: "It is a list.", Fn: is(isList)},
		{Name: "lower", Sig: "value", Doc: "It is in lower case.", Fn: textIs(python.IsLower)},
		{Name: "lt", Sig: "a, b", Doc: "a is less than b.", Fn: compare("<")},
		{Name: "mapping", Sig: "value", Doc: "It is a dict.", Fn: is(isDict)},
		{Name: "match", Sig: "txt, rgx, ignorecase=False, multiline=False", Doc: "It begins with what the regular expression matches.", Fn: testMatch},
		{Name: "ne", Sig: "a, b", Doc: "a is not equal to b.", Fn: unequal},
		{Name: "none", Sig: "value", Doc: "It is none.", Fn: is(func(v any) bool { return v == nil })},
		{Name: "number", Sig: "value", Doc: "It is a number.", Fn: is(python.IsNumber)},
		{Name: "odd", Sig: "value", Doc: "It is an odd number.", Fn: parity(1)},
		{Name: "sameas", Sig: "value, other", Doc: "They are the very same object.", Fn: func(_ Host, c *python.Call) (any, error) {
			return python.Identical(c.Args[0], c.Args[1]), nil
		}},
		{Name: "sequence", Sig: "value", Doc: "It has a length and elements.", Fn: is(isSequence)},
		{Name: "string", Sig: "value", Doc: "It is text.", Fn: is(isText)},
		{Name: "test", Sig: "value", Doc: "There is a test of that name.", Fn: named(func(n string) bool { return FindTest(n) != nil })},
		{Name: "true", Sig: "value", Doc: "It is true itself.", Fn: is(func(v any) bool { return v == true })},
		{Name: "undefined", Sig: "value", Doc: "It is not defined.", Fn: is(isUndefined)},
		{Name: "upper", Sig: "value", Doc: "It is in upper case.", Fn: textIs(python.IsUpper)},
	}
}

// globalFuncs are the functions that every template sees, in order of name.
func globalFuncs() []Func {
	return []Func{
		{Name: "cycler", Sig: "*items", Doc: "An object whose next() goes round the items.", Fn: globalCycler},
		{Name: "dict", Sig: "other=?, **kwargs", Doc: "A new dict.", Fn: globalDict},
		{Name: "ifelse", Sig: "*args, **kwargs", Doc: "Salt's match.ifelse: the value after the first target that matches.", Fn: globalIfelse},
		{Name: "joiner", Sig: "sep=', '", Doc: "A function that gives the separator from its second call on.", Fn: globalJoiner},
		{Name: "lipsum", Sig: "n=5, html=True, min=20, max=100", Doc: "Paragraphs of meaningless text.", Fn: globalLipsum},
		{Name: "namespace", Sig: "other=?, **kwargs", Doc: "An object whose attributes can be set, also in loops.", Fn: globalNamespace},
		{Name: "odict", Sig: "other=?, **kwargs", Doc: "A new dict that keeps its order where others are sorted.", Fn: globalOdict},
		{Name: "raise", Sig: "msg", Doc: "Fails with the message.", Fn: globalRaise},
		{Name: "range", Sig: "start, stop=?, step=1", Doc: "The integers from start up to stop.", Fn: globalRange},
		{Name: "show_full_context", Doc: "All variables that the template sees.", Fn: globalContext},
	}
}
