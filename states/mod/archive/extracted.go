package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"brine/states/host"
	"brine/states/mod/file"
	"brine/states/module"
	"brine/states/value"
)

type extractedArgs struct {
	Name string `arg:"name,required" doc:"directory to extract to"`
	file.Origin
	HashUpdate  bool   `arg:"source_hash_update" doc:"as overwrite, even where if_missing is there"`
	Password    string `arg:"password" doc:"refused: encrypted archives are not read"`
	Options     words  `arg:"options" doc:"options of tar or unzip: --strip-components=N and --exclude=PATTERN count, those that say what is done anyway are taken"`
	ListOptions words  `arg:"list_options" doc:"taken for Salt: no program lists the archive"`
	Force       bool   `arg:"force" doc:"remove a directory where the archive has a file, and the other way round"`
	Overwrite   bool   `arg:"overwrite" doc:"compare contents too, and write what differs"`
	Clean       bool   `arg:"clean" doc:"before extracting remove what the archive has at its top"`
	CleanParent bool   `arg:"clean_parent" doc:"before extracting remove all that is in the directory"`
	User        string `arg:"user" doc:"user who owns what was extracted"`
	Group       string `arg:"group" doc:"group that owns what was extracted"`
	IfMissing   paths  `arg:"if_missing" doc:"do nothing when this path is there; of several, when all are"`
	Trim        *trim  `arg:"trim_output" doc:"show only so many names of files, 100 for true"`
	UseUnzip    *bool  `arg:"use_cmd_unzip" doc:"taken for Salt: no program is needed"`
	Perms       bool   `arg:"extract_perms" default:"true" doc:"give files of a zip the permissions that it has"`
	Toplevel    bool   `arg:"enforce_toplevel" default:"true" doc:"refuse an archive that has more than one directory at its top"`
	EnforceOn   string `arg:"enforce_ownership_on" doc:"give user and group only to this path below name, and to what is below it"`
	Format      string `arg:"archive_format,alias=format" doc:"tar or zip; what the name of the source says when absent"`
	UseEtag     bool   `arg:"use_etag" doc:"taken for Salt: source_hash says whether the source changed"`
	Keep        *bool  `arg:"keep" doc:"old name of keep_source"`

	Others *value.Dict `arg:"kwargs,others" doc:"ignored, as Salt does"`
}

// paths is one path or a list of them.
type paths []string

func (p *paths) ArgType() string { return "text or list of text" }

func (p *paths) ParseArg(v module.Value) error {
	for _, item := range v.Each() {
		text, err := item.Str()
		if err != nil || !path.IsAbs(text) {
			return v.Want("absolute paths")
		}
		*p = append(*p, text)
	}
	return nil
}

// words are options, as text or as a list.
type words []string

func (w *words) ArgType() string { return "text or list of text" }

func (w *words) ParseArg(v module.Value) error {
	for _, item := range v.Each() {
		text, err := item.Str()
		if err != nil {
			return v.Want("options of tar or unzip")
		}
		for _, word := range strings.Fields(text) {
			*w = append(*w, strings.Trim(word, `"'`))
		}
	}
	return nil
}

// trim is a number of names, or a boolean.
type trim int

func (t *trim) ArgType() string { return "integer or boolean" }

func (t *trim) ParseArg(v module.Value) error {
	if s, err := v.Str(); err == nil {
		if n, err := strconv.Atoi(s); err == nil && n >= 0 {
			*t = trim(n)
			return nil
		}
	}
	on, err := v.Bool()
	if err != nil {
		return v.Want("a number or a boolean")
	}
	*t = -1
	if on {
		*t = 100
	}
	return nil
}

// CheckArgs implements module.Checker.
func (a *extractedArgs) CheckArgs() error {
	var errs []error
	if !path.IsAbs(a.Name) {
		errs = append(errs, fmt.Errorf("cannot extract to %q: want an absolute path", a.Name))
	}
	if !a.Given() {
		errs = append(errs, errors.New(`argument "source" is missing`))
	}
	if a.Password != "" {
		errs = append(errs, errors.New(`cannot use "password": encrypted archives are not read`))
	}
	if a.EnforceOn != "" && a.User == "" && a.Group == "" {
		errs = append(errs, errors.New(`cannot use "enforce_ownership_on" without "user" or "group"`))
	}
	if a.EnforceOn != "" && a.EnforceOn != a.Name && !strings.HasPrefix(path.Clean(a.EnforceOn)+"/", path.Clean(a.Name)+"/") {
		errs = append(errs, fmt.Errorf("cannot use enforce_ownership_on %s: it is not below %s", a.EnforceOn, a.Name))
	}
	if a.Clean && a.CleanParent {
		errs = append(errs, errors.New(`cannot use both "clean" and "clean_parent"`))
	}
	return errors.Join(errs...)
}

// An extraction is one look at an archive and at the directory.
type extraction struct {
	extractedArgs
	h       *host.Host
	store   *store
	content *file.Content
	owner   owner
	entries []*entry // with the directories that no entry stands for, in order
	todo    map[string]status
}

func planExtracted(ctx context.Context, h *host.Host, a extractedArgs) (module.Plan, error) {
	x := &extraction{extractedArgs: a, h: h, store: &store{h: h}, todo: map[string]status{}}
	if done := x.present(); done != "" {
		return module.Plan{Same: done}, nil
	}
	var err error
	if x.owner, err = ownerOf(ctx, h, a.User, a.Group); err != nil {
		return module.Plan{}, err
	}
	if x.content, err = a.Find(ctx, h, a.Name); err != nil {
		return module.Plan{}, err
	}
	archive, err := x.open(ctx)
	if err != nil {
		return module.Plan{}, err
	}
	defer archive.Close()
	if err := x.list(ctx, archive); err != nil {
		return module.Plan{}, fmt.Errorf("cannot take the archive %s: %w", x.content.From(), err)
	}
	t, err := openTree(h, a.Name)
	if err != nil {
		return module.Plan{}, err
	}
	defer t.close()
	if err := x.look(ctx, archive, t); err != nil {
		return module.Plan{}, err
	}
	return x.plan(t)
}

// present says that all paths of if_missing are there.
func (x *extraction) present() string {
	if len(x.IfMissing) == 0 || x.HashUpdate {
		return ""
	}
	for _, p := range x.IfMissing {
		if _, err := os.Stat(x.h.Path(p)); err != nil {
			return ""
		}
	}
	return "Path " + strings.Join(x.IfMissing, ", ") + " exists"
}

// open makes the archive readable. The caller closes it.
func (x *extraction) open(ctx context.Context) (*archive, error) {
	a := &archive{perms: x.Perms, format: x.Format}
	if a.format == "" {
		a.format = formatOf(x.content.Name)
	}
	switch a.format {
	case "tar", "zip":
	case "rar":
		return nil, errors.New("cannot extract a rar: its format is not open; use tar or zip")
	case "":
		return nil, fmt.Errorf("cannot tell the format of %s by its name: set archive_format", x.content.Name)
	default:
		return nil, fmt.Errorf("cannot use the archive_format %q: want tar or zip", a.format)
	}
	if err := a.options(x.Options); err != nil {
		return nil, err
	}
	var err error
	a.blob, err = x.store.open(ctx, x.content)
	return a, err
}

// list reads what is in the archive, and refuses what can't be extracted.
func (x *extraction) list(ctx context.Context, a *archive) error {
	seen := map[string]bool{}
	links := map[string]bool{}
	err := a.walk(ctx, func(e *entry, _ io.Reader) error {
		links[e.name] = e.isLink()
		for dir := path.Dir(e.name); dir != "."; dir = path.Dir(dir) {
			if links[dir] {
				return fmt.Errorf("cannot extract %q: it lies below the link %q of the archive", e.name, dir)
			}
		}
		for dir := path.Dir(e.name); dir != "." && !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
			x.entries = append(x.entries, &entry{name: dir, mode: fs.ModeDir | 0o755, made: true})
		}
		if !seen[e.name] {
			x.entries = append(x.entries, e)
		}
		seen[e.name] = true
		return nil
	})
	if err != nil {
		return err
	}
	if len(x.entries) == 0 {
		return errors.New("there is nothing in it to extract")
	}
	slices.SortStableFunc(x.entries, func(a, b *entry) int { return strings.Compare(a.name, b.name) })
	return x.top()
}

// top refuses an archive that would litter the directory.
func (x *extraction) top() error {
	tops := x.tops()
	alone := len(tops) == 1 && slices.ContainsFunc(x.entries, func(e *entry) bool { return e.name == tops[0] && e.mode.IsDir() })
	if x.Toplevel && !alone {
		return fmt.Errorf("it has not one directory at its top, but %s; set enforce_toplevel to false to extract it all the same", few(tops))
	}
	return nil
}

func (x *extraction) tops() []string {
	var tops []string
	for _, e := range x.entries {
		top, _, _ := strings.Cut(e.name, "/")
		if !slices.Contains(tops, top) {
			tops = append(tops, top)
		}
	}
	return tops
}

func few(names []string) string {
	const most = 10
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return strings.Join(names, ", ")
}

// look finds what has to be written. Contents are compared where they may be written over: overwrite says so, or
// something is missing, so that the archive is extracted as a whole.
func (x *extraction) look(ctx context.Context, a *archive, t *tree) error {
	var bad []string
	for _, e := range x.entries {
		s, err := t.status(ctx, e, nil)
		if err != nil {
			return fmt.Errorf("cannot look at %s in %s: %w", e.name, x.Name, err)
		}
		if s != there {
			x.todo[e.name] = s
		}
		if s == wrong {
			bad = append(bad, e.name)
		}
	}
	if len(bad) > 0 && !x.Force {
		return fmt.Errorf("cannot extract to %s: in the place of a file is a directory, or the other way round; set force to remove %s",
			x.Name, few(bad))
	}
	if len(x.todo) > 0 && (x.Clean || x.CleanParent) {
		for _, e := range x.entries {
			x.todo[e.name] = missing
		}
		return nil
	}
	if len(x.todo) == 0 && !x.Overwrite && !x.HashUpdate {
		return nil
	}
	return a.walk(ctx, func(e *entry, content io.Reader) error {
		if x.todo[e.name] != there || content == nil && !e.isLink() && !e.hard {
			return nil
		}
		if content == nil {
			content = strings.NewReader("")
		}
		s, err := t.status(ctx, e, content)
		if err == nil && s != there {
			x.todo[e.name] = s
		}
		return err
	})
}

func (x *extraction) plan(t *tree) (module.Plan, error) {
	p := module.Plan{Same: "All files in archive are already present", Would: fmt.Sprintf("Archive %s would be extracted to %s", x.content.From(), x.Name),
		Did: fmt.Sprintf("%s extracted to %s", x.content.From(), x.Name)}
	if len(x.todo) > 0 {
		fresh, wanted := t.root == nil, func(e *entry) bool { _, ok := x.todo[e.name]; return ok && !e.made }
		p.Writes = []string{x.Name}
		p.Steps = append(p.Steps, module.Step{Changes: x.changes(fresh, wanted), Do: func(ctx context.Context) (module.Done, error) {
			return x.extract(ctx)
		}})
	}
	others, err := x.foreign(t)
	if err != nil {
		return p, err
	}
	if len(others) > 0 {
		if len(p.Steps) == 0 {
			p.Would, p.Did = "Ownership would be corrected", "Ownership was corrected"
		}
		p.Steps = append(p.Steps, module.Step{Changes: value.NewDict("updated ownership", few(others)), Do: x.give})
	} else if len(p.Steps) > 0 && x.owner.set() {
		p.Steps = append(p.Steps, module.Step{Do: x.give})
	}
	if keep := x.KeepSource && (x.Keep == nil || *x.Keep); !keep {
		p.Steps = x.forgetting(p.Steps)
	}
	return p, nil
}

// forgetting lets the last step remove what was kept of the archive.
func (x *extraction) forgetting(steps []module.Step) []module.Step {
	if len(steps) == 0 {
		return steps
	}
	last := &steps[len(steps)-1]
	do := last.Do
	last.Do = func(ctx context.Context) (module.Done, error) {
		done, err := do(ctx)
		return done, errors.Join(err, x.store.forget())
	}
	return steps
}

// changes are those of a directory which is new when it is fresh, and of some of the entries.
func (x *extraction) changes(fresh bool, some func(*entry) bool) *value.Dict {
	changes, names := &value.Dict{}, &value.List{}
	if fresh {
		changes.Put("directories_created", value.NewList(x.Name))
	}
	most := len(x.entries)
	if x.Trim != nil && *x.Trim >= 0 {
		most = int(*x.Trim)
	}
	for _, e := range x.entries {
		if some(e) && len(names.Items) < most {
			names.Items = append(names.Items, e.name)
		}
	}
	if !fresh && (x.Clean || x.CleanParent) {
		changes.Put("cleaned", x.Name)
	}
	changes.Put("extracted_files", names)
	return changes
}

// extract returns what was done where it could not do all.
func (x *extraction) extract(ctx context.Context) (done module.Done, err error) {
	archive, err := x.open(ctx)
	if err != nil {
		return done, err
	}
	defer archive.Close()
	t, err := openTree(x.h, x.Name)
	if err != nil {
		return done, err
	}
	defer t.close()
	fresh := t.root == nil
	if err := x.write(ctx, t, archive, fresh); err != nil {
		if fresh && t.undo(x.entries) {
			return done, err
		}
		if t.root != nil && (fresh || len(t.wrote) > 0 || x.Clean || x.CleanParent) {
			done.Changes = x.changes(fresh, func(e *entry) bool { return t.wrote[e.name] && !e.made })
		}
		return done, err
	}
	return done, t.touched()
}

func (x *extraction) write(ctx context.Context, t *tree, archive *archive, fresh bool) error {
	if x.Clean || x.CleanParent {
		if err := t.clean(x.tops(), x.CleanParent); err != nil {
			return err
		}
	}
	if err := t.extract(ctx, archive, x.todo); err != nil {
		return err
	}
	if fresh && x.owner.set() {
		return t.root.Chown(".", x.owner.uid, x.owner.gid)
	}
	return nil
}

// An owner is a user and a group by number; -1 leaves who is there.
type owner struct{ uid, gid int }

func (o owner) set() bool { return o.uid >= 0 || o.gid >= 0 }

func ownerOf(ctx context.Context, h *host.Host, user, group string) (owner, error) {
	o := owner{-1, -1}
	var errs []error
	if user != "" {
		id, err := h.UserID(ctx, user)
		o.uid, errs = int(id), append(errs, err)
	}
	if group != "" {
		id, err := h.GroupID(ctx, group)
		o.gid, errs = int(id), append(errs, err)
	}
	return o, module.Unmade(errors.Join(errs...))
}

func (o owner) has(st fs.FileInfo) bool {
	s, ok := st.Sys().(*syscall.Stat_t)
	return ok && (o.uid < 0 || int(s.Uid) == o.uid) && (o.gid < 0 || int(s.Gid) == o.gid)
}

// foreign are the names that belong to someone else than is wanted.
func (x *extraction) foreign(t *tree) ([]string, error) {
	if !x.owner.set() || t.root == nil {
		return nil, nil
	}
	var names []string
	err := x.owned(t, func(name string, st fs.FileInfo) error {
		if !x.owner.has(st) {
			names = append(names, name)
		}
		return nil
	})
	return names, err
}

// owned calls each for all that must belong to the owner.
func (x *extraction) owned(t *tree, each func(name string, st fs.FileInfo) error) error {
	if x.EnforceOn != "" {
		below := strings.TrimPrefix(strings.TrimPrefix(path.Clean(x.EnforceOn), path.Clean(x.Name)), "/")
		return t.below(below, each)
	}
	for _, e := range x.entries {
		st, err := t.root.Lstat(e.name)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			continue
		}
		if err == nil {
			err = each(e.name, st)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// below walks through the directory without following links.
func (t *tree) below(dir string, each func(name string, st fs.FileInfo) error) error {
	if dir == "" {
		dir = "."
	}
	return fs.WalkDir(t.root.FS(), dir, func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		return each(name, st)
	})
}

func (x *extraction) give(ctx context.Context) (module.Done, error) {
	t, err := openTree(x.h, x.Name)
	if err != nil || t.root == nil {
		return module.Done{}, err
	}
	defer t.close()
	err = x.owned(t, func(name string, st fs.FileInfo) error {
		if err := context.Cause(ctx); err != nil || x.owner.has(st) {
			return err
		}
		return t.root.Lchown(name, x.owner.uid, x.owner.gid)
	})
	return module.Done{}, errors.Join(err, t.touched())
}
