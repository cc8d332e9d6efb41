package hook

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"brine/master/store"
	"brine/proto"
)

const (
	saltTag    = "salt/netapi/hook"
	maxSaltTag = 400
)

// saltHook is what Salt's webhooks have in their events.
type saltHook struct {
	Body    string            `json:"body"`
	Headers map[string]string `json:"headers"`
	Post    any               `json:"post"`

	Delivery string `json:"delivery,omitempty"` // by which a signed message is known again
}

// salt stores a message as Salt's API does, under the rest of the path.
func (h *Handler) salt(w http.ResponseWriter, r *http.Request, name string, body []byte, delivery string) {
	tag := saltTag
	if path := strings.Trim(r.PathValue("path"), "/"); path != "" {
		tag += "/" + path
	}
	rec, err := h.saltRecord(r, name, tag, body, delivery)
	if err != nil {
		h.refuse(w, r, name, &refusal{http.StatusBadRequest, err.Error()})
		return
	}
	h.locks[name].Lock()
	again, err := h.again(r.Context(), name, h.o.Sources[name], delivery)
	if err == nil && !again {
		_, err = h.o.Keep(r.Context(), []*proto.Record{rec})
	}
	h.locks[name].Unlock()
	if err != nil {
		h.fail(w, name, err)
		return
	}
	h.count(name, func(t *Tally) {
		t.Last = h.o.Now()
		if again {
			t.Repeated++
		}
	})
	answer(w, http.StatusAccepted, "", map[string]bool{"success": true})
}

func (h *Handler) saltRecord(r *http.Request, name, tag string, body []byte, delivery string) (*proto.Record, error) {
	if len(tag) > maxSaltTag || strings.ContainsFunc(tag, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return nil, errors.New("the path is too long, or has spaces: it becomes the event's tag")
	}
	post, err := unserialized(r.Header.Get("Content-Type"), body)
	if err != nil {
		return nil, err
	}
	data, err := encode(saltHook{Body: strings.ToValidUTF8(string(body), "?"), Headers: harmless(r, h.o.Sources[name]), Post: post, Delivery: delivery})
	if err != nil {
		return nil, err
	}
	if len(data) > maxSalt {
		return nil, fmt.Errorf("the message makes an event of %d KiB, the limit is %d", len(data)>>10, maxSalt>>10)
	}
	now := h.o.Now().UnixMicro()
	return store.NewRecord(now, h.o.Master, &proto.Event{Tag: tag, Origin: h.o.Master, Data: data, At: now, Actor: "hook " + name})
}

const maxSalt = 256 << 10

// unserialized is a message as what it says that it is; an empty object for what is neither JSON nor a form.
func unserialized(contentType string, body []byte) (any, error) {
	switch kind, _, _ := mime.ParseMediaType(contentType); kind {
	case "application/json", "text/json":
		var v any
		if err := decode(body, &v); err != nil {
			return nil, err
		}
		return v, nil
	case "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, errors.New("the message is no form")
		}
		all := map[string]any{}
		for name, list := range form {
			if all[name] = list; len(list) == 1 {
				all[name] = list[0]
			}
		}
		return all, nil
	}
	return map[string]any{}, nil
}

// harmless are the headers of a request in which no credential can be.
func harmless(r *http.Request, s *Source) map[string]string {
	all := map[string]string{"Host": r.Host}
	for name, list := range r.Header {
		if !secret(name) && !strings.EqualFold(name, s.header()) {
			all[name] = strings.Join(list, ", ")
		}
	}
	return all
}

// secret tells whether a header's name is one of those that carry credentials.
func secret(name string) bool {
	name = strings.ToLower(name)
	for _, part := range []string{"auth", "cookie", "token", "secret", "signature", "password", "credential", "key", "session"} {
		if strings.Contains(name, part) {
			return true
		}
	}
	return false
}
