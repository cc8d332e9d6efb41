package job

import (
	"testing"
	"time"

	"brine/proto"
)

func TestFold(t *testing.T) {
	const queued, started = proto.Accepted_QUEUED, proto.Accepted_STARTED
	for _, c := range []struct {
		name    string
		facts   Facts
		status  Status
		settled bool
	}{
		{"ok", Facts{Outcome: proto.Outcome_OK}, OK, true},
		{"failed", Facts{Outcome: proto.Outcome_FAILED}, Failed, true},
		{"interrupted", Facts{Outcome: proto.Outcome_INTERRUPTED}, Interrupted, true},
		{"cancelled by the minion", Facts{Outcome: proto.Outcome_CANCELLED}, Cancelled, true},
		{"expired at the minion", Facts{Outcome: proto.Outcome_EXPIRED}, Expired, true},
		{"refused", Facts{Outcome: proto.Outcome_REFUSED}, Refused, true},
		{"not matched", Facts{Outcome: proto.Outcome_NOT_MATCHED}, Refused, true},
		{"outcome of a newer minion", Facts{Outcome: 99, Online: true, Sent: true}, Sent, false},
		{"a return overrides absence", Facts{Outcome: proto.Outcome_OK, WindowOver: true, Away: time.Hour}, OK, true},
		{"a return overrides cancel", Facts{Outcome: proto.Outcome_OK, Cancelled: true}, OK, true},

		{"not sent yet", Facts{Online: true}, Queued, false},
		{"sent", Facts{Online: true, Sent: true, SinceSent: time.Second}, Sent, false},
		{"silent", Facts{Online: true, Sent: true, SinceSent: 2 * time.Second}, NoAnswer, true},
		{"its disk is slow", Facts{Online: true, Sent: true, SinceSent: 9 * time.Second, Heard: true}, Sent, false},
		{"its disk is slow, in a batch", Facts{Online: true, Sent: true, SinceSent: 9 * time.Second, Heard: true, Batch: true}, Sent, false},
		{"its disk hangs, in a batch", Facts{Online: true, Sent: true, SinceSent: time.Minute, Heard: true, Batch: true}, NoAnswer, true},
		{"silent, waiting", Facts{Online: true, Sent: true, SinceSent: time.Minute, WaitOffline: true}, NoAnswer, false},
		{"silent to the end", Facts{Online: true, Sent: true, SinceSent: time.Minute, WaitOffline: true,
			WindowOver: true}, NoAnswer, true},
		{"about to come", Facts{Coming: true, Away: time.Second}, Queued, false},
		{"about to come for too long", Facts{Coming: true, Away: 11 * time.Second}, Offline, true},
		{"came too late", Facts{Online: true, WindowOver: true}, Offline, true},

		{"offline", Facts{Away: time.Millisecond}, Offline, true},
		{"offline, waiting", Facts{WaitOffline: true, Away: time.Hour}, Queued, false},
		{"offline to the end", Facts{WaitOffline: true, WindowOver: true, Away: time.Hour}, Expired, true},
		{"moving", Facts{Sent: true, SinceSent: 3 * time.Second, Away: 4 * time.Second}, Sent, false},
		{"gone", Facts{Sent: true, SinceSent: 9 * time.Second, Away: 6 * time.Second}, Offline, true},

		{"running", Facts{Accepted: started, Online: true, Sent: true, SinceSent: time.Hour}, Running, false},
		{"waiting for a slot", Facts{Accepted: queued, Online: true, Sent: true, SinceSent: time.Hour}, Queued, false},
		{"running after the window", Facts{Accepted: started, Online: true, WindowOver: true}, Running, false},
		{"running and moving", Facts{Accepted: started, Away: 5 * time.Second}, Running, false},
		{"running and gone", Facts{Accepted: started, Away: 6 * time.Second}, Offline, true},
		{"queued and gone", Facts{Accepted: queued, Away: 6 * time.Second}, Offline, true},
		{"gone, waiting", Facts{Accepted: started, Away: time.Minute, WaitOffline: true}, Offline, false},
		{"accepted in a newer way", Facts{Accepted: 9, Online: true}, Running, false},

		{"cancelled while running", Facts{Accepted: started, Online: true, Cancelled: true}, Running, false},
		{"cancelled offline", Facts{Cancelled: true, WaitOffline: true}, Cancelled, true},
		{"cancelled in flight", Facts{Cancelled: true, Online: true, Sent: true, SinceSent: time.Second}, Cancelled, false},
		{"cancelled, silent", Facts{Cancelled: true, Online: true, Sent: true, SinceSent: 3 * time.Second}, Cancelled, true},
	} {
		status, settled := Fold(c.facts)
		if status != c.status || settled != c.settled {
			t.Errorf("%s: got %s, settled %v, want %s, %v", c.name, status, settled, c.status, c.settled)
		}
	}
}
