package main

import (
	"fmt"
	"testing"
)

func TestOnlyUnchangedPartsOfTheProgramAreGivenBack(t *testing.T) {
	const smaps = `00400000-00c1f000 r-xp 00000000 fe:00 42                            /usr/bin/brine-minion
Size:               8316 kB
Anonymous:             0 kB
00c1f000-0149f000 r--p 0081f000 fe:00 42                            /usr/bin/brine-minion
Anonymous:             4 kB
VmFlags: rd mr mw me sd
0149f000-01515000 rw-p 0109f000 fe:00 42                            /usr/bin/brine-minion
Anonymous:           472 kB
01515000-01516000 r--p 0109f000 fe:00 42                            /usr/bin/brine-minion
Anonymous:             0 kB
22e6d1800000-22e6d2000000 rw-p 00000000 00:00 0
Anonymous:          2180 kB
7fd694520000-7fd694800000 r--p 00000000 fe:00 43                    /usr/lib/locale/C.utf8
Anonymous:             0 kB
7fff00000000-7fff00001000 r-xp 00000000 00:00 0                     [vdso]
Anonymous:             0 kB
`
	got := fmt.Sprintf("%x", readOnly([]byte(smaps), "/usr/bin/brine-minion"))
	if want := "[{400000 c1f000} {1515000 1516000}]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTheProgramGoesOnAfterARest(t *testing.T) {
	rest()
	rest()
}
