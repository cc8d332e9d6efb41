package hook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"brine/master/store"
	"brine/proto"
)

// Options are what a Handler needs. All but Now are required.
type Options struct {
	Master  string
	Sources map[string]*Source
	Secret  func(file string) ([]byte, error)
	Index   func(ctx context.Context) (*Index, error)
	// Events finds in the log the newest events whose tag a glob matches and whose data have a word.
	Events func(ctx context.Context, tag, word string, limit int) ([]store.EventEntry, error)
	// Keep stores records here and at the live masters; it names those that have not confirmed it.
	Keep func(ctx context.Context, recs []*proto.Record) (unconfirmed []string, err error)
	// Refused is told of who has not shown the secret, or sent what cannot be read; Failed of what could not be kept.
	Refused func(source, address string, err error)
	Failed  func(source string, err error)
	Now     func() time.Time
}

// A Handler serves POST /hook/NAME and, for sources of kind salt, what is below it.
type Handler struct {
	o       Options
	parsers map[string]parser
	locks   map[string]*sync.Mutex // one a source: a message is looked up and stored before the next one is

	mu    sync.Mutex // guards the field below
	tally map[string]Tally
}

// A Tally is what a source has sent to this master since its start.
type Tally struct {
	Requests, Refused, Repeated int64
	Last                        time.Time // when a message was taken
}

// New makes a Handler.
func New(o Options) *Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	h := &Handler{o: o, parsers: parsers(), locks: map[string]*sync.Mutex{}, tally: map[string]Tally{}}
	for name := range o.Sources {
		h.locks[name] = new(sync.Mutex)
	}
	return h
}

// Tallies are those of all sources that have sent something.
func (h *Handler) Tallies() map[string]Tally {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make(map[string]Tally, len(h.tally))
	for name, t := range h.tally {
		all[name] = t
	}
	return all
}

func (h *Handler) count(name string, change func(*Tally)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.tally[name]
	change(&t)
	h.tally[name] = t
}

// ServeHTTP answers 202 when all that a message tells is stored here and at the live masters.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	s := h.o.Sources[name]
	if s == nil || s.Kind != kindSalt && r.PathValue("path") != "" {
		answer(w, http.StatusNotFound, "there is no such source: write [hooks.NAME] into master.toml of each master, and POST to /hook/NAME", nil)
		return
	}
	h.count(name, func(t *Tally) { t.Requests++ })
	body, delivery, err := h.read(w, r, s)
	if err != nil {
		h.refuse(w, r, name, err)
		return
	}
	if s.Kind == kindSalt {
		h.salt(w, r, name, body, delivery)
		return
	}
	alerts, err := h.parsers[s.Kind](s, r.Header.Get("Content-Type"), body)
	if err != nil {
		h.refuse(w, r, name, &refusal{http.StatusBadRequest, err.Error()})
		return
	}
	done, err := h.keep(r.Context(), name, s, alerts, delivery)
	if err != nil {
		h.fail(w, name, err)
		return
	}
	h.count(name, func(t *Tally) { t.Last = h.o.Now(); t.Repeated += int64(done.Repeated) })
	answer(w, http.StatusAccepted, "", done)
}

// read reads a message of one who shows the secret. A signed one is known again by its delivery.
func (h *Handler) read(w http.ResponseWriter, r *http.Request, s *Source) (body []byte, delivery string, err error) {
	file := s.TokenFile
	if file == "" {
		file = s.HMACFile
	}
	secret, err := h.o.Secret(file)
	if err != nil {
		return nil, "", fmt.Errorf("cannot read the secret: %w", err)
	}
	if err := s.early(r, secret); err != nil {
		return nil, "", err
	}
	body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, s.limit()))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return nil, "", &refusal{http.StatusRequestEntityTooLarge, fmt.Sprintf(
				"the message has more than %d bytes: send less at once (max_alerts of Alertmanager), or raise max_bytes of the source", large.Limit)}
		}
		return nil, "", &refusal{http.StatusBadRequest, "the message did not come whole"}
	}
	delivery, err = s.signed(r, body, secret, h.o.Now())
	return body, delivery, err
}

func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, name string, err error) {
	var why *refusal
	if !errors.As(err, &why) { // a secret that cannot be read
		h.fail(w, name, err)
		return
	}
	h.count(name, func(t *Tally) { t.Refused++ })
	h.o.Refused(name, r.RemoteAddr, err)
	if why.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="brine"`)
	}
	answer(w, why.status, why.text, nil)
}

// fail answers that a message was not stored. Why stands in the master's log alone.
func (h *Handler) fail(w http.ResponseWriter, name string, err error) {
	h.o.Failed(name, err)
	w.Header().Set("Retry-After", "5")
	answer(w, http.StatusServiceUnavailable, "this master cannot store it now: send it again, or to another master; its log says why", nil)
}

// outcome is what became of a message.
type outcome struct {
	Events      int      `json:"events"`   // that are new
	Repeated    int      `json:"repeated"` // alerts that were told before
	Unmapped    int      `json:"unmapped"` // events whose host is no minion
	Unconfirmed []string `json:"unconfirmed,omitempty"`
}

// answer answers in JSON: an error, or what was done.
func answer(w http.ResponseWriter, status int, problem string, done any) {
	if done == nil {
		done = map[string]string{"error": problem}
	}
	data, err := json.Marshal(done)
	if err != nil {
		data = []byte("{}")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n')) // whoever has gone sends it again
}

// maxBefore is how many events of one key are looked at.
const maxBefore = 32

// keep stores what is new of some alerts.
func (h *Handler) keep(ctx context.Context, name string, s *Source, alerts []Alert, delivery string) (*outcome, error) {
	index, err := h.o.Index(ctx)
	if err != nil {
		return nil, err
	}
	h.locks[name].Lock()
	defer h.locks[name].Unlock()
	if again, err := h.again(ctx, name, s, delivery); again || err != nil {
		return &outcome{Repeated: max(1, len(alerts))}, err
	}
	done, now, seen := &outcome{}, h.o.Now(), map[string][]told{}
	var recs []*proto.Record
	for i := range alerts {
		a := &alerts[i]
		word := fingerprint(a.key())
		before, known := seen[word]
		if !known {
			if before, err = h.before(ctx, name, word); err != nil {
				return nil, err
			}
		}
		isNew, cause, starts := place(a, before, now)
		if !isNew {
			done.Repeated++
			seen[word] = before
			continue
		}
		minion, why := index.findFirst(a.Hosts, s.Aliases)
		if minion == "" {
			done.Unmapped++
		}
		d := s.data(name, a, minion, why)
		d.Starts, d.Delivery = starts, delivery
		at := a.Starts
		if a.Status == Resolved {
			if at = a.Ends; at.IsZero() {
				at = now
			}
			d.Ends = moment(at)
		}
		rec, err := d.record(h.o.Master, cause, at, now)
		if err != nil {
			return nil, err
		}
		recs = append(recs, rec)
		seen[word] = append([]told{{rec.Id, cause, *d}}, before...)
	}
	if done.Events = len(recs); len(recs) == 0 && s.remembers(delivery) {
		rec, err := h.remembered(name, delivery)
		if err != nil {
			return nil, err
		}
		recs = append(recs, rec)
	}
	if len(recs) > 0 {
		done.Unconfirmed, err = h.o.Keep(ctx, recs)
	}
	return done, err
}

// before is what the log has of a key, the newest first.
func (h *Handler) before(ctx context.Context, name, word string) ([]told, error) {
	entries, err := h.o.Events(ctx, family+name+"/*", word, maxBefore)
	if err != nil {
		return nil, err
	}
	var all []told
	for _, e := range entries {
		t := told{id: e.ID, cause: e.Event.GetCause()}
		if err := json.Unmarshal(e.Event.GetData(), &t.data); err == nil && t.data.Fingerprint == word {
			all = append(all, t)
		}
	}
	return all, nil
}
