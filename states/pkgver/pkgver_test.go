package pkgver_test

import (
	"testing"

	"brine/states/pkgver"
)

// TestOrder goes through versions from the oldest to the newest; those with an equals sign are as new as the one before.
func TestOrder(t *testing.T) {
	for _, test := range []struct {
		name    string
		compare pkgver.Compare
		order   []string
	}{
		{"deb", pkgver.Deb, []string{"0~~", "0~", "0", "=0-0", "1.0~rc1", "1.0", "=1.00", "1.0-1", "1.0-1+b1", "1.0-1.1", "1.0-2", "1.0a", "1.0+dfsg", "1.0.1", "1.2", "1.10", "2", "1:0.1", "2:0"}},
		{"rpm", pkgver.RPM, []string{"1.0~beta", "1.0~rc1", "1.0", "1.0^git1", "1.0a", "1.0.1", "1.9", "1.10", "2a", "2.0", "10-1", "10-2.el9", "10-10.el9", "1:0.1"}},
		{"pacman", pkgver.Pacman, []string{"1.0alpha", "1.0b", "1.0rc1", "1.0", "=1_0", "1.0.1", "1.0.2-1", "1.0.2-2", "1.2", "1.10", "1:0.5"}},
		{"apk", pkgver.APK, []string{"1.0_alpha", "1.0_alpha2", "1.0_beta", "1.0_rc1", "1.0", "1.0-r1", "1.0-r2", "1.0-r10", "1.0_p1", "1.0a", "1.0b", "1.0.1", "1.1", "1.2", "1.10", "2"}},
	} {
		for i := range test.order {
			want := 0
			for j := i; j < len(test.order); j++ {
				a, b := test.order[i], test.order[j]
				if j > i && b[0] != '=' {
					want = -1
				}
				a, b = trim(a), trim(b)
				if got := test.compare(a, b); got != want {
					t.Errorf("%s: %q and %q: got %d, want %d", test.name, a, b, got, want)
				}
				if got := test.compare(b, a); got != -want {
					t.Errorf("%s: %q and %q: got %d, want %d", test.name, b, a, got, -want)
				}
			}
		}
	}
}

func trim(v string) string {
	if v[0] == '=' {
		return v[1:]
	}
	return v
}

func TestRPMWithoutRelease(t *testing.T) {
	if got := pkgver.RPM("1.2", "1.2-4.el9"); got != 0 {
		t.Errorf("got %d, want 0", got)
	}
}

func FuzzCompare(f *testing.F) {
	f.Add("1:1.0~rc1-2", "1.0_p3-r1")
	f.Fuzz(func(t *testing.T, a, b string) {
		for i, compare := range []pkgver.Compare{pkgver.Deb, pkgver.RPM, pkgver.Pacman, pkgver.APK} {
			if x, y := compare(a, b), compare(b, a); x != -y {
				t.Errorf("%d: %q and %q: %d one way, %d the other", i, a, b, x, y)
			}
		}
	})
}
