package main

import (
	"bytes"
	"encoding/json"
	"io"

	"brine/minion"
	"brine/states/output"
	"brine/states/value"
	"brine/states/yaml"
)

// A report is the object that brine run prints as JSON, of a run without a job.
type report struct {
	JID      string                  `json:"jid"` // always empty
	Function string                  `json:"function"`
	State    string                  `json:"state"`
	Targeted int                     `json:"targeted"`
	Minions  map[string]minionReport `json:"minions"`
	Summary  map[string]int          `json:"summary"`
}

type minionReport struct {
	Status   string          `json:"status"`
	Retcode  int             `json:"retcode"`
	Return   json.RawMessage `json:"return"`
	Duration float64         `json:"duration_ms"`
}

// statuses are all that a summary counts.
var statuses = []string{
	"queued", "sent", "running", "ok", "failed", "interrupted", "cancelled", "expired", "refused", "no_answer", "offline",
}

// newMinionReport is the one minion's part.
func newMinionReport(r *minion.Called) minionReport {
	status := "ok"
	if r.Retcode != 0 {
		status = "failed"
	}
	return minionReport{status, r.Retcode, r.Value, float64(r.Took.Microseconds()) / 1000}
}

// writeReport writes the whole object as JSON, or the same as YAML.
func writeReport(w io.Writer, format, function string, r *minion.Called) error {
	one := newMinionReport(r)
	rep := report{
		Function: function, State: "done", Targeted: 1, Summary: map[string]int{},
		Minions: map[string]minionReport{r.ID: one},
	}
	for _, s := range statuses {
		rep.Summary[s] = 0
	}
	rep.Summary[one.Status] = 1
	text, err := encode(rep, "  ")
	if err == nil && format == "yaml" {
		var v any
		if v, err = value.FromJSON(text); err == nil {
			text, err = yaml.Dump(v)
		}
	}
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

// writeLine writes the one minion's part as a line of JSON.
func writeLine(w io.Writer, r *minion.Called) error {
	text, err := encode(struct {
		Minion string `json:"minion"`
		minionReport
	}{r.ID, newMinionReport(r)}, "")
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

func encode(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	err := enc.Encode(v)
	return output.HarmlessJSON(b.Bytes()), err
}
