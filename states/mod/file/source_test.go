package file_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"brine/states/host"
	"brine/states/host/hosttest"
	"brine/states/mod/file"
	"brine/states/module"
	"brine/states/value"
	"golang.org/x/sys/unix"
)

// web answers requests with bodies by URL.
type web struct {
	bodies map[string]string
	asked  []string
}

func (w *web) Do(r *http.Request) (*http.Response, error) {
	url := r.URL.String()
	w.asked = append(w.asked, url)
	body, ok := w.bodies[url]
	if !ok {
		return &http.Response{StatusCode: 404, Status: "404 Not Found", Body: http.NoBody}, nil
	}
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(body))}, nil
}

func TestSourcesFromTheWeb(t *testing.T) {
	const sum = "md5=9a4aebdb35cb0b98139a6e2bf7ea938a" // of "from a\n"
	large := strings.Repeat("0123456789abcdef", 100_000)
	h := hosttest.New(t)
	w := &web{bodies: map[string]string{
		"https://x/a": "from a\n", "https://x/a.md5": sum[4:] + "  a\n", "https://x/large": large,
	}}
	h.HTTP = w
	for _, tt := range []struct{ line, want string }{
		{"managed name=/f source=https://x/a",
			"false {} cannot take the source https://x/a: set source_hash, or skip_verify to take whatever comes"},
		{"managed name=/f source=https://x/a source_hash=" + sum, `true {"diff":"New file"} File /f updated`},
		{"managed name=/f source=https://x/a source_hash=" + sum, `true {} File /f is in the correct state`},
		{"managed name=/f source=https://x/a source_hash=https://x/a.md5", `true {} File /f is in the correct state`},
		{"managed name=/f source=https://x/a skip_verify=True", `true {} File /f is in the correct state`},
		{"managed name=/g source=[https://x/none,https://x/a] skip_verify=True", `true {"diff":"New file"} File /g updated`},
		{"managed name=/g source=[https://x/none,https://x/a] source_hash=" + sum, `true {} File /g is in the correct state`},
		{"managed name=/g source=https://x/none?token=x skip_verify=True", "false {} cannot find the source https://x/none?token=x"},
		{"managed name=/n source=https://x/none source_hash=" + sum, "false {} cannot write /n: cannot fetch https://x/none: the server answered 404 Not Found (file does not exist)"},
		{"managed name=/h source=https://x/large source_hash=" + sum, "false {} cannot write /h: cannot take the source https://x/large: " +
			"its md5 is b8cd2a4e36f0b1e9d3b6cbd8fbb0f5d9, source_hash says md5 9a4aebdb35cb0b98139a6e2bf7ea938a"},
		{"managed name=/h source=https://x/large skip_verify=True", `true {"diff":"New file"} File /h updated`},
		{"managed name=/h source=https://x/large skip_verify=True", `true {} File /h is in the correct state`},
		{"managed name=/f source=https://x/large skip_verify=True",
			`true {"diff":"the content differs; it is too large to be shown"} File /f updated`},
	} {
		r := bind(t, tt.line).Run(t.Context(), h.Host, false)
		got := show(r)
		if strings.Contains(tt.want, "https://x/large: its md5") {
			got, tt.want, _ = strings.Cut(got, " is ")
			tt.want = "false {} cannot write /h: cannot take the source https://x/large: its md5"
		}
		if got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.line, got, tt.want)
		}
	}
	if h.Read("/f") != large || h.Read("/g") != "from a\n" {
		t.Error("the content is not what the server sent")
	}
}

func TestAHashKeepsUnchangedFilesFromBeingFetched(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/f", "from a\n")
	w := &web{}
	h.HTTP = w
	r := bind(t, "managed name=/f source=https://x/a source_hash=9a4aebdb35cb0b98139a6e2bf7ea938a").Run(t.Context(), h.Host, false)
	if !*r.Result || len(w.asked) > 0 {
		t.Errorf("asked for %v: %s", w.asked, show(r))
	}
}

// upper is an engine of templates.
type upper struct{ got host.Template }

func (u *upper) Render(_ context.Context, t host.Template) ([]byte, error) {
	u.got = t
	if t.Engine != "upper" {
		return nil, fmt.Errorf("unknown engine %q", t.Engine)
	}
	return []byte(strings.ToUpper(string(t.Text))), nil
}

func TestTemplates(t *testing.T) {
	h := hosttest.New(t)
	h.Files.Serve("salt://a", "from a\n", 0o600)
	h.Files.Serve("salt://d/x", "tree\n", 0o600)
	u := &upper{}
	h.Render = u
	for _, tt := range []struct{ line, file, want string }{
		{"managed name=/f source=salt://a user=root mode=600 template=upper context={a:b} tpldir=web b=0 port=1", "/f", "FROM A\n"},
		{"managed name=/g contents=text template=upper", "/g", "TEXT\n"},
		{"append name=/g source=salt://a template=upper", "/g", "TEXT\nFROM A\n"},
		{"recurse name=/d source=salt://d template=upper port=1", "/d/x", "TREE\n"},
	} {
		line, context, _ := strings.Cut(tt.line, " context={a:b}")
		args := []module.Arg{}
		if context != "" {
			line += context
			args = append(args,
				module.Arg{Name: "context", Value: module.Data(value.NewDict("a", int64(1)))},
				module.Arg{Name: "defaults", Value: module.Data(value.NewDict("a", int64(2), "b", int64(3)))})
		}
		if r := bind(t, line, args...).Run(t.Context(), h.Host, false); !*r.Result || h.Read(tt.file) != tt.want {
			t.Errorf("%s: got %q: %s", tt.line, h.Read(tt.file), show(r))
		}
		if len(args) > 0 {
			vars, _ := value.MarshalJSON(u.got.Context)
			if u.got.Name != "salt://a" || string(vars) != `{"tpldir":"web","name":"/f","source":"salt://a","user":"root","group":null,"mode":"0600","attrs":null,"b":3,"port":1,"a":1}` {
				t.Errorf("the engine got %q and %s", u.got.Name, vars)
			}
		}
	}
	if port, _ := u.got.Context.Get("port"); port != int64(1) {
		t.Errorf("the engine of a tree got the port %v", port)
	}
	r := bind(t, "managed name=/f contents=x template=mako").Run(t.Context(), h.Host, false)
	if show(r) != `false {} unknown engine "mako"` {
		t.Errorf("got %s", show(r))
	}
}

func TestCleanKeepsWhatTheRunManages(t *testing.T) {
	h := hosttest.New(t)
	for _, name := range []string{"/d/managed", "/d/sub/deep", "/d/tree/x", "/d/own/x", "/d/other/x", "/d/gone", "/d/absent"} {
		h.Write(name, "")
	}
	own := bind(t, "directory name=/d/own")
	all := []*module.Bound{
		bind(t, "managed name=/d/managed"), bind(t, "symlink name=/d/sub/deep target=x"),
		bind(t, "recurse name=/d/tree source=salt://x"), own, bind(t, "directory name=/d/other/"),
		bind(t, "absent name=/d/absent"), bind(t, "managed name=/dd/gone"),
	}
	ctx := module.WithAround(t.Context(), module.Around{All: all, Needs: slices.Values([]*module.Bound{own})})
	r := bind(t, "directory name=/d clean=True").Run(ctx, h.Host, false)
	const want = `true {"removed":["/d/absent","/d/gone","/d/other/x"]} Directory /d updated`
	if show(r) != want {
		t.Errorf("got  %s\nwant %s", show(r), want)
	}
}

func TestCleanKeepsWhatIsManagedThroughLinks(t *testing.T) {
	h := hosttest.New(t)
	for _, name := range []string{"/d/led", "/d/sub/aimed", "/d/target"} {
		h.Write(name, "")
	}
	for name, to := range map[string]string{"/way": "d", "/d/link": "/d/sub/aimed", "/out": "/d/target"} {
		if err := os.Symlink(to, h.Path(name)); err != nil {
			t.Fatal(err)
		}
	}
	all := []*module.Bound{bind(t, "managed name=/way/led"), bind(t, "managed name=/d/link"), bind(t, "symlink name=/out target=/d/target")}
	ctx := module.WithAround(t.Context(), module.Around{All: all, Needs: slices.Values([]*module.Bound(nil))})
	r := bind(t, "directory name=/d clean=True").Run(ctx, h.Host, false)
	const want = `true {"removed":["/d/target"]} Directory /d updated`
	if show(r) != want {
		t.Errorf("got  %s\nwant %s", show(r), want)
	}
}

func TestAttributes(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/f", "a\n")
	r := bind(t, "managed name=/f attrs=d").Run(t.Context(), h.Host, false)
	if !*r.Result && strings.Contains(r.Comment, "not supported") || strings.Contains(r.Comment, "inappropriate") {
		t.Skip("the file system knows no attributes")
	}
	for _, tt := range []struct{ line, want string }{
		{"managed name=/f contents=a attrs=d", `true {} File /f is in the correct state`},
		{"managed name=/f contents=b attrs=d", `true {"diff":"--- \n+++ \n@@ -1 +1 @@\n-a\n+b\n"} File /f updated`},
		{"managed name=/f contents=b attrs=d", `true {} File /f is in the correct state`},
		{"managed name=/f contents=b attrs=", `true {"attrs":""} File /f updated`},
	} {
		if r := bind(t, tt.line).Run(t.Context(), h.Host, false); show(r) != tt.want {
			t.Errorf("%s: got %s, want %s", tt.line, show(r), tt.want)
		}
	}
}

func TestAnImmutableFileIsUnlockedAndLocked(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/f", "a\n")
	if r := bind(t, "managed name=/f attrs=i").Run(t.Context(), h.Host, false); !*r.Result {
		t.Skip("cannot make a file immutable here")
	}
	t.Cleanup(func() { bind(t, "managed name=/f attrs=").Run(context.WithoutCancel(t.Context()), h.Host, false) })
	const why = ": operation not permitted: /f has the attribute i (chattr -i takes it away)"
	for line, want := range map[string]string{
		"managed name=/f contents=b": "cannot change /f" + why,
		"managed name=/f mode=0600":  "cannot change /f" + why,
		"append name=/f text=b":      "cannot change /f" + why,
		"absent name=/f":             "cannot change /f" + why,
		"managed name=/f contents=a": "File /f is in the correct state",
	} {
		for _, test := range []bool{true, false} {
			if r := bind(t, line).Run(t.Context(), h.Host, test); r.Comment != want {
				t.Errorf("%s: got %s", line, show(r))
			}
		}
	}
	if err := os.WriteFile(h.Path("/f"), nil, 0o600); !errors.Is(err, unix.EPERM) {
		t.Fatalf("the file can be written: %v", err)
	}
	r := bind(t, "managed name=/f contents=b attrs=i").Run(t.Context(), h.Host, false)
	if !*r.Result || h.Read("/f") != "b\n" {
		t.Errorf("got %q: %s", h.Read("/f"), show(r))
	}
	if err := os.WriteFile(h.Path("/f"), nil, 0o600); !errors.Is(err, unix.EPERM) {
		t.Errorf("the file can be written afterwards: %v", err)
	}
}

func TestSELinuxLabels(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/f", "a\n")
	if unix.Setxattr(h.Path("/f"), "security.selinux", []byte("system_u:object_r:tmp_t:s0\x00"), 0) != nil {
		t.Skip("cannot set labels here")
	}
	label := module.Arg{Name: "selinux", Value: module.Data(value.NewDict("setype", "etc_t", "seuser", "root"))}
	const want = `true {"selinux":{"New":"User: root Role: object_r Type: etc_t Range: s0",` +
		`"Old":"User: system_u Role: object_r Type: tmp_t Range: s0"}} File /f updated`
	if r := bind(t, "managed name=/f contents=a", label).Run(t.Context(), h.Host, false); show(r) != want {
		t.Errorf("got  %s\nwant %s", show(r), want)
	}
	if r := bind(t, "managed name=/f contents=b", label).Run(t.Context(), h.Host, false); r.Changes.Len() != 1 {
		t.Errorf("new content lost the label: %s", show(r))
	}
	var buf [100]byte
	n, err := unix.Getxattr(h.Path("/f"), "security.selinux", buf[:])
	if got := string(buf[:max(n, 0)]); got != "root:object_r:etc_t:s0\x00" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestSourcesWithHashesOfTheirOwn: of a list each may have one, which says nothing of the others.
func TestSourcesWithHashesOfTheirOwn(t *testing.T) {
	h := hosttest.New(t)
	h.Files.Serve("salt://b", "b\n", 0o600)
	const sum, other = "0263829989b6fd954f72baaf2fc64bc2e2f01d692d4de72986ea808f6e99813f", "87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7"
	for _, c := range []struct{ source, want string }{
		{"[{'salt://none': sha256=" + other + "}, {'salt://b': sha256=" + sum + "}]", "true"},
		{"[{'salt://b': sha256=" + other + "}]", "false"},
	} {
		s, err := module.NewIndex(file.Module).State("file.managed")
		if err != nil {
			t.Fatal(err)
		}
		b, err := s.Bind(module.Words("name=/srv-"+c.want, "source="+c.source))
		if err != nil {
			t.Fatal(err)
		}
		r := b.Run(t.Context(), h.Host, false)
		if got := fmt.Sprint(*r.Result); got != c.want || c.want == "false" && !strings.Contains(r.Comment, other) {
			t.Errorf("%s: got %s: %s", c.source, got, r.Comment)
		}
	}
}
