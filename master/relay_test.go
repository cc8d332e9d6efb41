package master

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	pb "google.golang.org/protobuf/proto"

	"brine/proto"
	"brine/proto/subject"
)

// others is what the other masters were told.
type others struct {
	heard []string
	sent  int // messages
}

func (o *others) publish(subj string, data []byte) error {
	o.sent++
	if subj == subject.Relayed {
		return unpack(data, o.take)
	}
	o.take(subj, data)
	return nil
}

func (o *others) take(returned string, data []byte) {
	o.heard = append(o.heard, fmt.Sprintf("%s %.10s", returned, data))
}

func TestWhatIsRelayedIsPassedOnAndTakenInInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told, taken others
		r := newRelay(told.publish)
		ctx, cancel := context.WithCancel(t.Context())
		go r.run(ctx, taken.take)
		on := subject.Relay("m1", subject.Part("web1", "1", 0))
		for i := range 1000 {
			data := fmt.Append(nil, i, " ")
			if i%300 == 7 { // goes by itself
				data = append(data, make([]byte, relayBytes)...)
			}
			if err := r.hear(on, data); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(relayEach)
		synctest.Wait()
		cancel()
		synctest.Wait()
		for i := range 1000 {
			want := fmt.Sprintf("ret.web1.part %d ", i)
			if !strings.HasPrefix(told.heard[i], want) || !strings.HasPrefix(taken.heard[i], want) {
				t.Fatalf("%d: told %q, taken %q, want %q", i, told.heard[i], taken.heard[i], want)
			}
		}
		if n := r.bytes.Load(); n != 0 {
			t.Errorf("%d bytes wait still", n)
		}
		if told.sent > 20 {
			t.Errorf("the others were told by %d messages", told.sent)
		}
	})
}

func TestASingleMessageIsPassedOnAtOnceAndTheLastOnesAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told, taken others
		r := newRelay(told.publish)
		ctx, cancel := context.WithCancel(t.Context())
		go r.run(ctx, taken.take)
		on := subject.Relay("m1", subject.Final("web1", "1"))
		for i := range 3 {
			if err := r.hear(on, []byte{'x'}); err != nil {
				t.Fatal(err)
			}
			if i == 0 && len(told.heard) != 1 {
				t.Errorf("the first waits")
			}
		}
		cancel()
		synctest.Wait()
		if len(told.heard) != 3 {
			t.Errorf("the others heard %d of 3", len(told.heard))
		}
	})
}

func TestWhatCannotBePassedOnIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("no connection")
		r := newRelay(func(string, []byte) error { return broken })
		on := subject.Relay("m1", subject.Final("web1", "1"))
		for i, want := range []error{broken, nil, nil} {
			if err := r.hear(on, nil); !errors.Is(err, want) {
				t.Errorf("%d: got %v, want %v", i, err, want)
			}
		}
		time.Sleep(relayEach)
		synctest.Wait()
		for i, want := range []error{broken, nil} {
			if err := r.hear(on, nil); !errors.Is(err, want) {
				t.Errorf("later, %d: got %v, want %v", i, err, want)
			}
		}
		r.stop()
	})
}

func TestUnpackRefuses(t *testing.T) {
	half, err := pb.Marshal(&proto.RelayBatch{Subjects: []string{"ret.a.fin", "ret.b.fin"}, Data: [][]byte{{1}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]byte{half, {0xff}, []byte("garbage")} {
		if err := unpack(bad, func(on string, _ []byte) { t.Errorf("%q: taken %q", bad, on) }); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func TestAStoreThatHangsHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told others
		r := newRelay(told.publish)
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
		time.Sleep(relayEach)
		synctest.Wait()
		if len(told.heard) != sent {
			t.Errorf("the others heard %d of %d", len(told.heard), sent)
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
	for _, bad := range []string{"relay.m1", "relay.m1.web1.\xff"} {
		if err := r.hear(bad, nil); err == nil || errors.Is(err, errRelayFull) {
			t.Errorf("got %v for %q, which is no subject", err, bad)
		}
	}
}
