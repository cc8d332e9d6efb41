package debconf

import (
	"strings"

	"brine/states/host"
	"brine/states/mod/file"
)

// A question is one that debconf knows. Line ends in its value are written as \n.
type question struct {
	name, kind, value string
	owners            []string
	seen              bool
}

// told is its value as functions return it. That a password is empty is no secret.
func (q question) told(private bool) string {
	if q.value == "" || private {
		return q.value
	}
	return answer{kind: q.kind, value: q.value}.told()
}

// questions reads debconf's database, in the order of its files.
func questions(h *host.Host) ([]question, error) {
	templates := map[string]map[string]string{}
	t, err := stanzas(h, place(h, "templatedb", "/var/cache/debconf/templates.dat"))
	if err != nil {
		return nil, err
	}
	for _, s := range t {
		templates[s["name"]] = s
	}
	var all []question
	for _, f := range [][2]string{{"config", "/var/cache/debconf/config.dat"}, {"passwords", "/var/cache/debconf/passwords.dat"}} {
		q, err := stanzas(h, place(h, f[0], f[1]))
		if err != nil {
			return nil, err
		}
		for _, s := range q {
			of := templates[s["template"]]
			value, ok := s["value"]
			if !ok {
				value = of["default"]
			}
			x := question{name: s["name"], kind: of["type"], value: value, seen: strings.Contains(s["flags"], "seen")}
			if s["owners"] != "" {
				x.owners = strings.Split(s["owners"], ", ")
			}
			all = append(all, x)
		}
	}
	return all, nil
}

// place is where one of debconf's databases is: its configuration may name another file than usual.
func place(h *host.Host, name, usual string) string {
	conf, err := stanzas(h, "/etc/debconf.conf")
	for _, s := range conf {
		if s["name"] == name && strings.HasPrefix(s["filename"], "/") && err == nil {
			return s["filename"]
		}
	}
	return usual
}

// stanzas reads a file of fields NAME: VALUE, with an empty line between stanzas. None is in one that is not there.
func stanzas(h *host.Host, name string) ([]map[string]string, error) {
	data, err := file.Get(h, name)
	if err != nil {
		return nil, err
	}
	var all []map[string]string
	now := map[string]string{}
	for line := range strings.Lines(string(data) + "\n\n") {
		line = strings.TrimSuffix(line, "\n")
		key, value, ok := strings.Cut(line, ":")
		switch {
		case line == "":
			if now["name"] != "" {
				all = append(all, now)
			}
			now = map[string]string{}
		case ok && line[0] != ' ' && line[0] != '\t' && line[0] != '#':
			now[strings.ToLower(key)] = strings.TrimPrefix(value, " ")
		}
	}
	return all, nil
}
