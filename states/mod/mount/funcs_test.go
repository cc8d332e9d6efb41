package mount_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"brine/states/host"
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

// TestPasswordsStayAside: other users read command lines, and masters keep results.
func TestPasswordsStayAside(t *testing.T) {
	k := newKernel(t)
	k.Write("/sbin/mount.ceph", "")
	for _, dir := range []string{"/run", "/u", "/v"} {
		k.Write(dir+"/x", "")
	}
	exec := k.Exec
	var ran []string
	k.Exec = func(ctx context.Context, c host.Command) (host.Output, error) {
		ran = append(ran, read(k, strings.Join(c.Argv, " "))+" with "+strings.Join(c.Env, " "))
		if strings.Contains(ran[0], "//nas/refused") {
			return host.Output{Code: 32, Stderr: []byte("mount error: no hunter2 here")}, nil
		}
		return exec(ctx, c)
	}
	for _, c := range [][3]string{
		{"mounted; name=/srv; device=//nas/a; fstype=cifs; opts=ro,password=hunter2,user=app", `true {"mount":true,"persist":"new"} Target was successfully mounted. Added new entry to the fstab.`,
			"mount -o ro,user=app -t cifs -- //nas/a /srv with LC_ALL=C PASSWD=hunter2"},
		{"mounted; name=/srv; device=//nas/a; fstype=cifs; opts=ro,user=app%hunter2",
			`true {"umount":"Forced remount because options (user=app%(hidden)) changed","persist":"update"} Target was remounted. Updated the entry in the fstab.`,
			"mount -o remount,ro,user=app -t cifs -- //nas/a /srv with LC_ALL=C PASSWD=hunter2"},
		{"mounted; name=/mnt/big; device=//nas/refused; fstype=cifs; opts=password=hunter2", "false {} cannot mount /mnt/big: mount error: no (hidden) here",
			"mount -t cifs -- //nas/refused /mnt/big with LC_ALL=C PASSWD=hunter2"},
		{"fstab_present; name=//nas/b; fs_file=/t; fs_vfstype=cifs; fs_mntops=pass=hunter2", `true {"persist":"new","mount":true} /t entry added in /etc/fstab.` + "\nMounted //nas/b on /t",
			"mount -t cifs -- //nas/b /t with LC_ALL=C PASSWD=hunter2"},
		{"mounted; name=/u; device=//nas/c; fstype=smb3; opts=password2=hunter23,password=hunter2", `true {"mount":true,"persist":"new"} Target was successfully mounted. Added new entry to the fstab.`,
			"mount -t smb3 -- //nas/c /u with LC_ALL=C PASSWD=hunter2 PASSWD2=hunter23"},
		{"mounted; name=/v; device=10.0.0.1:/; fstype=ceph; opts=name=app,secret=hunter2==", `true {"mount":true,"persist":"new"} Target was successfully mounted. Added new entry to the fstab.`,
			"mount -o name=app,secretfile=/run/.mount-X(hunter2==) -t ceph -- 10.0.0.1:/ /v with LC_ALL=C"},
	} {
		ran = nil
		got := told(bind(t, c[0]).Run(t.Context(), k.Host.Host, false))
		if got != c[1] || !slices.Equal(ran, []string{c[2]}) {
			t.Errorf("%s: got %s and ran %q, want %s and %q", c[0], got, ran, c[1], c[2])
		}
	}
	if left, _ := filepath.Glob(k.Host.Path("/run/.mount-*")); len(left) > 0 {
		t.Errorf("left %q", left)
	}
	f, err := module.NewIndex(mount.Module).Func("mount.fstab")
	if err != nil {
		t.Fatal(err)
	}
	for _, private := range []bool{false, true} {
		r, err := f.Call(t.Context(), k.Host.Host, module.Words(fmt.Sprint("private=", private)))
		json, _ := value.MarshalJSON(r.Value)
		if err != nil || strings.Contains(string(json), "hunter2") != private {
			t.Errorf("fstab with private=%v: got %s, %v", private, json, err)
		}
	}
}

// read puts what is in the file of a secret behind its name, which always differs.
func read(k *kernel, line string) string {
	return regexp.MustCompile(`/run/\.mount-\d+`).ReplaceAllStringFunc(line, func(name string) string {
		if info, err := os.Stat(k.Host.Path(name)); err != nil || info.Mode() != 0o600 {
			return "a file that others can read"
		}
		return "/run/.mount-X(" + k.Read(name) + ")"
	})
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
