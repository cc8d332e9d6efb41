package hook

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"brine/master/store"
	"brine/proto"
)

const (
	family   = "brine/hook/"
	unmapped = "-" // in the place of a minion
)

// Data is what an event of an alert has.
type Data struct {
	Source      string            `json:"source"`
	Kind        string            `json:"kind"`
	Status      string            `json:"status"`
	Name        string            `json:"name"`
	Severity    string            `json:"severity"`
	Host        string            `json:"host"`
	Minion      string            `json:"minion"`             // "": no minion is known for the host
	Unmapped    string            `json:"unmapped,omitempty"` // why
	Key         string            `json:"key"`
	Fingerprint string            `json:"fingerprint"` // of the key: a word to look for
	Summary     string            `json:"summary"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	Starts      string            `json:"starts_at"` // "" of the end of a problem that nobody has told of
	Ends        string            `json:"ends_at,omitempty"`
	URL         string            `json:"url,omitempty"`
	Delivery    string            `json:"delivery,omitempty"` // by which a signed message is known again
	LeftOut     bool              `json:"left_out,omitempty"` // it was too large: long texts are cut
}

const (
	maxText   = 8 << 10
	maxCut    = 256
	maxLabels = 100
	maxData   = 192 << 10 // below what an event may hold
)

// data makes what the event of an alert has. minion is "" with a reason.
func (s *Source) data(name string, a *Alert, minion, why string) *Data {
	d := &Data{Source: name, Kind: s.Kind, Status: a.Status, Name: clip(a.Name, maxText), Severity: clip(a.Severity, maxText), Minion: minion, Unmapped: why,
		Key: clip(a.key(), maxText), Fingerprint: fingerprint(a.key()), Summary: clip(a.Summary, maxText), URL: clip(a.URL, maxText)}
	if len(a.Hosts) > 0 {
		d.Host = clip(a.Hosts[0], maxText)
	}
	d.Labels, d.Annotations = d.bounded(a.Labels, maxText), d.bounded(a.Annotations, maxText)
	if size(d.Labels)+size(d.Annotations) > maxData {
		d.Labels, d.Annotations = d.bounded(a.Labels, maxCut), d.bounded(a.Annotations, maxCut)
	}
	return d
}

// bounded are labels that an event can hold.
func (d *Data) bounded(all map[string]string, most int) map[string]string {
	out := make(map[string]string, min(len(all), maxLabels))
	for _, name := range slices.Sorted(maps.Keys(all)) { // in order, so that each master leaves out the same
		text := all[name]
		if len(out) >= maxLabels || len(name) > maxCut {
			d.LeftOut = true
			continue
		}
		if len(text) > most {
			text, d.LeftOut = clip(text, most), true
		}
		out[name] = text
	}
	return out
}

func size(all map[string]string) (n int) {
	for name, text := range all {
		n += len(name) + len(text)
	}
	return n
}

func clip(text string, most int) string {
	text = strings.ToValidUTF8(text, "?")
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "..."
}

func (d *Data) tag() string {
	minion := d.Minion
	if minion == "" {
		minion = unmapped
	}
	return family + d.Source + "/" + minion + "/" + d.Status
}

// latest is how old an event may be before it is filed under the time at which it came: what is much older might go at once.
const latest = 24 * time.Hour

// record makes the record of an event. It is under the alert's own time, so that it is the same at every master.
func (d *Data) record(master, cause string, at, now time.Time) (*proto.Record, error) {
	body, err := encode(d)
	if err != nil {
		return nil, err
	}
	if at.IsZero() || at.After(now) {
		at = now
	}
	stamp := at
	if now.Sub(at) > latest {
		stamp = now
	}
	origin := d.Minion
	if origin == "" {
		origin = master
	}
	return store.NewRecord(stamp.UnixMicro(), origin, &proto.Event{
		Tag: d.tag(), Origin: origin, Data: body, At: at.UnixMicro(), Cause: cause, Actor: "hook " + d.Source,
	})
}

// encode is JSON in which texts stand as they are, so that they can be looked for.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// A told event is one of a key that is in the log.
type told struct {
	id    string
	cause string
	data  Data
}

// place tells what a message about a key means, after what was told of it before, the newest first: whether it is new, the
// event that it belongs to, and when the problem began.
func place(a *Alert, before []told, now time.Time) (isNew bool, cause, starts string) {
	if a.Status == Problem {
		return placeProblem(a, before, now)
	}
	began := moment(a.Starts)
	same := slices.IndexFunc(before, func(t told) bool { return t.data.Status == Problem && t.data.Starts == began })
	if same < 0 { // the system says nothing of its begin, or not what it said then
		same = slices.IndexFunc(before, func(t told) bool { return t.data.Status == Problem })
	}
	if starts = began; same >= 0 {
		cause, starts = before[same].id, before[same].data.Starts
	}
	for _, t := range before {
		if t.data.Status == Resolved && t.cause == cause && (cause != "" || a.Ends.IsZero() || t.data.Ends == moment(a.Ends)) {
			return false, "", ""
		}
	}
	return true, cause, starts
}

// placeProblem is place for a problem. One without a time is new unless the last that was told is the same problem.
func placeProblem(a *Alert, before []told, now time.Time) (isNew bool, cause, starts string) {
	if a.Starts.IsZero() {
		open := len(before) > 0 && before[0].data.Status == Problem && before[0].data.Severity == a.Severity
		return !open, "", moment(now)
	}
	starts = moment(a.Starts)
	for _, t := range before {
		if t.data.Status == Problem && t.data.Starts == starts {
			return false, "", ""
		}
	}
	return true, "", starts
}
