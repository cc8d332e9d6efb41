package mount

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"brine/states/host"
	"brine/states/module"
	"golang.org/x/sys/unix"
)

// A device is what is to be mounted, and all that it may be called in the kernel's table.
type device struct {
	given string
	names []string
}

// tag reads KEY=VALUE such as UUID=1234, with or without quotes.
func tag(given string) (key, val string, ok bool) {
	key, val, ok = strings.Cut(given, "=")
	key = strings.ToUpper(key)
	return key, strings.Trim(val, `"'`), ok && slices.Contains([]string{"UUID", "LABEL", "PARTUUID", "PARTLABEL", "ID"}, key)
}

// find finds what a device is called. What a tag stands for that no device has is a module.Unknown.
func find(ctx context.Context, h *host.Host, given string) (device, error) {
	d := device{given: given, names: []string{given}}
	if key, val, ok := tag(given); ok {
		names, err := tagged(ctx, h, key, val)
		if err == nil && len(names) == 0 {
			err = module.Unknown("cannot find a device with %s %q", strings.ToLower(key), val)
		}
		d.names = names
		return d, err
	}
	switch what, rest, isFuse := strings.Cut(given, "#"); {
	case strings.HasPrefix(given, "//"): // a share
	case strings.HasPrefix(given, "/"):
		d.add(real(h, path.Clean(given)))
	case isFuse && strings.Trim(what, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == "":
		d.names = []string{rest}
	}
	return d, nil
}

func (d *device) add(name string) {
	if !slices.Contains(d.names, name) {
		d.names = append(d.names, name)
	}
}

// tagged are the devices that have a tag: where udev linked it, or what blkid finds.
func tagged(ctx context.Context, h *host.Host, key, val string) ([]string, error) {
	for _, v := range []string{val, strings.ToLower(val), strings.ToUpper(val)} {
		link := "/dev/disk/by-" + strings.ToLower(key) + "/" + udevName(v)
		if to := real(h, link); to != link && (v == val || key == "UUID" || key == "PARTUUID") {
			return []string{to, link}, nil
		}
	}
	out, err := h.Run(ctx, "blkid", "-o", "device", "-t", key+"="+val)
	var exit *host.ExitError
	switch {
	case errors.As(err, &exit) && exit.Code == 2: // none has it
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("cannot find the device with %s %q: %w", strings.ToLower(key), val, err)
	}
	return strings.Fields(out), nil
}

// udevName writes a tag as udev names its link.
func udevName(val string) string {
	var b strings.Builder
	for _, c := range []byte(val) {
		if c >= 0x80 || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || strings.IndexByte("#+-.:=@_", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	return b.String()
}

// is says whether a mount is of the device: by one of its names, or by its number.
func (d device) is(h *host.Host, m *mounted) bool {
	have := []string{m.device}
	if strings.HasPrefix(m.device, "/dev/") {
		have = append(have, real(h, m.device), m.backing(h))
	}
	for _, name := range d.names {
		for _, other := range have {
			if name == other || strings.Contains(name, ":") && strings.TrimRight(name, "/") == strings.TrimRight(other, "/") {
				return true
			}
		}
		if number(h, name) == m.major+":"+m.minor {
			return true
		}
	}
	return false
}

// number is that of a block device, such as 8:1.
func number(h *host.Host, name string) string {
	if !strings.HasPrefix(name, "/dev/") {
		return ""
	}
	var st unix.Stat_t
	if err := unix.Stat(h.Path(name), &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return ""
	}
	return strconv.Itoa(int(unix.Major(uint64(st.Rdev)))) + ":" + strconv.Itoa(int(unix.Minor(uint64(st.Rdev))))
}

// backing is the file behind a mount of a loop device; "" when it is none.
func (m *mounted) backing(h *host.Host) string {
	if m.major != "7" {
		return ""
	}
	data, err := os.ReadFile(h.Path("/sys/dev/block/" + m.major + ":" + m.minor + "/loop/backing_file"))
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(data), "\n")
}

// bound says whether a mount shows a directory of the host, dir.
func bound(h *host.Host, all []mounted, m *mounted, dir string) (same bool, from *mounted) {
	dir = real(h, path.Clean(dir))
	var others []mounted // the mount itself may lie in what it shows
	for _, o := range all {
		if o.id != m.id {
			others = append(others, o)
		}
	}
	if from = above(others, dir); from == nil {
		return false, nil
	}
	inside := strings.TrimPrefix(dir, strings.TrimSuffix(from.point, "/"))
	return path.Join(from.root, inside) == path.Clean(m.root) && from.major == m.major && from.minor == m.minor, from
}
