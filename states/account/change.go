package account

import (
	"context"
	"fmt"
	"strconv"

	"brine/states/host"
)

// ChangeShadow brings the entry of a user from one form to another. A hash goes to no command line.
func ChangeShadow(ctx context.Context, h *host.Host, name string, from, to Shadow) error {
	t := ToolsOf(h)
	if from.Passwd != to.Passwd {
		if err := setHash(ctx, t, name, to.Passwd); err != nil {
			return fmt.Errorf("cannot set the password of the user %q: %w", name, err)
		}
		now, err := FindShadow(h, name)
		if err != nil {
			return err
		}
		from.LastChange = now.LastChange // the program sets it too
	}
	argv := []string{"chage"}
	for _, f := range []struct {
		option   string
		from, to int64
	}{
		{"-d", from.LastChange, to.LastChange}, {"-m", from.Min, to.Min}, {"-M", from.Max, to.Max},
		{"-W", from.Warn, to.Warn}, {"-I", from.Inactive, to.Inactive}, {"-E", from.Ends, to.Ends},
	} {
		if f.from != f.to {
			argv = append(argv, f.option, strconv.FormatInt(f.to, 10))
		}
	}
	if len(argv) == 1 {
		return nil
	}
	if err := t.Run(ctx, append(argv, name)...); err != nil {
		return fmt.Errorf("cannot set the dates of the password of the user %q: %w", name, err)
	}
	return nil
}

// setHash gives a user a hash, which no list of processes shows.
func setHash(ctx context.Context, t Tools, name, hash string) error {
	if hash == "" {
		return t.Run(ctx, "passwd", "-d", name)
	}
	return t.Feed(ctx, name+":"+hash+"\n", "chpasswd", "-e")
}
