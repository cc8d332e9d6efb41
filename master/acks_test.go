package master

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"brine/master/broker"
)

func TestWhoHearsHereIsAskedAnewWhenAMasterIsGone(t *testing.T) {
	hearing := map[string]broker.Hearing{"web1": {}} // on a standby here
	h := &hears{
		connected: func(id string) bool { return id != "web9" },
		ask:       func(id string) broker.Hearing { return hearing[id] },
		all:       func() map[string]broker.Hearing { return map[string]broker.Hearing{"web1": {}} }, // some seconds old
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
	h.ask = func(id string) broker.Hearing { t.Error(id + " is asked for"); return broker.Hearing{Jobs: true} }
	if jobs, _ := h.hearsHere("web9"); jobs {
		t.Error("web9 has no connection here")
	}
}

func TestWhoHearsHereIsAskedForAllAtOnceWhenManyHaveMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		singly, together := 0, 0
		h := &hears{
			connected: func(id string) bool { return id != "web9" },
			ask:       func(string) broker.Hearing { singly++; return broker.Hearing{Jobs: true} },
			all: func() map[string]broker.Hearing {
				together++
				all := map[string]broker.Hearing{}
				for i := range 5000 {
					all[fmt.Sprint("web", i)] = broker.Hearing{Jobs: true}
				}
				return all
			},
		}
		h.forgetAll()
		heard := 0
		for i := range 5000 {
			if jobs, _ := h.hearsHere(fmt.Sprint("web", i)); jobs {
				heard++
			}
			time.Sleep(100 * time.Microsecond)
		}
		if singly > 32 || together != 1 || heard < 3900 {
			t.Errorf("asked %d times for one and %d times for all, heard of %d", singly, together, heard)
		}
		time.Sleep(2 * time.Second)
		h.hearsHere("web1")
		if together != 2 {
			t.Error("while minions move, what was heard is believed for long")
		}
		time.Sleep(20 * time.Second)
		h.hearsHere("web1")
		time.Sleep(9 * time.Second)
		h.hearsHere("web1")
		if together != 3 {
			t.Errorf("asked %d times for all, want 3", together)
		}
	})
}
