package http

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"brine/states/host"
	"brine/states/module"
	"brine/states/value"
)

type queryArgs struct {
	URL        string      `arg:"url,required" doc:"http:// or https:// and the rest"`
	Method     string      `arg:"method" default:"GET" doc:"GET, POST, PUT, DELETE, HEAD, PATCH or another"`
	Params     *value.Dict `arg:"params" doc:"names and values to add to the URL after a question mark"`
	Data       any         `arg:"data" doc:"what is sent: text, or a map that is sent as a form"`
	DataFile   string      `arg:"data_file" doc:"the file of this host that is sent"`
	HeaderDict *value.Dict `arg:"header_dict" doc:"headers to send"`
	HeaderList []string    `arg:"header_list" doc:"headers to send, each as Name: value"`
	HeaderFile string      `arg:"header_file" doc:"a file of this host with headers to send, one on a line"`
	Username   string      `arg:"username" doc:"who asks"`
	Password   string      `arg:"password" doc:"the password of username"`
	Agent      string      `arg:"agent" doc:"what to be called in the header User-Agent"`
	Port       int         `arg:"port" doc:"another port than that of the URL"`

	FormData     bool   `arg:"formdata" doc:"send data as a form of several parts, which may be files"`
	FormField    string `arg:"formdata_fieldname" doc:"the name of the field of a file"`
	FormFilename string `arg:"formdata_filename" doc:"the name of the file"`

	Decode     bool        `arg:"decode" doc:"return the answer as dict: what its JSON, YAML or XML holds"`
	DecodeType string      `arg:"decode_type" default:"auto" doc:"json, yaml, xml or plain; auto: by the header of the answer"`
	Text       bool        `arg:"text" doc:"return the answer as text too"`
	Status     statusWords `arg:"status" doc:"return the status; of wait_for_successful_query also the one to wait for"`
	Headers    bool        `arg:"headers" doc:"return the headers of the answer"`
	RaiseError bool        `arg:"raise_error" default:"true" doc:"false: an answer of 400 and above is like any other"`

	VerifySSL  bool          `arg:"verify_ssl" default:"true" doc:"false is refused: let the host trust the server's certificate instead"`
	Timeout    time.Duration `arg:"timeout" default:"3600" doc:"how long to wait for the whole answer"`
	Backend    string        `arg:"backend" doc:"taken for Salt's sake"`
	HideFields []string      `arg:"hide_fields" doc:"taken for Salt's sake: no error shows any field"`
	DecodeBody bool          `arg:"decode_body" default:"true" doc:"false: body is bytes"`
	Test       bool          `arg:"test" doc:"ask no one, and return an empty answer"`
	TestURL    string        `arg:"test_url" doc:"with test: ask this URL"`
}

// statusWords is whether the status is wanted, or which.
type statusWords struct {
	show bool
	want int
}

func (s *statusWords) ArgType() string { return "boolean or status" }

func (s *statusWords) ParseArg(v module.Value) error {
	if show, err := v.Bool(); err == nil {
		s.show = show
		return nil
	}
	text, err := v.Str()
	if err != nil {
		return v.Want("true, false or a status such as 200")
	}
	if s.want, err = strconv.Atoi(text); err != nil || s.want < 100 || s.want > 999 {
		return v.Want("true, false or a status such as 200")
	}
	s.show = true
	return nil
}

// maxAnswer is how much of an answer is read.
const maxAnswer = 64 << 20

// CheckArgs finds what can't be.
func (a queryArgs) CheckArgs() error {
	var errs []error
	u, err := url.Parse(a.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		errs = append(errs, errors.New(`argument "url": want http:// or https:// with the name of a server`))
	}
	if !a.VerifySSL {
		errs = append(errs, errors.New(`argument "verify_ssl": false lets anyone answer in the server's place: let this host trust its certificate`))
	}
	if a.Data != nil && a.DataFile != "" && !a.FormData {
		errs = append(errs, errors.New(`arguments "data" and "data_file" both say what is sent: give one`))
	}
	switch a.DecodeType {
	case "auto", "json", "yaml", "xml", "plain":
	default:
		errs = append(errs, fmt.Errorf(`argument "decode_type": want auto, json, yaml, xml or plain, got %q`, a.DecodeType))
	}
	if strings.ContainsAny(a.Method, " \r\n:/") {
		errs = append(errs, fmt.Errorf(`argument "method": want a word such as GET, got %q`, a.Method))
	}
	return errors.Join(errs...)
}

// query asks once.
func query(ctx context.Context, h *host.Host, a queryArgs) (*value.Dict, error) {
	if a.Test {
		if a.TestURL == "" {
			return &value.Dict{}, nil
		}
		a.URL = a.TestURL
	}
	if h.HTTP == nil {
		return nil, errors.New("cannot query: this host may not ask the web")
	}
	ctx, stop := context.WithTimeout(ctx, a.Timeout)
	defer stop()
	req, err := a.request(ctx, h)
	if err != nil {
		return nil, err
	}
	resp, err := h.HTTP.Do(req)
	if err != nil {
		return a.unreached(ctx, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && len(body) > maxAnswer {
		err = fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	}
	if err != nil {
		return a.unreached(ctx, err)
	}
	return a.answer(resp, body)
}

// unreached is the answer of a server that gave none. A job that was ended has no answer.
func (a *queryArgs) unreached(ctx context.Context, err error) (*value.Dict, error) {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.DeadlineExceeded) {
		return nil, cause
	}
	if u := (*url.Error)(nil); errors.As(err, &u) { // its text holds the URL with all that is secret in it
		err = u.Err
	}
	answer := &value.Dict{}
	if a.Status.show {
		answer.Put("status", int64(0))
	}
	answer.Put("error", err.Error())
	return answer, nil
}

// request makes the request.
func (a *queryArgs) request(ctx context.Context, h *host.Host) (*http.Request, error) {
	u, err := url.Parse(a.URL)
	if err != nil {
		return nil, errors.New("cannot query: the URL cannot be read")
	}
	if a.Params.Len() > 0 {
		u.RawQuery = strings.Trim(u.RawQuery+"&"+form(a.Params).Encode(), "&")
	}
	if a.Port != 0 {
		u.Host = u.Hostname() + ":" + strconv.Itoa(a.Port)
	}
	body, kind, err := a.body(h)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, strings.ToUpper(a.Method), u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("cannot query: the URL or the method cannot be used")
	}
	if len(body) == 0 {
		req.Body, req.GetBody, req.ContentLength = nil, nil, 0
	}
	req.Header.Set("User-Agent", cmp.Or(a.Agent, "brine"))
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if err := a.addHeaders(h, req); err != nil {
		return nil, err
	}
	if a.Username != "" || a.Password != "" {
		req.SetBasicAuth(a.Username, a.Password)
	}
	return req, nil
}

func (a *queryArgs) addHeaders(h *host.Host, req *http.Request) error {
	lines := a.HeaderList
	if a.HeaderFile != "" {
		data, err := os.ReadFile(h.Path(a.HeaderFile))
		if err != nil {
			return fmt.Errorf("cannot query: %w", err)
		}
		lines = append(strings.Split(strings.TrimSpace(string(data)), "\n"), lines...)
	}
	for i, line := range lines {
		name, text, ok := strings.Cut(line, ":")
		if strings.TrimSpace(line) == "" {
			continue
		}
		if !ok {
			return fmt.Errorf("cannot query: header %d is none: want Name: value", i+1)
		}
		setHeader(req, strings.TrimSpace(name), strings.TrimSpace(text))
	}
	for name, v := range a.HeaderDict.All() {
		setHeader(req, fmt.Sprint(name), plain(v))
	}
	return nil
}

func setHeader(req *http.Request, name, text string) {
	if strings.EqualFold(name, "host") {
		req.Host = text
	}
	req.Header.Set(name, text)
}

// body is what is sent, and of which kind it is.
func (a *queryArgs) body(h *host.Host) (data []byte, kind string, err error) {
	if a.DataFile != "" {
		data, err = os.ReadFile(h.Path(a.DataFile))
		if err != nil {
			return nil, "", fmt.Errorf("cannot query: %w", err)
		}
	}
	fields, isMap := a.Data.(*value.Dict)
	switch {
	case a.FormData:
		return a.parts(fields, data)
	case isMap:
		return []byte(form(fields).Encode()), "application/x-www-form-urlencoded", nil
	case a.Data != nil:
		data = []byte(plain(a.Data))
	}
	return data, "", nil
}

// parts makes a form of several parts.
func (a *queryArgs) parts(fields *value.Dict, file []byte) ([]byte, string, error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	var errs []error
	for name, v := range fields.All() {
		errs = append(errs, w.WriteField(fmt.Sprint(name), plain(v)))
	}
	if fields == nil && a.Data != nil {
		file = []byte(plain(a.Data))
	}
	if file != nil {
		part, err := w.CreateFormFile(cmp.Or(a.FormField, "file"), cmp.Or(a.FormFilename, path.Base(cmp.Or(a.DataFile, "data"))))
		if err == nil {
			_, err = part.Write(file)
		}
		errs = append(errs, err)
	}
	errs = append(errs, w.Close())
	return b.Bytes(), w.FormDataContentType(), errors.Join(errs...)
}

func form(d *value.Dict) url.Values {
	values := url.Values{}
	for name, v := range d.All() {
		if list, ok := v.(*value.List); ok {
			for _, item := range list.Items {
				values.Add(fmt.Sprint(name), plain(item))
			}
			continue
		}
		values.Add(fmt.Sprint(name), plain(v))
	}
	return values
}

// plain is a value as text: a list or map as JSON, the rest as Python's str.
func plain(v any) string {
	if s, err := module.Data(v).Str(); err == nil {
		return s
	}
	json, err := value.MarshalJSON(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(json)
}
