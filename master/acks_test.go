package master

import (
	"testing"
)

func TestWhoHearsHereIsAskedAnewWhenAMasterIsGone(t *testing.T) {
	hearing := map[string]bool{"web1": false} // on a standby here
	h := &hears{
		ask: func(id string) bool { return hearing[id] },
		all: func() map[string]bool { return map[string]bool{"web1": false} }, // some seconds old
	}
	if h.hearsHere("web1") {
		t.Error("a standby hears no jobs")
	}
	hearing["web1"] = true // its master is gone
	h.forgetAll()
	if !h.hearsHere("web1") {
		t.Error("it hears jobs here now, but its acks are left to another master")
	}
	if h.hearsHere("web2") {
		t.Error("web2 is not here")
	}
}
