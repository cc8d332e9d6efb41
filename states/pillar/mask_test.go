package pillar_test

import (
	"strings"
	"testing"

	"brine/states/pillar"
	"brine/states/value"
)

func dict(t *testing.T, text string) *value.Dict {
	t.Helper()
	v, err := value.FromJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v.(*value.Dict)
}

func TestMaskOfTexts(t *testing.T) {
	mask := &pillar.Mask{}
	mask.Add(dict(t, `{
		"db": {"password": "hunter2go", "user": "shop-user", "password_file": "/srv/keys/db-file", "passwords": ["list-item-1"]},
		"ssl": {"private_key": "/etc/ssl/key.pem", "secret": "required", "secret_key": "a\"b\\c\"d", "api_key": 12345678},
		"secrets": {"shop": "below-a-secret", "user": "no-secret-user"}, "token": "short", "auth_token": "longenough",
		"mail": {"pw": "mail-pass"}, "note": "decr", "other": "lin1\nline-two-of-it\n-----END-----\n  line-four-of-it\n", "motd": "welcome all"
	}`), "decr", "lin1\nline-two-of-it\n-----END-----\n  line-four-of-it\n")
	for in, want := range map[string]string{
		"mysql -phunter2go":       "mysql -p********",
		"aHVudGVyMmdv":            "********", // in base64
		"aHVudGVyMmdvCg==":        "********", // with the end of the line
		"mail-pass":               "********",
		`{"k": "a\"b\\c\"d"}`:     `{"k": "********"}`,
		`plain a"b\c"d`:           "plain ********",
		"pin 12345678":            "pin ********",
		"list-item-1, longenough": "********, ********",
		"below-a-secret":          "********",
		"the decr value":          "the ******** value",
		"+    line-four-of-it":    "+    ********",
		"lin1\nline-two-of-it\n-----END-----\n  line-four-of-it": "********",

		"shop-user /srv/keys/db-file /etc/ssl/key.pem": "shop-user /srv/keys/db-file /etc/ssl/key.pem",
		"required short no-secret-user welcome all":    "required short no-secret-user welcome all",
		"-----END----- lin1":                           "-----END----- lin1",
	} {
		if got := mask.Text(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestMaskOfShortSecrets(t *testing.T) {
	mask := &pillar.Mask{}
	mask.Add(dict(t, `{"db": {"password": "root", "api_token": "a!b", "pin_secret": "ab"}, "ssh": {"PasswordAuthentication": "yes"}, "shell": "bash"}`))
	for in, want := range map[string]string{
		"password = root": "password = ********",
		"user: root\n  \"db-password\": \"root\",\n":   "user: root\n  \"db-password\": \"********\",\n",
		"x --password=root; token a!b":                 "x --password=********; token ********",
		"mysql://root:root@db/x":                       "mysql://root:********@db/x",
		"--- \n+++ \n@@ -1 +1 @@\n-pw=root\n+pw=a!b\n": "--- \n+++ \n@@ -1 +1 @@\n-pw=********\n+pw=********\n",

		"the user root of root, a!b":               "the user root of root, a!b",
		"password of root: rooted, password root2": "password of root: rooted, password root2",
		"PasswordAuthentication yes, secret ab":    "PasswordAuthentication yes, secret ab",
		"password\nroot":                           "password\nroot",
	} {
		if got := mask.Text(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
	got, _ := value.MarshalJSON(mask.Value(dict(t, `{"user": "root", "db_password": "root", "root": 1}`)))
	if want := `{"user":"root","db_password":"********","root":1}`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestMaskOfDiffs(t *testing.T) {
	mask := &pillar.Mask{}
	mask.Add(dict(t, `{"password": "newsecret"}`))
	for _, c := range []struct{ name, diff, want string }{
		{"the line that a new one takes the place of",
			"--- \n+++ \n@@ -1,3 +1,3 @@\n user = a\n-password = oldsecret\n-port = 1\n+password = newsecret\n+port = 2\n end\n",
			"--- \n+++ \n@@ -1,3 +1,3 @@\n user = a\n-password = ********\n-port = 1\n+password = ********\n+port = 2\n end\n"},
		{"a line that is a secret and nothing else",
			"--- \n+++ \n@@ -1 +1 @@\n-oldsecret\n\\ No newline at end of file\n+newsecret\n\\ No newline at end of file\n",
			"--- \n+++ \n@@ -1 +1 @@\n-********\n\\ No newline at end of file\n+********\n\\ No newline at end of file\n"},
		{"lines that begin otherwise",
			"--- \n+++ \n@@ -1,2 +1 @@\n-pw oldsecret\n-x\n+password = newsecret\n",
			"--- \n+++ \n@@ -1,2 +1 @@\n-********\n-********\n+password = ********\n"},
		{"lines of other places stay",
			"--- \n+++ \n@@ -1,5 +1,5 @@\n-a\n+b\n password = newsecret\n c\n d\n-e\n+f\n",
			"--- \n+++ \n@@ -1,5 +1,5 @@\n-a\n+b\n password = ********\n c\n d\n-e\n+f\n"},
		{"a line that goes and says what it holds",
			"--- \n+++ \n@@ -1,5 +1,3 @@\n-db_password: 'oldsecret'\n-  \"api_key\" = oldsecret\n-secret = short\n-password_algorithm = sha512\n+password_algorithm = sha1\n a\n",
			"--- \n+++ \n@@ -1,5 +1,3 @@\n-db_password: ********\n-  \"api_key\" = ********\n-secret = short\n-password_algorithm = sha512\n+password_algorithm = sha1\n a\n"},
		{"no secret at all", "--- \n+++ \n@@ -1 +1 @@\n-a\n+b\n", "--- \n+++ \n@@ -1 +1 @@\n-a\n+b\n"},
		{"no diff", "-a\n+newsecret\n", "-a\n+********\n"},
	} {
		if got := mask.Text(c.diff); got != c.want {
			t.Errorf("%s: got\n%swant\n%s", c.name, got, c.want)
		}
	}
}

func TestMaskOfResults(t *testing.T) {
	mask := &pillar.Mask{}
	mask.Add(dict(t, `{"password": "changes", "db_password": "topsecret"}`))
	in := dict(t, `{
		"cmd_|-a_|-echo topsecret_|-run": {"name": "echo topsecret", "result": true, "changes": {"pid": 7, "stdout": ["topsecret", {"topsecret": 1}]}, "__run_num__": 0},
		"cmd_|-a_|-echo changes_|-run": {"name": "x", "comment": "changes made", "changes": {"pw": {"old": "was", "new": "topsecret"}, "n": {"old": 1, "new": 2}}}
	}`)
	got, err := value.MarshalJSON(mask.Results(in))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"cmd_|-a_|-echo ********_|-run":{"name":"echo ********","result":true,"changes":{"pid":7,"stdout":["********",{"********":1}]},"__run_num__":0},` +
		`"cmd_|-a_|-echo ********_|-run (2)":{"name":"x","comment":"******** made","changes":{"pw":{"old":"********","new":"********"},"n":{"old":1,"new":2}}}}`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	empty := &pillar.Mask{}
	if empty.Results(in) != in || empty.Result(in) != in || empty.Text("topsecret") != "topsecret" {
		t.Error("a mask of nothing hides something")
	}
}

func TestMaskIsBounded(t *testing.T) {
	mask := &pillar.Mask{}
	var key strings.Builder
	for range 100_000 {
		key.WriteString("0123456789abcdef\n" + strings.Repeat("x", key.Len()%37) + "\n")
	}
	mask.AddText(key.String())
	if got := mask.Text("a 0123456789abcdef b"); got != "a ******** b" {
		t.Errorf("got %q", got)
	}
}
