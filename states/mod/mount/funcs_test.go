package mount_test

import (
	"strings"
	"testing"

	"brine/states/mod/mount"
	"brine/states/module"
	"brine/states/value"
)

func TestFunctions(t *testing.T) {
	const tmp = "25 20 0:40 / /t\\040x rw,noexec - tmpfs tmpfs rw,size=4k"
	k := newKernel(t, oldLine, tmp)
	k.Write("/usr/bin/sshfs", "")
	for _, c := range []struct{ call, want string }{
		{"active", `{"/":{"device":"/dev/sda1","alt_device":"/dev/sda1","fstype":"ext4","opts":["rw","relatime","errors=remount-ro"]},` +
			`"/old":{"device":"/dev/sda2","alt_device":"/dev/sda2","fstype":"ext4","opts":["rw","nodev","relatime"]},` +
			`"/t x":{"device":"tmpfs","alt_device":"tmpfs","fstype":"tmpfs","opts":["rw","noexec","size=4k"]}}`},
		{"fstab", `{"/":{"device":"/dev/sda1","fstype":"ext4","opts":["errors=remount-ro"],"dump":"0","pass":"1"},` +
			`"/old":{"device":"/dev/sda2","fstype":"ext4","opts":["nodev"],"dump":"0","pass":"0"},` +
			`"/old_":{"device":"/dev/sdc1","fstype":"ext4","opts":["defaults"],"dump":"0","pass":"0"}}`},
		{"fstab /none", "{}"},
		{"is_mounted /old/", "true"},
		{"is_mounted /srv", "false"},
		{"get_mount_from_path /old/x", `"/old"`},
		{"get_device_from_path /srv/x/y", `"/dev/sda1"`},
		{"get_mount_from_path x", `argument "path": want an absolute path, got "x"`},
		{"mount /srv /dev/sdb1 fstype=ext4", "true"},
		{"is_mounted /srv", "true"},
		{"mount /srv/none /dev/sdb1 opts=refused", "cannot mount /srv/none: mount: wrong fs type, bad option"},
		{"mount /srv util=guestfs", `cannot call mount.mount: argument "util": want mount: images of disks are not mounted, got "guestfs"`},
		{"remount /srv /dev/sdb1 opts=noatime", "true"},
		{"remount /mnt/new /dev/sdb1 mkmnt=true", "true"},
		{"umount /mnt/new /dev/sdc1", "cannot unmount /mnt/new: /dev/sdc1 /mnt/new does not have anything mounted"},
		{"umount /mnt/new", "true"},
		{"umount /mnt/new", "cannot unmount /mnt/new: /mnt/new does not have anything mounted"},
		{"swaps", "{}"},
		{"swapon /swapfile", `{"stats":{"type":"file","size":"1020","used":"0","priority":"-2"},"new":true}`},
		{"swapon /swapfile", `{"stats":{"type":"file","size":"1020","used":"0","priority":"-2"},"new":false}`},
		{"swapoff /swapfile", "true"},
		{"swapoff /swapfile", "null"},
		{"set_fstab /srv /dev/sdb1 ext4 test=true", `"new"`},
		{"set_fstab /srv /dev/sdb1 ext4", `"new"`},
		{"set_fstab /srv /dev/sdb1 ext4", `"present"`},
		{"set_fstab /srv /dev/sdb1 xfs not_change=true", `"present"`},
		{"set_fstab /srv /dev/sdb1 xfs", `"change"`},
		{"rm_fstab /srv /dev/sdb1", "true"},
		{"set_fstab /srv /dev/sdb1 ext4 match_on=[x]", `cannot call mount.set_fstab: argument "match_on": want auto, or some of device, name, fstype, opts, dump and pass_num, got "[x]"`},
		{"is_fuse_exec nosuch", "false"},
	} {
		words := strings.Fields(c.call)
		f, err := module.NewIndex(mount.Module).Func("mount." + words[0])
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		r, err := f.Call(t.Context(), k.Host.Host, module.Words(words[1:]...))
		if err != nil {
			got = err.Error()
		} else {
			json, err := value.MarshalJSON(r.Value)
			if err != nil {
				t.Fatal(err)
			}
			got = string(json)
		}
		if got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.call, got, c.want)
		}
	}
}

// TestWatch remounts what is mounted, and nothing that is only in the fstab.
func TestWatch(t *testing.T) {
	k := newKernel(t, oldLine)
	for _, c := range []struct{ state, want string }{
		{"mounted; name=/old; device=/dev/sda2; fstype=ext4; opts=nodev", `true {"remount":true} /old remounted`},
		{"mounted; name=/old; device=/dev/sda2; fstype=ext4; mount=False", `true {} already in the wanted state`},
	} {
		b := bind(t, c.state)
		if got := told(b.RunWatch(t.Context(), k.Host.Host, []string{"file: x"}, false)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.state, got, c.want)
		}
	}
}

func TestMistakes(t *testing.T) {
	s, err := module.NewIndex(mount.Module).State("mount.mounted")
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Bind(module.Words("name=srv", "device=", "fstype=ext4", "device_name_regex=(", "config=x"))
	want := "\n    argument \"config\": want an absolute path, got \"x\"" +
		"\n    argument \"device\": want something in one line, got \"\"" +
		"\n    argument \"device_name_regex\": cannot read the regular expression \"(\": missing closing ): \"(\"" +
		"\n    argument \"name\": want an absolute path, got \"srv\""
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
