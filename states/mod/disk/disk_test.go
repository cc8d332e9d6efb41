package disk_test

import (
	"fmt"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/disk"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

func TestModule(t *testing.T) { moduletest.Run(t, disk.Module, moduletest.Options{}) }

const blocks = `Filesystem                 1024-blocks     Used Available Capacity Mounted on
/dev/sda1                     20511312 9000000  10444000      47% /
//server/my share              1000000  500000    500000      50% /mnt/my share
tmpfs                                0       0         0        - /run/empty
`

const inodes = `Filesystem      Inodes  IUsed   IFree IUse% Mounted on
/dev/sda1      1310720 200000 1110720   16% /
`

const devices = `/dev/sda1: LABEL="my disk" UUID="3baebeed-65d0" TYPE="ext4" PARTUUID="ab-01"
/dev/sr0: TYPE="iso9660"
`

func TestFunctions(t *testing.T) {
	h := hosttest.New(t)
	h.Answer("df -Pk", host.Output{Stdout: []byte(blocks), Stderr: []byte("df: /x: Permission denied"), Code: 1})
	h.Answer("df -Pkl", host.Output{Stdout: []byte("Filesystem 1024-blocks Used Available Capacity Mounted on\n")})
	h.Answer("df -Pi", host.Output{Stdout: []byte(inodes)})
	h.Answer("df -Pia", host.Output{Stderr: []byte("df: broken"), Code: 1})
	h.Answer("blkid", host.Output{Stdout: []byte(devices)})
	h.Answer("blkid -t TYPE=xfs", host.Output{Code: 2})
	h.Answer("blkid /dev/sda1", host.Output{Stdout: []byte(devices[:80])})
	h.Answer("lsblk -dno fstype /dev/sda1", host.Output{Stdout: []byte("ext4\n")})
	h.Answer("lsblk -dno fstype /srv", host.Output{Code: 32})
	h.Answer("df --output=fstype /srv", host.Output{Stdout: []byte("Type\nxfs\n")})
	h.Answer("lsblk -dno fstype /none", host.Output{Code: 32})
	h.Answer("df --output=fstype /none", host.Output{Code: 1})
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"usage", nil, `{"/":{"filesystem":"/dev/sda1","1K-blocks":"20511312","used":"9000000","available":"10444000","capacity":"47%"},` +
			`"/mnt/my share":{"filesystem":"//server/my share","1K-blocks":"1000000","used":"500000","available":"500000","capacity":"50%"},` +
			`"/run/empty":{"filesystem":"tmpfs","1K-blocks":"0","used":"0","available":"0","capacity":"-"}}`},
		{"usage", []string{"-lk"}, "{}"},
		{"usage", []string{"h"}, `cannot call disk.usage: argument "args": want options of df, of the letters a, k, l, P, i and v, got "h"`},
		{"inodeusage", nil, `{"/":{"inodes":"1310720","used":"200000","free":"1110720","use":"16%","filesystem":"/dev/sda1"}}`},
		{"inodeusage", []string{"a"}, `command "df -Pia" ended with 1: df: broken`},
		{"percent", nil, `{"/":"47%","/mnt/my share":"50%","/run/empty":"-"}`},
		{"percent", []string{"/"}, `"47%"`},
		{"percent", []string{"/mnt/my shar"}, `cannot tell how full "/mnt/my shar" is: nothing is mounted there (did you mean "/mnt/my share"?)`},
		{"blkid", nil, `{"/dev/sda1":{"LABEL":"my disk","UUID":"3baebeed-65d0","TYPE":"ext4","PARTUUID":"ab-01"},"/dev/sr0":{"TYPE":"iso9660"}}`},
		{"blkid", []string{"token=TYPE=xfs"}, "{}"},
		{"blkid", []string{"/dev/sda1"}, `{"/dev/sda1":{"LABEL":"my disk","UUID":"3baebeed-65d0","TYPE":"ext4","PARTUUID":"ab-01"}}`},
		{"blkid", []string{"-x"}, `cannot ask for "-x": it is no device`},
		{"blkid", []string{"token=TYPE"}, `cannot look for devices with "TYPE": want NAME=VALUE`},
		{"fstype", []string{"/dev/sda1"}, `"ext4"`},
		{"fstype", []string{"/srv"}, `"xfs"`},
		{"fstype", []string{"/none"}, `""`},
		{"fstype", []string{"sda1"}, `cannot tell the file system of "sda1": want an absolute path`},
	} {
		f, err := module.NewIndex(disk.Module).Func("disk." + tt.name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Call(t.Context(), h.Host, module.Words(tt.args...))
		json, _ := value.MarshalJSON(r.Value)
		got := string(json)
		if err != nil {
			got = fmt.Sprint(err)
		}
		if got != tt.want {
			t.Errorf("%s %q: got %s, want %s", tt.name, tt.args, got, tt.want)
		}
	}
}
