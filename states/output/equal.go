package output

import (
	"bytes"
	"crypto/sha256"
	"strconv"
)

// Equal results are found without reading them as values: thousands of minions return the
// same, and one of them has to be read.

// isStateRun tells whether JSON looks like the results of states, by its first key.
func isStateRun(returned []byte) bool {
	returned = bytes.TrimLeft(returned, " \n\t\r")
	if len(returned) == 0 || returned[0] != '{' {
		return false
	}
	at := bytes.IndexByte(returned, '"')
	return at >= 0 && bytes.Count(returned[at:textEnd(returned, at)], []byte("_|-")) == 3
}

// fingerprint is the same for results of states that differ only in when and how long each ran, and in
// the process ids of commands. took is how long they ran together, in milliseconds.
func fingerprint(returned []byte) (sum [sha256.Size]byte, took float64) {
	h := sha256.New()
	var tag, field []byte
	from, depth := 0, 0
	for i := 0; i < len(returned); {
		switch returned[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			end := textEnd(returned, i)
			value := valueAt(returned, end)
			if value < 0 {
				i = end
				continue
			}
			name := returned[i+1 : end-1]
			switch {
			case depth == 1:
				tag = name
			case depth == 2 && passing(name), depth == 3 && isPID(tag, field, name):
				_, _ = h.Write(returned[from:i])
				from = scalarEnd(returned, value)
				if string(name) == "duration" {
					ms, _ := strconv.ParseFloat(string(returned[value:from]), 64)
					took += ms
				}
				end = from
			case depth == 2:
				field = name
			}
			i = end
			continue
		}
		i++
	}
	_, _ = h.Write(returned[from:])
	h.Sum(sum[:0])
	return sum, took
}

// passing tells the fields of a state's result that say nothing of what it did.
func passing(field []byte) bool {
	switch string(field) {
	case "start_time", "duration", "__run_num__":
		return true
	}
	return false
}

// isPID tells the process id among the changes of a command.
func isPID(tag, field, name []byte) bool {
	return string(name) == "pid" && string(field) == "changes" && bytes.HasPrefix(tag, []byte("cmd_|-"))
}

// textEnd is where the text ends that begins with the quote at from, behind its last quote.
func textEnd(b []byte, from int) int {
	if n := bytes.IndexByte(b[from+1:], '"'); n >= 0 && bytes.IndexByte(b[from+1:from+1+n], '\\') < 0 {
		return from + n + 2
	}
	for i := from + 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

// valueAt is where the value of a key begins that ends before at; -1 when it is no key.
func valueAt(b []byte, at int) int {
	if at = blanks(b, at); at >= len(b) || b[at] != ':' {
		return -1
	}
	return blanks(b, at+1)
}

func blanks(b []byte, at int) int {
	for at < len(b) && (b[at] == ' ' || b[at] == '\n' || b[at] == '\t' || b[at] == '\r') {
		at++
	}
	return at
}

// scalarEnd is where the value ends that begins at at, when it holds no others.
func scalarEnd(b []byte, at int) int {
	if at < len(b) && b[at] == '"' {
		return textEnd(b, at)
	}
	for at < len(b) && bytes.IndexByte([]byte(",{}[]"), b[at]) < 0 {
		at++
	}
	return at
}
