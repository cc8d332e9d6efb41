package client

import (
	"errors"
	"testing"
	"time"

	"brine/proto"
)

func TestASearchEndsWhenEveryMasterRefuses(t *testing.T) {
	refusal := &Error{Code: proto.ApiError_UNAVAILABLE, Message: "not yet"}
	silent := errLost{errors.New("silent")}
	h := newHunt(2)
	for _, step := range []struct {
		master string
		err    error
		over   bool
	}{
		{"m1", refusal, false},
		{"m1", refusal, false}, // the other one is down
		{"m1", silent, false},
		{"m2", refusal, false}, // m1 has not refused since
		{"m1", refusal, true},
	} {
		h.failed(step.master, step.err)
		if got := h.over(step.err); (got != nil) != step.over || step.over && got != error(refusal) {
			t.Errorf("%s: %v: got %v, want over %v", step.master, step.err, got, step.over)
		}
	}
	h.heard()
	h.failed("m2", refusal)
	if err := h.over(refusal); err != nil {
		t.Errorf("an answer did not make the refusals before it count no more: %v", err)
	}
}

func TestASearchEndsAtItsDeadline(t *testing.T) {
	silent := errLost{errors.New("silent")}
	h := newHunt(2)
	h.failed("m1", silent)
	if err := h.over(silent); err != nil {
		t.Errorf("ended at once: %v", err)
	}
	h.deadline = time.Now().Add(-time.Second)
	if err := h.over(silent); !errors.Is(err, ErrNoMaster) {
		t.Errorf("silent masters: got %v, want %v", err, ErrNoMaster)
	}
	h.failed("m2", &Error{Code: proto.ApiError_UNAVAILABLE, Message: "not yet"})
	if err := h.over(silent); !IsCode(err, proto.ApiError_UNAVAILABLE) {
		t.Errorf("one refused, one silent: got %v, want the refusal", err)
	}
}

func TestASearchThatTakesLongIsToldOnce(t *testing.T) {
	h := newHunt(2)
	if h.tells() {
		t.Error("told at once")
	}
	h.deadline = h.deadline.Add(-tellAfter)
	if !h.tells() || h.tells() {
		t.Error("not told once, and only once")
	}
}
