package grains

import (
	"cmp"
	"os"
	"strconv"
	"strings"
)

// process tells of the minion's own process.
func process(p *probe) {
	uid, gid := int64(os.Getuid()), int64(os.Getgid())
	p.put("pid", int64(os.Getpid()))
	p.put("uid", uid)
	p.put("gid", gid)
	p.put("username", account(p.tree, "/etc/passwd", uid))
	p.put("groupname", account(p.tree, "/etc/group", gid))
	if dir, err := os.Getwd(); err == nil {
		p.put("cwd", dir)
	}
	path := strings.TrimSpace(p.sys.Env("PATH"))
	p.put("path", path)
	p.put("systempath", texts(strings.Split(path, ":")))
	p.put("shell", cmp.Or(p.sys.Env("SHELL"), "/bin/sh"))
	p.put("ps", "ps -efHww")
}

// account is the name of a number in passwd or group; the number itself when it has none.
func account(t tree, file string, id int64) string {
	number := strconv.FormatInt(id, 10)
	for _, line := range t.lines(file) {
		if f := strings.Split(line, ":"); len(f) > 2 && f[2] == number {
			return f[0]
		}
	}
	return number
}
