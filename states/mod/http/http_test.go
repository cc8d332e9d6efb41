package http_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"brine/states/host/hosttest"
	mod "brine/states/mod/http"
	"brine/states/module"
	"brine/states/module/moduletest"
	"brine/states/value"
)

func TestModule(t *testing.T) { moduletest.Run(t, mod.Module, moduletest.Options{}) }

// server shows what it was asked, and answers by the path.
func server(t *testing.T) *httptest.Server {
	var asked atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		user, password, _ := r.BasicAuth()
		fmt.Fprintf(w, "%s %s|%s|%s|%s|%s:%s|%s|%s", r.Method, r.URL.RequestURI(), r.Header.Get("Content-Type"), r.Header.Get("X-A"),
			body, user, password, r.UserAgent(), r.Host)
	})
	answer := func(path, kind, text string) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			io.WriteString(w, text)
		})
	}
	answer("/json", "application/json; charset=utf-8", `{"b": [1, null], "a": "x"}`)
	answer("/yaml", "text/yaml", "b: [0644, yes]\n")
	answer("/xml", "text/xml", `<?xml version="1.0"?><r><a>1</a><b x="y"><c>2</c><c>3</c><d/></b></r>`)
	answer("/plain", "text/plain", "just text")
	answer("/broken", "application/json", "{")
	answer("/bytes", "application/octet-stream", "\xff\x00")
	mux.HandleFunc("/form", func(w http.ResponseWriter, r *http.Request) {
		f, header, err := r.FormFile("up")
		if err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
		body, _ := io.ReadAll(f)
		fmt.Fprintf(w, "%s %s %s", header.Filename, body, r.FormValue("k"))
	})
	mux.HandleFunc("/late", func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 3 {
			w.WriteHeader(503)
		}
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func call(t *testing.T, s *httptest.Server, name string, words ...string) string {
	t.Helper()
	h := hosttest.New(t)
	h.HTTP = s.Client()
	h.Write("/data", "from a file")
	h.Write("/headers", "X-A: file\n\nX-B: y\n")
	f, err := module.NewIndex(mod.Module).Func("http." + name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Call(t.Context(), h.Host, module.Words(words...))
	if err != nil {
		return strings.ReplaceAll(err.Error(), s.Listener.Addr().String(), "SERVER")
	}
	json, err := value.MarshalJSON(r.Value)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(json), s.Listener.Addr().String(), "SERVER")
}

func TestQuery(t *testing.T) {
	s := server(t)
	for _, tt := range []struct {
		path  string
		words []string
		want  string
	}{
		{"/echo", nil, `{"body":"GET /echo||||:|brine|SERVER"}`},
		{"/echo?x=1", []string{"params={a: 1, b: [2, y z]}", "text=true", "method=post"},
			`{"body":"POST /echo?x=1&a=1&b=2&b=y+z||||:|brine|SERVER","text":"POST /echo?x=1&a=1&b=2&b=y+z||||:|brine|SERVER"}`},
		{"/echo", []string{"data={a: 1, b: x y}", "method=PUT", "username=u", "password=p", "agent=me"},
			`{"body":"PUT /echo|application/x-www-form-urlencoded||a=1&b=x+y|u:p|me|SERVER"}`},
		{"/echo", []string{"data=text", "header_list=['X-A: list']", "header_dict={Content-Type: a/b, Host: other}"},
			`{"body":"GET /echo|a/b|list|text|:|brine|other"}`},
		{"/echo", []string{"data_file=/data", "header_file=/headers"}, `{"body":"GET /echo||file|from a file|:|brine|SERVER"}`},
		{"/form", []string{"method=POST", "formdata=true", "data_file=/data", "formdata_fieldname=up", "data={k: v}", "formdata_filename=n"}, `{"body":"n from a file v"}`},
		{"/json", []string{"decode=true", "status=true"}, `{"body":"{\"b\": [1, null], \"a\": \"x\"}","status":200,"dict":{"b":[1,null],"a":"x"}}`},
		{"/yaml", []string{"decode=true"}, `{"body":"b: [0644, yes]\n","dict":{"b":[644,true]}}`},
		{"/xml", []string{"decode=true"}, `{"body":"<?xml version=\"1.0\"?><r><a>1</a><b x=\"y\"><c>2</c><c>3</c><d/></b></r>","dict":[{"a":"1"},{"c":["2","3"],"d":null}]}`},
		{"/plain", []string{"decode=true"}, `{"body":"just text","text":"just text"}`},
		{"/plain", []string{"headers=true"}, `{"body":"just text","headers":{"Content-Length":"9","Content-Type":"text/plain","Date":`},
		{"/bytes", nil, "{\"body\":\"\uFFFD\\u0000\"}"},
		{"/nosuch", nil, `{"body":"404 page not found\n","status":404,"error":"HTTP 404: Not Found"}`},
		{"/nosuch", []string{"raise_error=false"}, `{"body":"404 page not found\n"}`},
		{"/broken", []string{"decode=true"}, `cannot read the answer of SERVER: `},
		{"/echo", []string{"test=true"}, `{}`},
		{"/echo", []string{"verify_ssl=false", "decode_type=toml", "method=A B"}, "cannot call http.query: \n    argument \"decode_type\": want auto, json, yaml, xml or plain, got \"toml\"\n" +
			"    argument \"method\": want a word such as GET, got \"A B\"\n    argument \"verify_ssl\": false lets anyone answer in the server's place: let this host trust its certificate"},
	} {
		got := call(t, s, "query", append([]string{s.URL + tt.path}, tt.words...)...)
		if !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s %q:\n got %s\nwant %s", tt.path, tt.words, got, tt.want)
		}
	}
}

// TestSecretsAreInNoError asks a server that is not there.
func TestSecretsAreInNoError(t *testing.T) {
	s := server(t)
	s.Close()
	got := call(t, s, "query", "http://user:geheim@"+s.Listener.Addr().String()+"/p?token=geheim", "password=geheim", "status=true")
	if strings.Contains(got, "geheim") || !strings.HasPrefix(got, `{"status":0,"error":"dial tcp`) {
		t.Errorf("got %s", got)
	}
	for _, bad := range []string{"ftp://user:geheim@x/", "http://geheim@:x:y", "//x", "geheim"} {
		if got := call(t, s, "query", bad); strings.Contains(got, "geheim") || !strings.HasPrefix(got, "cannot call http.query: argument \"url\"") {
			t.Errorf("%q: got %s", bad, got)
		}
	}
}

func TestWait(t *testing.T) {
	s := server(t)
	if got := call(t, s, "wait_for_successful_query", s.URL+"/late", "request_interval=0.01", "status=200"); got != `{"body":"","status":200}` {
		t.Errorf("got %s", got)
	}
	if got := call(t, s, "wait_for_successful_query", s.URL+"/nosuch", "request_interval=0.01", "wait_for=0.05"); got != "cannot get a good answer in 50ms: HTTP 404: Not Found" {
		t.Errorf("got %s", got)
	}
	if got := call(t, s, "wait_for_successful_query", s.URL+"/plain", "request_interval=0.01", "wait_for=0.02", "status=204"); got != "cannot get a good answer in 20ms: its status is 200, not 204" {
		t.Errorf("got %s", got)
	}
}
