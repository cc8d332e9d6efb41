package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"brine/proto"
	"brine/states/output"
)

// maxCopied is how much content one job carries: it travels in one message of the bus and stays in the job's record.
const maxCopied = 256 << 10

// copyFlags are the switches of cp.
type copyFlags struct {
	jobFlags
	recursive, makedirs bool
	mode, user, group   string
}

func (a *app) copyCommand() *cobra.Command {
	f := &copyFlags{}
	c := f.add(a, &cobra.Command{
		Use: "cp FILE... TARGET:PATH", Short: "Copy files to minions",
		Long: fmt.Sprintf(`Copy files to minions, each in one step and checked by its SHA-256.

PATH is absolute. One file is written there, or into it when it is a directory; several files go into the
directory PATH. With -r everything below one directory goes below PATH. A file that is there keeps its
owner and mode unless they are given; a new one gets the mode that it has here.

All files together may have %d KiB: they are part of the job, which the masters keep. Larger ones belong into
the file tree, from where file.managed takes them.`, maxCopied>>10),
		Example:           "  brine cp motd '*:/etc/motd' --mode 0644\n  brine cp -r site -L web1,web2:/srv/www --makedirs --user www-data",
		ValidArgsFunction: a.copyArguments,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usage("cp wants a file and a target with a path, as in: brine cp motd 'web*:/etc/motd'")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			target, dest, ok := strings.Cut(args[len(args)-1], ":/")
			if !ok || target == "" {
				return usage("cp wants TARGET:/PATH as its last argument, got %q", args[len(args)-1])
			}
			files, err := f.read(args[:len(args)-1])
			if err != nil {
				return &exit{exitUsage, err}
			}
			list, err := f.arguments(files, "/"+dest)
			if err != nil {
				return err
			}
			return a.job(c.Context(), &f.jobFlags, target, []*proto.Call{{Function: "cp.recv", Args: list}})
		},
	})
	c.Flags().BoolVarP(&f.recursive, "recursive", "r", false, "copy what is below a directory")
	c.Flags().BoolVar(&f.makedirs, "makedirs", false, "make the directories that are missing above PATH")
	c.Flags().StringVar(&f.mode, "mode", "", "mode of the files, such as 0644")
	c.Flags().StringVar(&f.user, "user", "", "owner of the files")
	c.Flags().StringVar(&f.group, "group", "", "group of the files")
	return c
}

// copyArguments completes files, and minions once there is one.
func (a *app) copyArguments(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	words, _ := a.minionIDs(c, args, word)
	for i, w := range words {
		id, about, _ := strings.Cut(w, "\t")
		words[i] = id + ":/\t" + about
	}
	return words, cobra.ShellCompDirectiveNoSpace
}

// A copied file is one on its way.
type copied struct {
	Path    string `json:"path"`
	Content string `json:"content"` // base64
	SHA256  string `json:"sha256"`
	Mode    string `json:"mode"`
}

// read reads the files that are meant.
func (f *copyFlags) read(sources []string) ([]copied, error) {
	r := &reader{}
	if !f.recursive {
		for _, source := range sources {
			r.file(source, filepath.Base(source))
		}
		return r.files, r.end()
	}
	if len(sources) != 1 {
		return nil, errors.New("cannot copy: -r wants one directory")
	}
	root := sources[0]
	if st, err := os.Stat(root); err == nil && !st.IsDir() {
		return nil, fmt.Errorf("cannot copy %s with -r: it is no directory", root)
	}
	err := filepath.WalkDir(root+string(filepath.Separator), func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err == nil {
			r.file(name, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot copy %s: %w", root, err)
	}
	return r.files, r.end()
}

// A reader reads files until they are too much, and collects what is wrong.
type reader struct {
	files []copied
	size  int64
	errs  []error
}

func (r *reader) file(name, path string) {
	st, err := os.Stat(name)
	switch {
	case err != nil:
		r.errs = append(r.errs, fmt.Errorf("cannot copy: %w", err))
		return
	case st.IsDir():
		r.errs = append(r.errs, fmt.Errorf("cannot copy %s: it is a directory (-r copies what is below one)", name))
		return
	case !st.Mode().IsRegular():
		r.errs = append(r.errs, fmt.Errorf("cannot copy %s: it is no regular file", name))
		return
	}
	if r.size += st.Size(); r.size > maxCopied {
		return // end tells
	}
	data, err := os.ReadFile(name)
	if err != nil {
		r.errs = append(r.errs, fmt.Errorf("cannot copy: %w", err))
		return
	}
	r.size += int64(len(data)) - st.Size()
	sum := sha256.Sum256(data)
	r.files = append(r.files, copied{path, base64.StdEncoding.EncodeToString(data), hex.EncodeToString(sum[:]),
		fmt.Sprintf("%04o", st.Mode().Perm())})
}

func (r *reader) end() error {
	if r.size > maxCopied {
		r.errs = append(r.errs, fmt.Errorf("cannot copy %s bytes: one job carries at most %s; put larger files into "+
			"the file tree and use file.managed", output.Number(int(r.size)), output.Number(maxCopied)))
	}
	if len(r.files) == 0 && len(r.errs) == 0 {
		r.errs = append(r.errs, errors.New("cannot copy: there is no file"))
	}
	return errors.Join(r.errs...)
}

// arguments are those of cp.recv.
func (f *copyFlags) arguments(files []copied, dest string) ([]*proto.Argument, error) {
	var list []*proto.Argument
	add := func(name string, v any) error {
		data, err := json.Marshal(v)
		list = append(list, &proto.Argument{Name: name, Value: &proto.Argument_Json{Json: data}})
		return err
	}
	err := errors.Join(add("dest", dest), add("files", files))
	for _, o := range []struct {
		name  string
		value any
	}{{"mode", f.mode}, {"user", f.user}, {"group", f.group}, {"tree", f.recursive}, {"makedirs", f.makedirs}} {
		if o.value != "" && o.value != false {
			err = errors.Join(err, add(o.name, o.value))
		}
	}
	return list, err
}
