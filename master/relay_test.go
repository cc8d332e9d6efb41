package master

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"brine/proto/subject"
)

// others is what the other masters were told.
type others []string

func (o *others) pass(returned string, data []byte) error {
	*o = append(*o, fmt.Sprintf("%s %s", returned, data))
	return nil
}

func TestWhatIsRelayedIsPassedOnAndTakenInInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told, taken others
		r := newRelay(told.pass)
		ctx, cancel := context.WithCancel(t.Context())
		go r.run(ctx, func(returned string, data []byte) { _ = taken.pass(returned, data) })
		for i := range 100 {
			if err := r.hear(subject.Relay("m1", subject.Part("web1", "1", i)), []byte{'x'}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		for i := range 100 {
			want := subject.Part("web1", "1", i) + " x"
			if told[i] != want || taken[i] != want {
				t.Fatalf("%d: told %q, taken %q, want %q", i, told[i], taken[i], want)
			}
		}
		if n := r.bytes.Load(); n != 0 {
			t.Errorf("%d bytes wait still", n)
		}
	})
}

func TestAStoreThatHangsHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told others
		r := newRelay(told.pass)
		hang := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		go r.run(ctx, func(string, []byte) { <-hang })
		on, lost := subject.Relay("m1", subject.Final("web1", "1")), 0
		const sent = maxRelayed + 100
		for range sent {
			if err := r.hear(on, []byte{'x'}); errors.Is(err, errRelayFull) {
				lost++
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if len(told) != sent {
			t.Errorf("the others heard %d of %d", len(told), sent)
		}
		if lost < 99 || lost > 100 { // one may be on its way into the store
			t.Errorf("%d of %d are lost here", lost, sent)
		}
		cancel()
		close(hang)
	})
}

func TestWhatWaitsToBeTakenInIsBounded(t *testing.T) {
	r := newRelay(func(string, []byte) error { return nil })
	on, large := subject.Relay("m1", subject.Part("web1", "1", 0)), make([]byte, 1<<20)
	for i := range maxPending / len(large) {
		if err := r.hear(on, large); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	if err := r.hear(on, large); !errors.Is(err, errRelayFull) {
		t.Errorf("got %v, want %v", err, errRelayFull)
	}
	if err := r.hear("relay.m1", nil); err == nil || errors.Is(err, errRelayFull) {
		t.Errorf("got %v for what is no subject", err)
	}
}
