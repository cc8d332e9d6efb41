package repo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/mod/file"
	"brine/states/value"
)

// sections are repositories that are sections of files: each in a file of a directory, or all in one.
type sections struct {
	dir    string
	file   string
	zypper bool
}

type iniFile struct {
	name string
	data string
	ini  *INI
}

func (s sections) read(h *host.Host) (all []iniFile, err error) {
	names := []string{s.file}
	if s.dir != "" {
		names = under(h, s.dir, ".repo")
	}
	for _, name := range names {
		data, err := file.Get(h, name)
		if err != nil {
			return nil, err
		}
		all = append(all, iniFile{name, string(data), ParseINI(string(data))})
	}
	return all, nil
}

// find returns the file that has a repository, else a new one.
func (s sections) find(h *host.Host, id string) (f iniFile, there bool, err error) {
	all, err := s.read(h)
	if err != nil {
		return f, false, err
	}
	for _, f := range all {
		if slices.Contains(f.ini.Sections(), id) {
			return f, true, nil
		}
	}
	if s.file != "" {
		return all[0], false, nil
	}
	name := s.dir + "/" + strings.ReplaceAll(id, ":", "_") + ".repo"
	return iniFile{name: name, ini: ParseINI("")}, false, nil
}

// id is the name of the section.
func (a *Args) id() (string, error) {
	id := a.Name
	if a.Copr != "" {
		id = "copr:copr.fedorainfracloud.org:" + strings.ReplaceAll(strings.TrimPrefix(a.Copr, "copr:"), "/", ":")
	}
	if strings.ContainsAny(id, "[]\n/ ") {
		return "", fmt.Errorf("cannot use %q as the id of a repository: it has blanks, brackets or slashes", id)
	}
	return id, nil
}

// options are what the arguments say of the section, in the order of the file.
func (s sections) options(h *host.Host, a Args) (all []Option) {
	add := func(name string, val setting) {
		if val != "" {
			all = append(all, Option{name, string(val)})
		}
	}
	if s.file != "" {
		for url := range strings.SplitSeq(string(cmp.Or(a.BaseURL, a.MirrorList)), "\n") {
			add(map[bool]string{true: "Server", false: "Include"}[a.BaseURL != ""], setting(url))
		}
		add("SigLevel", a.SigLevel)
		return all
	}
	if a.Copr != "" {
		a.copr(h)
	}
	if a.GPGKey == "" && a.KeyURL != "" {
		a.GPGKey = setting(a.KeyURL)
	}
	add("name", setting(cmp.Or(a.Humanname, a.Name)))
	add("enabled", setting(map[bool]string{true: "0", false: "1"}[a.disabled()]))
	v := reflect.ValueOf(a.iniArgs)
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("arg"), ",")
		if name != "siglevel" {
			add(name, setting(v.Field(i).String()))
		}
	}
	add("gpgkey", a.GPGKey)
	for _, other := range a.Others {
		var val setting
		if err := val.ParseArg(other.Value); err == nil && !s.zypper { // CheckArgs refused what is none
			add(other.Name, val)
		}
	}
	if s.zypper && a.Refresh != nil && a.AutoRefresh == "" {
		add("autorefresh", setting(map[bool]string{true: "1", false: "0"}[*a.Refresh]))
	}
	return all
}

// copr fills in where a project of Copr is.
func (a *Args) copr(h *host.Host) {
	project := strings.TrimPrefix(a.Copr, "copr:")
	results := "https://download.copr.fedorainfracloud.org/results/" + project
	release := "epel-$releasever"
	if system, _ := h.Grains.Get("os"); system == "Fedora" {
		release = "fedora-$releasever"
	}
	a.Humanname = cmp.Or(a.Humanname, "Copr repo for "+project)
	a.BaseURL = cmp.Or(a.BaseURL, setting(results+"/"+release+"-$basearch/"))
	a.GPGKey = cmp.Or(a.GPGKey, setting(results+"/pubkey.gpg"))
	a.GPGCheck = cmp.Or(a.GPGCheck, "1")
}

func (s sections) managed(_ context.Context, h *host.Host, a Args) (*Edit, error) {
	id, err := a.id()
	if err != nil {
		return nil, err
	}
	f, there, err := s.find(h, id)
	if err != nil {
		return nil, err
	}
	edit := &Edit{Changes: &value.Dict{}}
	if a.CleanFile && s.dir != "" && len(f.ini.Sections()) > 1 {
		for _, other := range f.ini.Sections() {
			if other != id {
				f.ini.Remove(other)
				edit.Changes.Put(other, value.NewDict("old", "in "+f.name, "new", ""))
			}
		}
	}
	have := f.ini.Options(id)
	options := s.options(h, a)
	if !there && !slices.ContainsFunc(options, locates) {
		return nil, errors.New("cannot make the repository " + id + `: say where it is with "baseurl", "mirrorlist" or "metalink"`)
	}
	for _, o := range options {
		old, set := find(have, o.Name)
		if set && sameSetting(old, o.Value) || there && !set && o.Name == "enabled" && o.Value == "1" {
			continue
		}
		f.ini.Set(id, o.Name, o.Value)
		edit.Changes.Put(o.Name, value.NewDict("old", old, "new", o.Value))
	}
	if a.Comment != "" && edit.comment(f.ini, id, string(a.Comment)) {
		edit.Changes.Put("comments", value.NewDict("old", "", "new", string(a.Comment)))
	}
	if !there {
		edit.Changes = value.NewDict("repo", a.Name)
	}
	if text := f.ini.String(); text != f.data && edit.Changes.Len() > 0 {
		edit.files = append(edit.files, written{name: f.name, data: text})
	}
	return edit, nil
}

func locates(o Option) bool {
	return slices.Contains([]string{"baseurl", "mirrorlist", "metalink", "Server", "Include"}, o.Name)
}

func find(options []Option, name string) (string, bool) {
	for _, o := range options {
		if o.Name == name {
			return o.Value, true
		}
	}
	return "", false
}

// sameSetting compares values; yes, true and 1 are the same, and so are no, false and 0.
func sameSetting(a, b string) bool {
	bools := map[string]string{"yes": "1", "true": "1", "on": "1", "no": "0", "false": "0", "off": "0"}
	la, lb := strings.ToLower(a), strings.ToLower(b)
	return a == b || cmp.Or(bools[la], la) == cmp.Or(bools[lb], lb) && (bools[la] != "" || bools[lb] != "") ||
		slices.Equal(strings.Fields(a), strings.Fields(b))
}

// comment puts a comment below the heading of a section, unless it is there.
func (e *Edit) comment(f *INI, id, text string) bool {
	from, to, ok := f.span(id)
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		lines = append(lines, "# "+strings.TrimLeft(line, "# "))
	}
	if !ok || len(lines) <= to-from-1 && slices.Equal(f.lines[from+1:from+1+len(lines)], lines) {
		return false
	}
	f.lines = slices.Insert(f.lines, from+1, lines...)
	return true
}

func (s sections) absent(_ context.Context, h *host.Host, a Args) (*Edit, error) {
	edit := &Edit{Changes: &value.Dict{}}
	id, err := a.id()
	if err != nil {
		return nil, err
	}
	f, there, err := s.find(h, id)
	if err != nil || !there {
		return edit, err
	}
	f.ini.Remove(id)
	edit.Changes.Put("repo", a.Name)
	edit.files = append(edit.files, written{name: f.name, data: f.ini.String(), gone: len(f.ini.Sections()) == 0})
	return edit, nil
}

func (s sections) list(h *host.Host) (*value.Dict, error) {
	all, err := s.read(h)
	if err != nil {
		return nil, err
	}
	repos := &value.Dict{}
	for _, f := range all {
		for _, id := range f.ini.Sections() {
			if id == "options" && s.file != "" || id == "main" {
				continue
			}
			repos.Put(id, section(f, id))
		}
	}
	return repos, nil
}

func section(f iniFile, id string) *value.Dict {
	d := &value.Dict{}
	for _, o := range f.ini.Options(id) {
		d.Put(o.Name, o.Value)
	}
	d.Put("file", f.name)
	return d
}

func (s sections) get(_ context.Context, h *host.Host, a Args) (*value.Dict, error) {
	id, err := a.id()
	if err != nil {
		return nil, err
	}
	f, there, err := s.find(h, id)
	if err != nil || !there {
		return &value.Dict{}, err
	}
	return section(f, id), nil
}

// lines are repositories that are lines of one file.
type lines struct{ file string }

func (l lines) read(h *host.Host) (data string, all []string, err error) {
	raw, err := file.Get(h, l.file)
	return string(raw), slices.Collect(strings.Lines(string(raw))), err
}

// at is where a repository stands, in use or behind a number sign; -1 when it is not there.
func at(all []string, name string) (i int, disabled bool) {
	for i, line := range all {
		text, off := strings.CutPrefix(strings.TrimSpace(line), "#")
		if strings.TrimSpace(text) == name {
			return i, off
		}
	}
	return -1, false
}

func (l lines) managed(_ context.Context, h *host.Host, a Args) (*Edit, error) {
	edit := &Edit{Changes: &value.Dict{}}
	_, all, err := l.read(h)
	if err != nil {
		return nil, err
	}
	line := a.Name + "\n"
	if a.disabled() {
		line = "#" + line
	}
	i, off := at(all, a.Name)
	switch {
	case i >= 0 && off == a.disabled():
		return edit, nil
	case i >= 0:
		all[i] = line
		edit.Changes.Put("disabled", value.NewDict("old", off, "new", a.disabled()))
	default:
		if n := len(all); n > 0 && !strings.HasSuffix(all[n-1], "\n") {
			all[n-1] += "\n"
		}
		all = append(all, line)
		edit.Changes.Put("repo", a.Name)
	}
	edit.files = []written{{name: l.file, data: strings.Join(all, "")}}
	return edit, nil
}

func (l lines) absent(_ context.Context, h *host.Host, a Args) (*Edit, error) {
	edit := &Edit{Changes: &value.Dict{}}
	_, all, err := l.read(h)
	if i, _ := at(all, a.Name); i >= 0 {
		edit.Changes.Put("repo", a.Name)
		edit.files = []written{{name: l.file, data: strings.Join(slices.Delete(all, i, i+1), "")}}
	}
	return edit, err
}

func (l lines) list(h *host.Host) (*value.Dict, error) {
	repos := &value.Dict{}
	_, all, err := l.read(h)
	for _, line := range all {
		text, off := strings.CutPrefix(strings.TrimSpace(line), "#")
		if text = strings.TrimSpace(text); strings.Contains(text, "/") && !strings.Contains(text, " ") || strings.HasPrefix(text, "@") {
			repos.Put(text, value.NewDict("enabled", !off, "file", l.file))
		}
	}
	return repos, err
}

func (l lines) get(_ context.Context, h *host.Host, a Args) (*value.Dict, error) {
	all, err := l.list(h)
	if err != nil {
		return nil, err
	}
	if d, ok := all.Get(a.Name); ok {
		return d.(*value.Dict), nil
	}
	return &value.Dict{}, nil
}
