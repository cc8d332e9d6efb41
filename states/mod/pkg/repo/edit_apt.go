package repo

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"brine/states/host"
	"brine/states/mod/file"
	"brine/states/value"
)

// aptFiles are the sources of apt.
type aptFiles struct{}

const (
	sourcesList = "/etc/apt/sources.list"
	sourcesDir  = "/etc/apt/sources.list.d"
)

// An aptFile is one file of sources.
type aptFile struct {
	name    string
	data    string
	there   bool
	entries []*Entry
}

func readApt(h *host.Host, name string) (*aptFile, error) {
	data, err := file.Get(h, name)
	if err != nil {
		return nil, err
	}
	f := &aptFile{name: name, data: string(data), there: data != nil}
	f.entries = ParseList(f.data)
	if f.newer() {
		f.entries = ParseSources(f.data)
	}
	return f, nil
}

// newer says whether the file has stanzas.
func (f *aptFile) newer() bool { return strings.HasSuffix(f.name, ".sources") }

func (f *aptFile) text() string {
	if f.newer() {
		return WriteSources(f.entries)
	}
	return WriteList(f.entries)
}

// find returns the entry of a repository.
func (f *aptFile) find(s *Source) *Entry {
	for _, e := range f.entries {
		if e.Source != nil && e.Source.Matches(s) {
			return e
		}
	}
	return nil
}

func (aptFiles) read(h *host.Host) (all []*aptFile, err error) {
	for _, name := range append([]string{sourcesList}, under(h, sourcesDir, ".list", ".sources")...) {
		f, err := readApt(h, name)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}

// source is the repository that the arguments say.
func (a *Args) source(h *host.Host) (*Source, error) {
	s := &Source{Types: []string{"deb"}}
	name, ppa := strings.CutPrefix(a.Name, "ppa:")
	if a.PPA != "" {
		name, ppa = strings.TrimPrefix(a.PPA, "ppa:"), true
	}
	var err error
	switch {
	case ppa:
		s, err = a.ppa(h, name)
	case len(a.URIs) > 0:
		s.URIs = a.URIs
	default:
		if s, err = ParseLine(a.Name); err != nil {
			err = fmt.Errorf("argument \"name\": %w", err)
		}
	}
	if err != nil {
		return nil, err
	}
	if len(a.Types) > 0 {
		s.Types = a.Types
	}
	if len(a.Dist) > 0 {
		s.Suites = a.Dist
	}
	if len(a.Comps) > 0 {
		s.Comps = a.Comps
	}
	if len(a.Arch) > 0 {
		s.Set("arch", strings.Join(a.Arch, ","))
	}
	if a.SignedBy != "" {
		s.Set("signed-by", a.SignedBy)
	}
	if a.Comment != "" {
		s.Comment = strings.ReplaceAll(string(a.Comment), "\n", " ")
	}
	s.Disabled = s.Disabled || a.disabled()
	if len(s.Suites) == 0 {
		return nil, errors.New("cannot tell the suite of the repository: name it behind the URI, or with dist")
	}
	return s, nil
}

// ppa is a PPA of Launchpad for this release of Ubuntu.
func (a *Args) ppa(h *host.Host, name string) (*Source, error) {
	codename, _ := h.Grains.Get("oscodename")
	suite, _ := codename.(string)
	owner, archive, ok := strings.Cut(name, "/")
	if !ok {
		return nil, fmt.Errorf("cannot read the PPA %q: want OWNER/NAME", name)
	}
	if system, _ := h.Grains.Get("os"); system != "Ubuntu" && system != "Mint" && len(a.Dist) == 0 {
		return nil, fmt.Errorf("cannot use the PPA %s: this host is no Ubuntu (dist names a suite all the same)", name)
	}
	uri := "https://ppa.launchpadcontent.net/"
	if a.PPAAuth != "" {
		uri = "https://" + a.PPAAuth + "@private-ppa.launchpadcontent.net/"
	}
	return &Source{
		Types: []string{"deb"}, URIs: []string{uri + owner + "/" + archive + "/ubuntu"}, Suites: []string{suite}, Comps: []string{"main"},
	}, nil
}

// file is where a new repository is written.
func (a *Args) file(s *Source) string {
	switch {
	case a.File != "":
		return a.File
	case a.PPA != "":
		return ppaFile(a.PPA, s)
	case strings.HasPrefix(a.Name, "ppa:"):
		return ppaFile(a.Name, s)
	}
	return sourcesList
}

func ppaFile(name string, s *Source) string {
	name = strings.ReplaceAll(strings.TrimPrefix(name, "ppa:"), "/", "-")
	return sourcesDir + "/" + name + "-" + s.Suites[0] + ".list"
}

func (f aptFiles) managed(ctx context.Context, h *host.Host, a Args) (*Edit, error) {
	s, err := a.source(h)
	if err != nil {
		return nil, err
	}
	edit := &Edit{Changes: &value.Dict{}}
	keys, err := a.keys(ctx, h, s)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		edit.keys = append(edit.keys, k)
		edit.Changes.Put("key", value.NewDict("old", k.had, "new", k.file))
	}
	all, err := f.read(h)
	if err != nil {
		return nil, err
	}
	into, entry, err := f.place(h, all, a, s)
	if err != nil {
		return nil, err
	}
	if entry == nil {
		e := &Entry{}
		e.Update(s)
		into.entries = append(into.entries, e)
		edit.Changes.Put("repo", a.Name)
	} else if now := merged(entry.Source, s); now.whole() != entry.Source.whole() {
		edit.Changes.Put("line", value.NewDict("old", entry.Source.whole(), "new", now.whole()))
		entry.Update(now)
	}
	if text := into.text(); text != into.data {
		if edit.Changes.Len() == len(keys) {
			edit.Changes.Put("file", value.NewDict("old", into.name, "new", into.name))
		}
		edit.files = append(edit.files, written{name: into.name, data: text})
	}
	return edit, nil
}

// place finds the file of a repository: that in which it is, or that which a new one gets. With clean_file nothing else
// is left in it.
func (f aptFiles) place(h *host.Host, all []*aptFile, a Args, s *Source) (*aptFile, *Entry, error) {
	if !a.CleanFile {
		for _, x := range all {
			if e := x.find(s); e != nil {
				return x, e, nil
			}
		}
	}
	into, err := readApt(h, a.file(s))
	if err != nil || !a.CleanFile {
		return into, nil, err
	}
	e := into.find(s)
	into.entries = nil
	if e != nil {
		into.entries = []*Entry{e}
	}
	return into, e, nil
}

// merged is a source of a file as it is wanted. What isn't said stays.
func merged(have, want *Source) *Source {
	s := have.Clone()
	s.Disabled = want.Disabled
	if len(want.Comps) > 0 && !sameSet(have.Comps, want.Comps) {
		s.Comps = want.Comps
	}
	for _, o := range want.Options {
		if !sameSet(strings.Split(have.Option(o.Name), ","), strings.Split(o.Value, ",")) {
			s.Set(o.Name, o.Value)
		}
	}
	if want.Comment != "" {
		s.Comment = want.Comment
	}
	return s
}

func sameSet(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// whole is a source on one line, with all that it has.
func (s *Source) whole() string {
	one := s.Clone()
	one.Types, one.URIs = []string{strings.Join(s.Types, ",")}, []string{strings.Join(s.URIs, ",")}
	return one.Line()
}

func (f aptFiles) absent(ctx context.Context, h *host.Host, a Args) (*Edit, error) {
	edit := &Edit{Changes: &value.Dict{}}
	s, err := a.source(h)
	if err != nil {
		return nil, err
	}
	all, err := f.read(h)
	if err != nil {
		return nil, err
	}
	for _, x := range all {
		for e := x.find(s); e != nil; e = x.find(s) {
			x.without(e, s.Comps)
		}
		text := x.text()
		if text == x.data {
			continue
		}
		edit.Changes.Put("repo", a.Name)
		gone := !HasSources(x.entries) && path.Dir(x.name) == sourcesDir
		edit.files = append(edit.files, written{name: x.name, data: text, gone: gone})
	}
	if !edit.Empty() {
		err = a.endKeys(ctx, h, all, edit)
	}
	return edit, err
}

// without takes components of an entry away, and the entry when none is left.
func (f *aptFile) without(e *Entry, comps []string) {
	left := e.Source.Clone()
	left.Comps = slices.DeleteFunc(left.Comps, func(c string) bool { return slices.Contains(comps, c) })
	if len(comps) == 0 || len(left.Comps) == 0 {
		f.entries = slices.DeleteFunc(f.entries, func(x *Entry) bool { return x == e })
		return
	}
	e.Update(left)
}

func (f aptFiles) list(h *host.Host) (*value.Dict, error) {
	all, err := f.read(h)
	if err != nil {
		return nil, err
	}
	repos := &value.Dict{}
	for _, x := range all {
		for _, e := range x.entries {
			if e.Source == nil {
				continue
			}
			for _, uri := range e.Source.URIs {
				list, ok := repos.Get(uri)
				if !ok {
					list = &value.List{}
					repos.Put(uri, list)
				}
				list.(*value.List).Items = append(list.(*value.List).Items, e.Source.dict(x.name, uri))
			}
		}
	}
	return repos, nil
}

func (s *Source) dict(name, uri string) *value.Dict {
	list := func(words []string) *value.List {
		l := &value.List{}
		for _, w := range words {
			l.Items = append(l.Items, w)
		}
		return l
	}
	arch := []string{}
	if s.Option("arch") != "" {
		arch = strings.Split(s.Option("arch"), ",")
	}
	return value.NewDict(
		"file", name, "comps", list(s.Comps), "disabled", s.Disabled, "enabled", !s.Disabled, "dist", strings.Join(s.Suites, " "),
		"type", strings.Join(s.Types, " "), "uri", uri, "line", s.whole(), "architectures", list(arch), "signedby", s.Option("signed-by"),
	)
}

func (f aptFiles) get(_ context.Context, h *host.Host, a Args) (*value.Dict, error) {
	s, err := a.source(h)
	if err != nil {
		return nil, err
	}
	all, err := f.read(h)
	if err != nil {
		return nil, err
	}
	for _, x := range all {
		if e := x.find(s); e != nil {
			return e.Source.dict(x.name, e.Source.URIs[0]), nil
		}
	}
	return &value.Dict{}, nil
}
