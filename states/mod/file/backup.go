package file

import (
	"context"
	"io"
	"path"
	"time"

	"brine/states/module"
)

const (
	// backupRoot is where old files are kept, each below its own path.
	backupRoot = "/var/cache/brine/minion/file_backup"
	// backupStamp ends the name of a kept file: when it was kept, as Salt writes it.
	backupStamp = "Mon_Jan_02_15:04:05.000000_2006"
)

// stampOf writes a time as backups have it in their names.
func stampOf(t time.Time) string {
	b := []byte(t.Format(backupStamp))
	for i, c := range b {
		if c == '.' {
			b[i] = '_'
		}
	}
	return string(b)
}

// A backup says whether the old file is kept; Salt's word for it is minion.
type backup bool

func (b *backup) ArgType() string { return "minion or boolean" }

func (b *backup) ParseArg(v module.Value) error {
	if v.Data == "minion" || v.Data == "" {
		*b = v.Data == "minion"
		return nil
	}
	keep, err := v.Bool()
	if err != nil {
		return v.Want("minion, true or false")
	}
	*b = backup(keep)
	return nil
}

// keepOld copies the file at the spot to where only root looks, with its owner and mode.
func (s *spot) keepOld(ctx context.Context, old *info) error {
	name := path.Join(backupRoot, path.Clean("/"+s.given)) + "_" + stampOf(time.Now())
	return s.copyTo(ctx, name, old, rights{uid: -1, gid: -1, mode: modeOf(0o700)})
}

// copyTo copies the file at the spot to another name of the host, with owner and mode. Directories that are missing
// on the way there get the rights given.
func (s *spot) copyTo(ctx context.Context, name string, old *info, dirs rights) error {
	to, err := find(s.host, name, false)
	if err != nil {
		return err
	}
	defer to.leave()
	if err := to.makeDirs(dirs); err != nil {
		return err
	}
	from, err := s.openRead()
	if err != nil {
		return err
	}
	defer from.Close()
	r := like(old)
	to.final = true // before the original goes
	return to.put(nil, r, copier(ctx, from))
}

// copier writes what is left of a file.
func copier(ctx context.Context, from io.Reader) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.Copy(w, until(ctx, from))
		return err
	}
}
