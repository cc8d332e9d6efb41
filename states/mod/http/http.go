// Package http asks servers of the web.
package http

import "brine/states/module"

// Module is the http module.
var Module = module.Module{
	Name: "http",
	Doc:  "Ask servers of the web.",
	Funcs: []module.Func{
		{
			Name: "query",
			Doc: `
				Ask a server, and return its answer as body, with status, headers, text and dict as they are asked for.

				A server that answers with a failure (400 and above) is no error unless no answer came at all: the
				answer has its status and error then. Passwords, tokens and what stands after the path of a URL are in
				no error.`,
			Example: "https://example.org/api method=POST params='{a: 1}' data='{}' decode=true status=true",
			Do:      module.Call(query),
		},
		{
			Name:    "wait_for_successful_query",
			Doc:     "Ask a server until it answers without a failure, and return that answer; the last failure as an error when time is up.",
			Example: "https://example.org/health wait_for=60 status=200",
			Do:      module.Call(wait),
		},
	},
}
