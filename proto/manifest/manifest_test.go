package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strings"
	"testing"

	protobuf "google.golang.org/protobuf/proto"

	"brine/proto"
)

func file(path, content string) *proto.File {
	sum := sha256.Sum256([]byte(content))
	return &proto.File{Path: path, Mode: 0o644, Sha256: sum[:], Size: int64(len(content))}
}

func TestOrderDoesNotMatter(t *testing.T) {
	a, b := file("a/b.sls", "1"), file("a.sls", "2")
	data, tree, err := Encode([]*proto.File{a, b})
	if err != nil {
		t.Fatal(err)
	}
	if _, other, _ := Encode([]*proto.File{b, a}); other != tree {
		t.Errorf("got trees %s and %s for the same files", tree, other)
	}
	m, err := Parse(tree, data)
	if err != nil {
		t.Fatal(err)
	}
	if got := Find(m, "a/b.sls"); !protobuf.Equal(got, a) {
		t.Errorf("got %v, want %v", got, a)
	}
	if got := Find(m, "a/c.sls"); got != nil {
		t.Errorf("got %v, want nothing", got)
	}
}

// TestGolden keeps the bytes, and so the tree ids, of yesterday's masters.
func TestGolden(t *testing.T) {
	data, tree, err := Encode([]*proto.File{file("top.sls", "base: {}\n")})
	if err != nil {
		t.Fatal(err)
	}
	const want = "0a300a07746f702e736c7310a4031a20" +
		"c79ab27fe6f2b4f1697d48affb118ad52a480137cd1afa91471eb386103d3701" + "2009"
	if got := hex.EncodeToString(data); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if tree != ID(data) {
		t.Errorf("got tree %s, want %s", tree, ID(data))
	}
}

func TestRefused(t *testing.T) {
	short := file("a", "")
	short.Sha256 = short.Sha256[:31]
	negative := file("a", "")
	negative.Size = -1
	odd := file("a", "")
	odd.Mode = 0o10000
	for name, files := range map[string][]*proto.File{
		"absolute":   {file("/etc/passwd", "")},
		"parent":     {file("a/../../b", "")},
		"dots":       {file("..", "")},
		"dot":        {file(".", "")},
		"empty":      {file("", "")},
		"doubled /":  {file("a//b", "")},
		"trailing /": {file("a/", "")},
		"NUL":        {file("a\x00b", "")},
		"not UTF-8":  {file("a\xff", "")},
		"long":       {file(strings.Repeat("a/", 3000)+"a", "")},
		"twice":      {file("a", "1"), file("a", "2")},
		"short hash": {short},
		"size":       {negative},
		"mode":       {odd},
	} {
		if _, _, err := Encode(files); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

func TestDirectoriesWithoutFilesAndLinksAreNamed(t *testing.T) {
	links := []*proto.Link{{Path: "b", Target: "/etc"}, {Path: "a", Target: "c"}}
	data, tree, err := EncodeAll([]*proto.File{file("c", "")}, []string{"e/f", "d"}, links)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Parse(tree, data)
	if err != nil || strings.Join(m.Empty, " ") != "d e/f" || len(m.Links) != 2 || m.Links[0].Target != "c" {
		t.Errorf("got %v, %v", m, err)
	}
	for _, empty := range []string{"../a", "/a", ".", ""} {
		if _, _, err := EncodeAll(nil, []string{empty}, nil); err == nil {
			t.Errorf("directory %q: got no error", empty)
		}
	}
	for _, link := range []*proto.Link{{Path: "../a", Target: "b"}, {Path: "a"}, {Path: "a", Target: "b\x00"}} {
		if _, _, err := EncodeAll(nil, nil, []*proto.Link{link}); err == nil {
			t.Errorf("link %v: got no error", link)
		}
	}
}

func TestParseRefusesDisorderAndForeignBytes(t *testing.T) {
	data, err := protobuf.Marshal(&proto.Manifest{Files: []*proto.File{file("b", ""), file("a", "")}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(ID(data), data); err == nil || !strings.Contains(err.Error(), `"a": it follows "b"`) {
		t.Errorf("disorder: got %v", err)
	}
	if _, err := Parse(strings.Repeat("0", 64), data); err == nil {
		t.Error("bytes of another tree: got no error")
	}
}

func TestCheckHash(t *testing.T) {
	good := strings.Repeat("0af9", 16)
	if err := CheckHash(good); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", good[1:], good + "0", strings.ToUpper(good), "../" + good[3:]} {
		if CheckHash(bad) == nil {
			t.Errorf("%q: got no error", bad)
		}
	}
}

func FuzzParse(f *testing.F) {
	data, _, err := Encode([]*proto.File{file("a/b", "x"), file("c", "y")})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte{0x0a, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Parse(ID(data), data)
		if err != nil {
			return
		}
		again, tree, err := EncodeAll(m.Files, m.Empty, m.Links)
		if err != nil {
			t.Fatalf("what was parsed is refused: %v", err)
		}
		if back, err := Parse(tree, again); err != nil || len(back.Files) != len(m.Files) {
			t.Errorf("got %v, %v, want %d files", back, err, len(m.Files))
		}
		for _, file := range m.Files {
			if !filepath.IsLocal(file.Path) {
				t.Errorf("path %q leads out of its directory", file.Path)
			}
		}
	})
}
