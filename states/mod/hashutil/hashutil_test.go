package hashutil_test

import (
	"strings"
	"testing"

	"brine/states/host/hosttest"
	"brine/states/mod/hashutil"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

func TestModule(t *testing.T) { moduletest.Run(t, hashutil.Module, moduletest.Options{}) }

func TestFunctions(t *testing.T) {
	h := hosttest.New(t)
	h.Write("/f", strings.Repeat("a", 60))
	h.Write("/old", "what was there before")
	x := module.NewIndex(hashutil.Module)
	const text = "get salted"
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"base64_b64encode", []string{text}, `"Z2V0IHNhbHRlZA=="`},
		{"base64_b64encode", []string{strings.Repeat("a", 60)}, `"` + strings.Repeat("YWFh", 20) + `"`},
		{"base64_b64encode", []string{""}, `""`},
		{"base64_b64decode", []string{"Z2V0IHNhbHRlZA=="}, `"get salted"`},
		{"base64_b64decode", []string{"Z2V0I\nHNh bHRlZA==\n"}, `"get salted"`},
		{"base64_b64decode", []string{"/w=="}, `"` + "\ufffd" + `"`},
		{"base64_b64decode", []string{"Z2V0I"}, "cannot decode base64: illegal base64 data at input byte 4"},
		{"base64_encodestring", []string{text}, `"Z2V0IHNhbHRlZA==\n"`},
		{"base64_encodestring", []string{strings.Repeat("a", 60)}, `"` + strings.Repeat("YWFh", 19) + `\nYWFh\n"`},
		{"base64_encodestring", []string{""}, `""`},
		{"base64_decodestring", []string{"Z2V0IHNhbHRlZA==\n"}, `"get salted"`},
		{"base64_encodefile", []string{"/f"}, `"` + strings.Repeat("YWFh", 19) + `\nYWFh\n"`},
		{"base64_decodefile", []string{"instr=Z2V0IHNhbHRlZA==", "outfile=/new"}, "true"},
		{"base64_decodefile", []string{"instr=Z2V0IHNhbHRlZA==", "outfile=/old"}, "true"},
		{"md5_digest", []string{text}, `"2aacf29e92feaf528fb738bcf9d647ac"`},
		{"digest", []string{text}, `"2aacf29e92feaf528fb738bcf9d647ac"`},
		{"sha256_digest", []string{text}, `"d49859ccbc854fa68d800b5734efc70d72383e6479d545468bc300263164ff33"`},
		{"digest", []string{text, "sha256"}, `"d49859ccbc854fa68d800b5734efc70d72383e6479d545468bc300263164ff33"`},
		{"digest_file", []string{"/new"}, `"2aacf29e92feaf528fb738bcf9d647ac"`},
		{"digest_file", []string{"/old", "sha256"}, `"d49859ccbc854fa68d800b5734efc70d72383e6479d545468bc300263164ff33"`},
		{"digest", []string{text, "sha1"}, `cannot make a checksum with "sha1": known are md5, sha256 and sha512`},
		{"hmac_signature", []string{text, "shared secret", "eBWf9bstXg+NiP5AOwppB5HMvZiYMPzEM9W5YMm/AmQ="}, "true"},
		{"hmac_signature", []string{text, "shared secret", "eBWf9bstXg"}, "false"},
		{"hmac_compute", []string{text, "shared secret"},
			`"78159ff5bb2d5e0f8d88fe403b0a690791ccbd989830fcc433d5b960c9bf0264"`},
		{"github_signature", []string{"{}", "secret", "challenge_hmac=sha1=5d61605c3feea9799210ddcb71307d4ba264225f"}, "true"},
		{"github_signature", []string{"{} ", "secret", "challenge_hmac=sha1=5d61605c3feea9799210ddcb71307d4ba264225f"}, "false"},
		{"github_signature", []string{"{}", "secret", "challenge_hmac=md4=5d6160"},
			"cannot check the signature: it must begin with sha1=, sha256= or sha512="},
	} {
		f, err := x.Func("hashutil." + tt.name)
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Call(t.Context(), h.Host, module.Words(tt.args...))
		json, _ := value.MarshalJSON(r.Value)
		got := string(json)
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s %.60q: got %s, want %s", tt.name, tt.args, got, tt.want)
		}
	}
	if h.Read("/new") != text || h.Read("/old") != text {
		t.Errorf("got %q, %q", h.Read("/new"), h.Read("/old"))
	}
}
