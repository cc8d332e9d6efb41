package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"brine/states/host"
	"brine/states/module"
)

// A patching is a patch that is tried on copies of the files that it names, in a directory that only the minion may enter. So
// test mode knows what it would make of them, patch(1) is never near the files themselves, and these are replaced in one step.
type patching struct {
	host    *host.Host
	name    string // the file or directory, as the operator wrote it
	text    []byte
	options []string
	level   int
	reverse bool // it is to be taken back

	base    string // the name of the copy of a file; "" for a directory
	dir     string // of the copies and all else that is needed
	files   map[string]*patchedFile
	rejects []byte
	fuzzy   bool // it only fits where lines around it are not as the patch has them
}

// A patchedFile is a file before the patch.
type patchedFile struct {
	edit
	mode fs.FileMode // of the copy
}

// begin copies what the patch may change.
func (p *patching) begin() (err error) {
	if p.host.Exec == nil {
		return errors.New("cannot run patch: this host runs no commands")
	}
	s, err := find(p.host, p.name, true)
	if err != nil {
		return unsure("cannot patch", p.name, err)
	}
	defer s.leave()
	i, err := s.look()
	switch {
	case err != nil:
		return err
	case i == nil:
		return module.Unknown("cannot patch %s: it does not exist", p.name)
	case !i.isFile() && !i.isDir():
		return fmt.Errorf("cannot patch %s: it is a %s", p.name, i.kind())
	}
	if p.dir, err = os.MkdirTemp("", "brine-patch-"); err != nil {
		return fmt.Errorf("cannot patch %s: %w", p.name, err)
	}
	p.files = map[string]*patchedFile{}
	err = errors.Join(os.Mkdir(p.tree(), 0o700), os.WriteFile(p.in("patch"), p.text, 0o600))
	if err != nil {
		return fmt.Errorf("cannot patch %s: %w", p.name, err)
	}
	if i.isFile() {
		p.base = path.Base(s.path())
		return p.copy(p.base, s.path())
	}
	for _, rel := range patchedNames(string(p.text), p.level) {
		if err := p.copyBelow(s.path(), rel); err != nil {
			return err
		}
	}
	return nil
}

func (p *patching) end() {
	if p.dir != "" {
		_ = os.RemoveAll(p.dir) // what is left of copies harms no one
	}
	for _, f := range p.files {
		f.spot.leave()
	}
}

func (p *patching) in(name string) string { return filepath.Join(p.dir, name) }
func (p *patching) tree() string          { return p.in("tree") }

// copyBelow copies a file of the directory that is patched. Links must not lead out of it.
func (p *patching) copyBelow(dir, rel string) error {
	name := path.Join(dir, rel)
	s, err := find(p.host, name, false)
	if isNothing(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot patch %s: %w", name, err)
	}
	defer s.leave()
	i, err := s.look()
	switch {
	case err != nil:
		return err
	case i == nil || i.isDir():
		return nil
	case !i.isFile():
		return fmt.Errorf("cannot patch %s: it is a %s", name, i.kind())
	case !strings.HasPrefix(s.path(), strings.TrimSuffix(dir, "/")+"/"):
		return fmt.Errorf("cannot patch %s: a symbolic link leads out of %s", name, dir)
	}
	return p.copy(rel, name)
}

func (p *patching) copy(rel, name string) error {
	s, err := find(p.host, name, false)
	if err != nil {
		return fmt.Errorf("cannot patch %s: %w", name, err)
	}
	f := &patchedFile{edit: edit{name: name, spot: s}}
	p.files[rel] = f
	if f.old, err = s.look(); err == nil && f.old == nil {
		err = errNotThere
	}
	if err == nil && f.old.Size > editMax {
		err = fmt.Errorf("it has more than %d bytes", editMax)
	}
	if err == nil {
		f.before, err = s.read()
	}
	to := filepath.Join(p.tree(), filepath.FromSlash(rel))
	f.mode = fs.FileMode(0o600)
	if err == nil {
		f.mode |= fs.FileMode(f.old.bits() & 0o777)
		err = os.MkdirAll(filepath.Dir(to), 0o700)
	}
	if err == nil {
		err = errors.Join(os.WriteFile(to, f.before, 0o600), os.Chmod(to, f.mode))
	}
	if err != nil {
		return fmt.Errorf("cannot patch %s: %w", name, err)
	}
	return nil
}

// patchedNames are the names that a patch may mean, without the directories that are taken off.
func patchedNames(text string, level int) (names []string) {
	for line := range strings.Lines(text) {
		for _, name := range namesOn(strings.TrimRight(line, "\r\n")) {
			if name, ok := stripped(name, level); ok && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func namesOn(line string) []string {
	if both, ok := strings.CutPrefix(line, "diff --git "); ok {
		return strings.Fields(both)
	}
	for _, prefix := range []string{"--- ", "+++ ", "*** ", "Index: ", "rename from ", "rename to ", "copy from ", "copy to "} {
		rest, ok := strings.CutPrefix(line, prefix)
		if !ok {
			continue
		}
		if quoted, err := strconv.QuotedPrefix(rest); err == nil && rest[0] == '"' {
			name, _ := strconv.Unquote(quoted) // it is quoted
			return []string{name}
		}
		name, _, _ := strings.Cut(rest, "\t")
		return append([]string{name}, strings.Fields(name)...)
	}
	return nil
}

// stripped takes directories off a name; not ok when that leaves none that lies below a directory.
func stripped(name string, level int) (string, bool) {
	for range level {
		_, rest, found := strings.Cut(name, "/")
		if !found {
			return "", false
		}
		name = strings.TrimLeft(rest, "/")
	}
	return path.Clean(name), filepath.IsLocal(name) && path.Clean(name) != "."
}

// run runs patch on the copies, and returns all that it said as Stdout.
func (p *patching) run(ctx context.Context, options ...string) (host.Output, error) {
	argv := slices.Concat([]string{"patch"}, p.options, options, []string{"-d", p.tree(), "-i", p.in("patch")})
	if p.base == "" {
		argv = append(argv, "--strip="+strconv.Itoa(p.level))
	} else {
		argv = append(argv, "--", p.base)
	}
	out, err := p.host.Exec(ctx, host.Command{
		Argv: argv, Env: []string{"LC_ALL=C", "PATCH_GET=0"}, Merge: true, Limit: 64 << 10,
	})
	if errors.Is(err, fs.ErrNotExist) {
		return out, errors.New("cannot patch: there is no program patch on this host (the package patch has it)")
	}
	return out, err
}

// forward are the options that apply the patch, and keep what does not fit.
func (p *patching) forward() []string {
	options := []string{"-N", "-r", p.in("rejects"), "--no-backup-if-mismatch"}
	if p.reverse {
		options = append(options, "-R")
	}
	return options
}

// backward asks whether the patch could be taken back, and so has been applied.
func (p *patching) backward(ctx context.Context, options ...string) (yes bool, said string, err error) {
	options = append(options, "-f", "--dry-run", "-r", p.in("back"))
	if !p.reverse {
		options = append(options, "-R")
	}
	out, err := p.run(ctx, options...)
	return err == nil && out.Code == 0, string(out.Stdout), err
}

// apply patches the copies, and returns what changes; misfit is what patch said of a patch that does not fit. What was applied
// may fit once more elsewhere in the file, so it is left alone when it stands no farther from its place than where it would fit.
func (p *patching) apply(ctx context.Context) (done []patchChange, misfit string, err error) {
	there, said, err := p.backward(ctx, "-F0")
	if err != nil || there && offset(said) == 0 && !p.onlyModes() {
		return nil, "", err
	}
	near, saidNear, err := p.backward(ctx)
	if err != nil {
		return nil, "", err
	}
	out, err := p.run(ctx, p.forward()...)
	if err != nil {
		return nil, "", err
	}
	again := string(out.Stdout)
	p.fuzzy = strings.Contains(again, " with fuzz ")
	switch {
	case out.Code > 1:
		return nil, "", fmt.Errorf("cannot patch %s: %s", p.name, p.shown(out.Stdout))
	case p.onlyModes():
	case out.Code == 1 && near, there && (p.fuzzy || offset(said) <= offset(again)),
		near && p.fuzzy && offset(saidNear) <= offset(again):
		return nil, "", nil
	case out.Code == 1:
		if all, err := p.wasPartly(ctx); err != nil || !all {
			return nil, p.shown(out.Stdout), err
		}
	}
	done, err = p.changes()
	return done, "", err
}

// wasPartly says whether what did not fit had been applied before, so that all is applied now. It keeps what did not fit.
func (p *patching) wasPartly(ctx context.Context) (bool, error) {
	var err error
	if p.rejects, err = os.ReadFile(p.in("rejects")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	all, _, err := p.backward(ctx)
	return all, err
}

// onlyModes says whether the patch changes nothing but permissions: that is always taken for applied.
func (p *patching) onlyModes() bool {
	return bytes.Contains(p.text, []byte("\nnew mode ")) && !bytes.Contains(p.text, []byte("\n@@ "))
}

// offset is how many lines from their places patch found its hunks.
func offset(said string) (sum int) {
	for part := range strings.SplitSeq(said, "(offset ") {
		word, _, _ := strings.Cut(part, " line")
		if n, err := strconv.Atoi(word); err == nil {
			sum += max(n, -n)
		}
	}
	return sum
}

// shown is what patch said, without the names of the copies' directory.
func (p *patching) shown(said []byte) string {
	text := strings.ReplaceAll(string(said), " -- saving rejects to file "+p.in("rejects"), "")
	text = strings.ReplaceAll(text, p.tree()+"/", "")
	return strings.TrimSpace(strings.ToValidUTF8(text, "\ufffd"))
}
