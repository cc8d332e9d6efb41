package archive

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"brine/states/host"
	"brine/states/mod/file"
	"brine/states/value"
)

type listArgs struct {
	Name     string `arg:"name,required" doc:"the archive: a path, salt://PATH or https://HOST/PATH"`
	Format   string `arg:"archive_format" doc:"tar or zip; what the name says when absent"`
	Options  words  `arg:"options" doc:"options of tar: --strip-components=N and --exclude=PATTERN count"`
	Strip    int    `arg:"strip_components" doc:"leave out so many leading parts of names"`
	Clean    bool   `arg:"clean" doc:"taken for Salt: nothing is kept of the archive but what a hash names"`
	Verbose  bool   `arg:"verbose" doc:"return apart what are directories, files and links, and what is at the top"`
	Saltenv  string `arg:"saltenv" doc:"environment to fetch it from; the job's when absent"`
	Hash     string `arg:"source_hash" doc:"hash of the archive, wanted where it comes by https"`
	UseEtag  bool   `arg:"use_etag" doc:"taken for Salt"`
	Insecure bool   `arg:"skip_verify" doc:"take what comes by https without source_hash"`
}

func list(ctx context.Context, h *host.Host, a listArgs) (any, error) {
	x := &extraction{h: h, store: &store{h: h}, todo: map[string]status{}}
	x.Options, x.Format, x.Perms = a.Options, a.Format, true
	x.Origin = file.Of(a.Name)
	x.Saltenv, x.SourceHash, x.SkipVerify = a.Saltenv, a.Hash, a.Insecure
	if err := x.read(ctx, a.Strip); err != nil {
		return nil, fmt.Errorf("cannot list %s: %w", a.Name, err)
	}
	all, dirs, files, links := []string{}, []string{}, []string{}, []string{}
	for _, e := range x.entries {
		name := e.name
		switch {
		case e.mode.IsDir():
			name += "/"
			dirs = append(dirs, name)
		case e.isLink():
			links = append(links, name)
		default:
			files = append(files, name)
		}
		all = append(all, name)
	}
	if !a.Verbose {
		return all, nil
	}
	return value.NewDict("dirs", texts(dirs, false), "files", texts(files, false), "links", texts(links, false),
		"top_level_dirs", texts(dirs, true), "top_level_files", texts(files, true), "top_level_links", texts(links, true)), nil
}

// read lists the archive of the arguments.
func (x *extraction) read(ctx context.Context, strip int) error {
	var err error
	if x.content, err = x.Find(ctx, x.h, ""); err != nil {
		return err
	}
	a, err := x.open(ctx)
	if err != nil {
		return err
	}
	defer a.Close()
	a.strip = max(a.strip, strip)
	return x.list(ctx, a)
}

func texts(names []string, top bool) *value.List {
	l := &value.List{}
	for _, n := range names {
		if !top || !strings.Contains(strings.TrimSuffix(n, "/"), "/") {
			l.Items = append(l.Items, n)
		}
	}
	return l
}

type unzipArgs struct {
	Zip      string `arg:"zip_file,required" doc:"the archive"`
	Dest     string `arg:"dest,required" doc:"directory to extract to"`
	Excludes words  `arg:"excludes" doc:"patterns of names to leave out"`
	Options  words  `arg:"options" doc:"taken for Salt: files that are there are written over"`
	Template string `arg:"template" doc:"refused: give names as they are"`
	Runas    string `arg:"runas" doc:"user who owns what was extracted"`
	Trim     *trim  `arg:"trim_output" doc:"return only so many names, 100 for true"`
	Password string `arg:"password" doc:"refused: encrypted archives are not read"`
	Perms    bool   `arg:"extract_perms" default:"true" doc:"give files the permissions that the archive has"`
}

// unzip extracts over what is there, and returns the names.
func unzip(ctx context.Context, h *host.Host, a unzipArgs) ([]string, error) {
	if a.Template != "" {
		return nil, errors.New(`cannot use "template": give names as they are`)
	}
	args := extractedArgs{Name: a.Dest, Origin: file.Of(a.Zip), Password: a.Password, Format: "zip",
		Overwrite: true, Force: true, Perms: a.Perms, User: a.Runas}
	args.KeepSource = true
	if err := args.CheckArgs(); err != nil {
		return nil, err
	}
	for _, e := range a.Excludes {
		args.Options = append(args.Options, "--exclude="+e)
	}
	plan, err := planExtracted(ctx, h, args)
	if err != nil {
		return nil, err
	}
	for _, step := range plan.Steps {
		if _, err := step.Do(ctx); err != nil {
			return nil, err
		}
	}
	x := &extraction{extractedArgs: args, h: h, store: &store{h: h}}
	if err := x.read(ctx, 0); err != nil {
		return nil, err
	}
	names := []string{}
	for _, e := range x.entries {
		if a.Trim == nil || *a.Trim < 0 || len(names) < int(*a.Trim) {
			names = append(names, e.name)
		}
	}
	return names, nil
}

type zipArgs struct {
	Zip      string `arg:"zip_file,required" doc:"the archive to make"`
	Sources  paths  `arg:"sources,required" doc:"files and directories to put into it"`
	Template string `arg:"template" doc:"refused: give names as they are"`
	Cwd      string `arg:"cwd" doc:"directory that names are relative to; / when absent"`
}

// zipped makes a zip, and returns the names in it.
func zipped(ctx context.Context, h *host.Host, a zipArgs) (names []string, err error) {
	if a.Template != "" {
		return nil, errors.New(`cannot use "template": give names as they are`)
	}
	if !path.IsAbs(a.Zip) {
		return nil, fmt.Errorf("cannot make %q: want an absolute path", a.Zip)
	}
	err = file.Write(h, a.Zip, file.As{}, func(to io.Writer) error {
		z := zip.NewWriter(to)
		for _, source := range a.Sources {
			if err := addTree(ctx, z, h, a.Cwd, source, &names); err != nil {
				return err
			}
		}
		return z.Close()
	})
	if err != nil {
		return nil, fmt.Errorf("cannot make %s: %w", a.Zip, err)
	}
	return names, nil
}

func addTree(ctx context.Context, z *zip.Writer, h *host.Host, cwd, source string, names *[]string) error {
	base := h.Path(cwd)
	return filepath.WalkDir(h.Path(source), func(name string, d fs.DirEntry, err error) error {
		if err = errors.Join(err, context.Cause(ctx)); err != nil {
			return err
		}
		rel, err := filepath.Rel(base, name)
		if err != nil || strings.HasPrefix(rel, "..") {
			return fmt.Errorf("%s is not below %s", source, base)
		}
		st, err := d.Info()
		if err != nil || !st.Mode().IsDir() && !st.Mode().IsRegular() || rel == "." {
			return err // links and special files are left out
		}
		header, err := zip.FileInfoHeader(st)
		if err != nil {
			return err
		}
		header.Name, header.Method = filepath.ToSlash(rel), zip.Deflate
		if st.IsDir() {
			header.Name += "/"
		}
		*names = append(*names, header.Name)
		return addFile(z, header, name, st.IsDir())
	})
}

func addFile(z *zip.Writer, header *zip.FileHeader, name string, isDir bool) error {
	to, err := z.CreateHeader(header)
	if err != nil || isDir {
		return err
	}
	from, err := os.Open(name)
	if err != nil {
		return err
	}
	defer from.Close()
	_, err = io.Copy(to, from)
	return err
}

type encryptedArgs struct {
	Name    string `arg:"name,required" doc:"a zip: a path or salt://PATH"`
	Clean   bool   `arg:"clean" doc:"taken for Salt"`
	Saltenv string `arg:"saltenv" doc:"environment to fetch it from; the job's when absent"`
}

func isEncrypted(ctx context.Context, h *host.Host, a encryptedArgs) (bool, error) {
	origin := file.Of(a.Name)
	origin.Saltenv = a.Saltenv
	c, err := origin.Find(ctx, h, "")
	if err != nil {
		return false, err
	}
	b, err := (&store{h: h}).open(ctx, c)
	if err != nil {
		return false, err
	}
	defer b.Close()
	z, err := zip.NewReader(b, b.Size())
	if err != nil {
		return false, fmt.Errorf("cannot read %s: %w", a.Name, err)
	}
	for _, f := range z.File {
		if f.Flags&1 != 0 {
			return true, nil
		}
	}
	return false, nil
}

// running says how a program is run.
type running struct {
	Template string `arg:"template" doc:"refused: give names as they are"`
	Runas    string `arg:"runas" doc:"user to run it as"`
}

// run runs a program, and returns the lines that it writes.
func (r running) run(ctx context.Context, h *host.Host, dir string, argv []string) ([]string, error) {
	if r.Template != "" {
		return nil, errors.New(`cannot use "template": give names as they are`)
	}
	c := host.Command{Argv: argv, Dir: dir, Env: []string{"LC_ALL=C"}}
	if r.Runas != "" {
		u, err := h.User(ctx, r.Runas)
		if err != nil {
			return nil, err
		}
		c.User = u
	}
	out, err := h.Exec(ctx, c)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot run %s: it is not installed on this host", argv[0])
	}
	if err == nil {
		err = out.Failed(argv)
	}
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSpace(string(out.Stdout)), "\n")
	if lines[0] == "" {
		lines = []string{}
	}
	return lines, nil
}

type tarArgs struct {
	Options words  `arg:"options,required" doc:"options of tar, such as xzf or cvzf"`
	Tarfile string `arg:"tarfile,required" doc:"the archive"`
	Sources words  `arg:"sources" doc:"files and directories to put into it"`
	Dest    string `arg:"dest" doc:"directory to extract to"`
	Cwd     string `arg:"cwd" doc:"directory to run tar in"`
	running
}

func tarRun(ctx context.Context, h *host.Host, a tarArgs) ([]string, error) {
	if len(a.Options) == 0 {
		return nil, errors.New("cannot run tar without options")
	}
	argv := []string{"tar"}
	if first := a.Options[0]; !strings.HasPrefix(first, "-") {
		a.Options[0] = "-" + first
	}
	file := a.Tarfile
	if path.IsAbs(file) {
		file = h.Path(file)
	}
	argv = append(append(argv, a.Options...), file)
	if a.Dest != "" {
		argv = append(argv, "-C", h.Path(a.Dest))
	}
	return a.run(ctx, h, a.Cwd, append(argv, a.Sources...))
}

type gzipArgs struct {
	Source string `arg:"sourcefile,required" doc:"the file to compress"`
	running
	Options words `arg:"options" doc:"options of gzip"`
}

func gzipRun(ctx context.Context, h *host.Host, a gzipArgs) ([]string, error) {
	return a.run(ctx, h, "", append(append([]string{"gzip"}, a.Options...), "--", h.Path(a.Source)))
}

type gunzipArgs struct {
	Source string `arg:"gzipfile,required" doc:"the file to decompress"`
	running
	Options words `arg:"options" doc:"options of gunzip"`
}

func gunzipRun(ctx context.Context, h *host.Host, a gunzipArgs) ([]string, error) {
	return a.run(ctx, h, "", append(append([]string{"gunzip"}, a.Options...), "--", h.Path(a.Source)))
}
