package beacon

import (
	"encoding/binary"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"brine/states/regex"
	"brine/states/value"
)

// readExcludes reads which paths are left out: those that begin with a text, that fit a pattern with *, or that have a match
// of an expression in them ({EXPRESSION: {regex: true}}).
func readExcludes(s *section) func(string) bool {
	var all []func(string) bool
	for _, item := range s.list("exclude") {
		text, isText := item.(string)
		expr, isRegex := "", false
		if d, ok := item.(*value.Dict); ok && d.Len() == 1 {
			isText = true
			for k, v := range d.All() {
				text = value.KeyText(k)
				one := s.under("exclude", v)
				isRegex = one.bool("regex", false)
				one.end()
			}
		}
		switch {
		case !isText || text == "":
			s.wrong("exclude", "want paths, or dicts of one path, got %s", value.Kind(item))
			continue
		case isRegex:
			expr = text
		case strings.Contains(text, "*"):
			expr = "^" + strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regex.QuoteMeta(text)) + "$"
		default:
			all = append(all, func(name string) bool { return strings.HasPrefix(name, text) })
			continue
		}
		re, err := regex.Compile(expr, 0)
		if err != nil {
			s.wrong("exclude", "%v", err)
			continue
		}
		all = append(all, func(name string) bool {
			at, err := re.Search(name)
			return err == nil && at != nil
		})
	}
	return func(name string) bool {
		for _, fits := range all {
			if fits(name) {
				return true
			}
		}
		return false
	}
}

// kernelEvent reads the first of what inotify(7) tells.
func kernelEvent(b []byte) (wd int, mask uint32, name string, rest []byte) {
	number := func(at int) uint32 { return binary.NativeEndian.Uint32(b[at:]) } // the kernel writes whole ones
	end := min(unix.SizeofInotifyEvent+int(number(12)), len(b))
	return int(int32(number(0))), number(4), ctext(b[unix.SizeofInotifyEvent:end]), b[end:]
}

// longAgo is a deadline that has passed.
func longAgo() time.Time { return time.Unix(1, 0) }
