package proto

import "strings"

// CallSeparator stands between the names of several functions of one job.
const CallSeparator = ","

// Asked returns the functions that a request asks for, in order, each with its
// arguments: the one of most requests, or its several calls.
func (x *JobRequest) Asked() []*Call {
	if len(x.GetCalls()) > 0 {
		return x.Calls
	}
	return []*Call{{Function: x.GetFunction(), Args: x.GetArgs()}}
}

// CallNames is the function of a request for several calls.
func CallNames(calls []*Call) string {
	names := make([]string, len(calls))
	for i, c := range calls {
		names[i] = c.GetFunction()
	}
	return strings.Join(names, CallSeparator)
}

// Automatic tells whether masters have made a job by themselves, as for a rule: what has it made then stands as its operator,
// with a space, which no operator's name has.
func (x *JobRequest) Automatic() bool { return strings.Contains(x.GetOperator(), " ") }
