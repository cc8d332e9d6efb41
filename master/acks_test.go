package master

import (
	"testing"

	"brine/master/broker"
)

func TestWhoHearsHereIsAskedAnewWhenAMasterIsGone(t *testing.T) {
	hearing := map[string]broker.Hearing{"web1": {}} // on a standby here
	h := &hears{
		ask: func(id string) broker.Hearing { return hearing[id] },
		all: func() map[string]broker.Hearing { return map[string]broker.Hearing{"web1": {}} }, // some seconds old
	}
	if jobs, _ := h.hearsHere("web1"); jobs {
		t.Error("a standby hears no jobs")
	}
	hearing["web1"] = broker.Hearing{Jobs: true, Pulse: true} // its master is gone
	h.forgetAll()
	if jobs, pulse := h.hearsHere("web1"); !jobs || !pulse {
		t.Error("it hears jobs here now, but its acks are left to another master")
	}
	if jobs, _ := h.hearsHere("web2"); jobs {
		t.Error("web2 is not here")
	}
}
