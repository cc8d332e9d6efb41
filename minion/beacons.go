package minion

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"brine/minion/beacon"
	"brine/minion/job"
	"brine/proto/config"
	"brine/states/host"
	"brine/states/value"
)

const beacons = "beacons" // their key in minion.toml and in pillar

// newBeacons makes what the minion watches.
func (m *Minion) newBeacons() *beacon.Set {
	o := beaconOptions(m.layout, m.o.Config)
	o.ID, o.Log, o.Host, o.Job = m.state.id, m.log.Named("beacon"), m.beaconHost, m.lately.job
	o.Send = func(tag string, data *value.Dict, cause string) error {
		if mask := m.hidden(); mask != nil {
			tag = mask.Text(tag)
			data, _ = mask.Value(data).(*value.Dict)
		}
		return m.sendEvent(tag, cause, data)
	}
	if !m.o.Stateless {
		o.Saved = m.savedBeacons()
		o.Write = func(own *value.Dict) (string, error) {
			data, err := value.MarshalJSON(own)
			if err != nil {
				return "", err
			}
			return m.layout.Beacons(), writeFile(m.layout.Beacons(), data)
		}
	}
	return beacon.New(o)
}

// beaconOptions are what the configuration says of beacons.
func beaconOptions(l Layout, c *Config) beacon.Options {
	o := beacon.Options{Where: func(key ...string) string {
		at := config.Where(l.Config(), l.ConfigDir(), append([]string{beacons}, key...)...)
		if at == l.Config() {
			return ""
		}
		return at
	}}
	v, err := value.Of(dated(c.Beacons))
	if d, ok := v.(*value.Dict); ok && err == nil { // TOML has nothing that can't be told
		o.Fixed = d
	}
	return o
}

// savedBeacons are what beacons.save kept at an earlier start.
func (m *Minion) savedBeacons() *value.Dict {
	data, err := os.ReadFile(m.layout.Beacons())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var d *value.Dict
	if err == nil {
		d, err = asDict(data)
	}
	if err != nil {
		m.log.Error("saved beacons not used", "file", m.layout.Beacons(), "err", err)
	}
	return d
}

// beaconHost is the host as beacons look at it. They change nothing of what it shares with jobs.
func (m *Minion) beaconHost(ctx context.Context) *host.Host {
	m.held.mu.Lock()
	pillar := m.held.data // which is never changed, only replaced
	m.held.mu.Unlock()
	return &host.Host{
		Root: m.local.Root, Facts: m.grains, Grains: m.grains.Now(ctx), Pillar: pillar, Config: m.settings(), Exec: m.local.Run,
		Modules: m.index, HTTP: web, Log: m.told, Memo: &host.Memo{},
	}
}

// lately is the jobs of which what happens now may be a consequence.
type lately struct {
	mu      sync.Mutex // guards the fields below
	running []string
	states  int // that run
	last    string
	ended   time.Time // of last
	calm    time.Time // since when no state run is under way
}

// begin notes a job that may change the host, until end is called.
func (l *lately) begin(j *job.Job, states bool) (end func()) {
	module, _, _ := strings.Cut(j.Function, ".")
	if j.JID == "" || needsNoGrains(j.Function) || module == "test" || module == "sys" {
		return func() {}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running = append(l.running, j.JID)
	if states {
		l.states++
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if i := slices.Index(l.running, j.JID); i >= 0 {
			l.running = slices.Delete(l.running, i, i+1)
		}
		l.last, l.ended = j.JID, time.Now()
		if states {
			l.states--
			l.calm = l.ended
		}
	}
}

// job is the one that began last of those that run, or else the one that ended last.
func (l *lately) job() beacon.Job {
	l.mu.Lock()
	defer l.mu.Unlock()
	j := beacon.Job{JID: l.last, Ended: l.ended, States: l.states > 0, Last: l.calm}
	if n := len(l.running); n > 0 {
		j.JID, j.Ended = l.running[n-1], time.Time{}
	}
	return j
}
