package mount_test

import (
	"strings"
	"testing"

	"brine/states/mod/mount"
	"brine/states/module"
)

// FuzzFstab has an entry in tables of any kind: once it is there, nothing changes again, and no other line ever does.
func FuzzFstab(f *testing.F) {
	for _, text := range []string{"", "# x\n", "/dev/sda1 / ext4 defaults 0 1\n", "a\\040b /srv ext4\n\n\tx", "/dev/sdb1 /srv/ ext4 defaults 0 0 # more\n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		k := newKernel(t)
		k.Write("/etc/fstab", text)
		b := bind(t, "mounted; name=/srv; device=/dev/sdb1; fstype=ext4; mount=False")
		first := b.Run(t.Context(), k.Host.Host, false)
		if again := b.Run(t.Context(), k.Host.Host, false); again.Changes.Len() > 0 || !*again.Result {
			t.Errorf("after %s the second run did %s", told(first), told(again))
		}
		now := k.Read("/etc/fstab")
		for line := range strings.Lines(text) {
			if line = strings.TrimSuffix(line, "\n"); !strings.Contains(line, "/dev/sdb1") && !strings.Contains(line, "srv") &&
				!strings.Contains(line, `\`) && !strings.Contains("\n"+now, "\n"+line+"\n") {
				t.Errorf("the line %q is lost in %q", line, now)
			}
		}
	})
}

// FuzzActive reads tables of mounts of any kind.
func FuzzActive(f *testing.F) {
	f.Add(rootLine)
	f.Add("1 2 3 4 5 6 - 7")
	f.Add(oldLine + "\n\\134\\040 - -")
	f.Fuzz(func(t *testing.T, text string) {
		k := newKernel(t, text)
		fn, err := module.NewIndex(mount.Module).Func("mount.active")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fn.Call(t.Context(), k.Host.Host, module.Words("extended=true")); err != nil {
			t.Error(err)
		}
		bind(t, "unmounted; name=/t").Run(t.Context(), k.Host.Host, true)
	})
}
