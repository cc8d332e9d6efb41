package http

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"brine/states/host"
	"brine/states/value"
	"brine/states/yaml"
)

// answer is what Salt returns of an answer.
func (a *queryArgs) answer(resp *http.Response, body []byte) (*value.Dict, error) {
	answer := &value.Dict{}
	text := string(body)
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	answer.Put("body", text)
	if !a.DecodeBody {
		answer.Put("body", body)
	}
	if resp.StatusCode >= 400 && a.RaiseError {
		answer.Put("status", int64(resp.StatusCode))
		answer.Put("error", fmt.Sprintf("HTTP %d: %s", resp.StatusCode, http.StatusText(resp.StatusCode)))
		return answer, nil
	}
	if a.Status.show {
		answer.Put("status", int64(resp.StatusCode))
	}
	if a.Headers {
		headers := &value.Dict{}
		for name, values := range resp.Header {
			headers.Put(name, strings.Join(values, ","))
		}
		answer.Put("headers", sorted(headers))
	}
	withText := a.Text
	if a.Decode {
		v, plain, err := decode(a.kind(resp), text)
		if err != nil {
			return nil, fmt.Errorf("cannot read the answer of %s: %w", resp.Request.URL.Host, err)
		}
		withText = withText || plain
		if !plain {
			answer.Put("dict", v)
		}
	}
	if withText {
		answer.Put("text", text)
	}
	return answer, nil
}

// kind is what the answer is read as.
func (a *queryArgs) kind(resp *http.Response) string {
	if a.DecodeType != "auto" {
		return a.DecodeType
	}
	kind := strings.ToLower(resp.Header.Get("Content-Type"))
	for _, known := range []string{"xml", "json", "yaml"} {
		if strings.Contains(kind, known) {
			return known
		}
	}
	if kind == "" {
		return "json"
	}
	return "plain"
}

func decode(kind, text string) (v any, plain bool, err error) {
	switch kind {
	case "json":
		v, err = value.FromJSON([]byte(text))
	case "yaml":
		var n *yaml.Node
		if n, err = yaml.Parse("answer", []byte(text)); err == nil {
			v = n.Data()
		}
	case "xml":
		v, err = readXML(text)
	default:
		return nil, true, nil
	}
	return v, false, err
}

type waitArgs struct {
	queryArgs
	WaitFor time.Duration `arg:"wait_for" default:"300" doc:"how long to try"`
	Every   time.Duration `arg:"request_interval" default:"1" doc:"how long to wait between two tries"`
}

// wait asks until the answer is a good one.
func wait(ctx context.Context, h *host.Host, a waitArgs) (*value.Dict, error) {
	end := time.Now().Add(a.WaitFor)
	for {
		answer, err := query(ctx, h, a.queryArgs)
		bad, failed := answer.Get("error")
		status, _ := answer.Get("status")
		switch {
		case err != nil:
			return nil, err
		case !failed && (a.Status.want == 0 || status == int64(a.Status.want)):
			return answer, nil
		case !failed:
			bad = fmt.Sprintf("its status is %v, not %d", status, a.Status.want)
		}
		if time.Now().Add(a.Every).After(end) {
			return nil, fmt.Errorf("cannot get a good answer in %s: %v", a.WaitFor, bad)
		}
		timer := time.NewTimer(a.Every)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, errors.Join(context.Cause(ctx))
		}
	}
}
