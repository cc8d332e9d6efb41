package store_test

import (
	"context"
	"strings"
	"testing"

	"brine/master/store"
)

func TestCallsAreListedByTheirJobIDs(t *testing.T) {
	s, _ := fresh(t, "m1")
	const a, b, c, d = "20260101000000000001", "20260101000000000002", "20260101000000000003", "20260101000000000004"
	for i, e := range []struct{ tag, actor, cause string }{
		{"salt/run/" + c + "/new", "operator ann", ""}, // stored before others that have a lower id
		{"salt/run/" + a + "/new", "schedule night", ""},
		{"salt/run/" + a + "/ret", "schedule night", ""},
		{"salt/wheel/" + b + "/new", "operator ann", ""},
		{"salt/run/" + d + "/step/new", "operator ann", ""}, // no call
		{"salt/run/" + d + "/new", "schedule night", "event/x"},
		{"salt/job/" + d + "/new", "", ""},
	} {
		ev := anEvent("m1", e.tag, "{}", i)
		ev.Actor, ev.Cause = e.actor, e.cause
		tell(t, s, ev)
	}
	for _, x := range []struct {
		name string
		f    store.CallFilter
		want string
	}{
		{"all", store.CallFilter{}, "4 3 2 1"},
		{"a page", store.CallFilter{Limit: 2}, "4 3"},
		{"the next page", store.CallFilter{Before: c}, "2 1"},
		{"since", store.CallFilter{Since: c}, "4 3"},
		{"of somebody", store.CallFilter{Actor: "schedule *"}, "4 1"},
		{"that follow from nothing", store.CallFilter{Actor: "schedule *", First: true}, "1"},
	} {
		found, err := s.Calls(context.Background(), x.f)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range found {
			id := strings.TrimSuffix(e.Event.Tag, "/new")
			got = append(got, id[len(id)-1:])
		}
		if strings.Join(got, " ") != x.want {
			t.Errorf("%s: got %v, want %v", x.name, got, x.want)
		}
	}
}
