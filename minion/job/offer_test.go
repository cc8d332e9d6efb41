package job

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	pb "brine/proto"
	"brine/proto/subject"
)

func TestAReturnIsOfferedUntilAllMastersHaveIt(t *testing.T) {
	type step struct{ master, live string }
	for name, c := range map[string]struct {
		acks []step
		want bool
	}{
		"one of one":        {[]step{{"m1", "m1"}}, true},
		"one of two":        {[]step{{"m1", "m1 m2"}}, false},
		"two of two":        {[]step{{"m1", "m1 m2"}, {"m2", "m1 m2"}}, true},
		"the other way":     {[]step{{"m2", "m2 m1"}, {"m1", "m1 m2"}}, true},
		"twice the same":    {[]step{{"m1", "m1 m2"}, {"m1", "m1 m2"}}, false},
		"one died since":    {[]step{{"m1", "m1 m2"}, {"m1", "m1"}}, true},
		"no list":           {[]step{{"m1", ""}}, false},
		"not its own":       {[]step{{"m1", "m2"}}, false},
		"cut, heard both":   {[]step{{"m1", "m1 m2"}, {"m2", "m2"}}, true},
		"no master's name":  {[]step{{"", "m1"}}, false},
		"three, any order":  {[]step{{"m3", "m1 m2 m3"}, {"m1", "m1 m2 m3"}, {"m2", "m2 m1 m3"}}, true},
		"three, one absent": {[]step{{"m3", "m1 m2 m3"}, {"m1", "m1 m2 m3"}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			test(t, func(t *testing.T, m *minion) {
				d := m.draft("test.ping")
				m.Handle("job.all", m.sign(d))
				first := final(t, d, m.take())
				for _, s := range c.acks {
					m.ack(s.master, s.live, d)
				}
				m.Reoffer()
				all := m.take()
				if settled := len(all) == 0; settled != c.want {
					t.Fatalf("settled: got %v, want %v", settled, c.want)
				}
				if c.want {
					time.Sleep(time.Hour)
					if all := m.take(); len(all) != 0 {
						t.Errorf("settled, and %d messages", len(all))
					}
				} else if !proto.Equal(first, final(t, d, all)) {
					t.Error("another return than before")
				}
			})
		})
	}
}

func TestAMasterThatAckedLatelyMustHaveEverything(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		a, b := m.draft("test.ping"), m.draft("test.ping")
		m.Handle("job.all", m.sign(a))
		m.take()
		m.ack("m1", "m1", a)
		m.ack("m2", "m2", a) // the masters are cut off from each other
		m.Handle("job.all", m.sign(b))
		m.take()
		m.ack("m1", "m1", b)
		m.Reoffer()
		final(t, b, m.take())
		time.Sleep(heardLately + 1) // m2 is gone
		m.take()
		m.ack("m1", "m1", b)
		m.Reoffer()
		if all := m.take(); len(all) != 0 {
			t.Errorf("still offered: %d messages", len(all))
		}
	})
}

func TestAPulseSettlesWhatItMarks(t *testing.T) {
	for name, c := range map[string]struct {
		change func(p *pb.Pulse, d draft)
		want   bool
	}{
		"its return":        {func(p *pb.Pulse, d draft) {}, true},
		"among others":      {func(p *pb.Pulse, d draft) { p.Stored = append(make([]byte, 1600), p.Stored...) }, true},
		"of one master":     {func(p *pb.Pulse, d draft) { p.Live = []string{"m1"} }, true},
		"another's":         {func(p *pb.Pulse, d draft) { p.Stored = mark("web2", d) }, false},
		"of another job":    {func(p *pb.Pulse, d draft) { p.Stored[0]++ }, false},
		"shifted":           {func(p *pb.Pulse, d draft) { p.Stored = slices.Concat(make([]byte, 8), p.Stored, make([]byte, 8)) }, false},
		"cut":               {func(p *pb.Pulse, d draft) { p.Stored = append(p.Stored, 1) }, false},
		"nothing":           {func(p *pb.Pulse, d draft) { p.Stored = nil }, false},
		"no list":           {func(p *pb.Pulse, d draft) { p.Live = nil }, false},
		"not its own":       {func(p *pb.Pulse, d draft) { p.Live = []string{"m2"} }, false},
		"no master's name":  {func(p *pb.Pulse, d draft) { p.Live = append(p.Live, "") }, false},
		"while m3 is heard": {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			test(t, func(t *testing.T, m *minion) {
				d, old := m.draft("test.ping"), m.draft("test.ping")
				if c.change == nil {
					m.Handle("job.all", m.sign(old))
					m.take()
					m.ack("m3", "m3", old)
					c.change = func(*pb.Pulse, draft) {}
				}
				m.Handle("job.all", m.sign(d))
				final(t, d, m.take())
				p := &pb.Pulse{Master: "m1", Live: []string{"m1", "m2"}, Stored: mark(m.o.ID, d)}
				c.change(p, d)
				m.Pulse("pulse.m1.1", nil)
				m.Pulse("pulse.m1.1", []byte("garbage"))
				m.Pulse("pulse.m1.1", marshal(p))
				m.Reoffer()
				if settled := len(m.take()) == 0; settled != c.want {
					t.Errorf("settled: got %v, want %v", settled, c.want)
				}
			})
		})
	}
}

func TestAPulseBeforeTheReturnIsNoWordOfIt(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		d := m.draft("slow")
		end := m.hold("slow")
		m.Handle("job.all", m.sign(d))
		m.take()
		m.Pulse("pulse.m1.1", marshal(&pb.Pulse{Master: "m1", Live: []string{"m1"}, Stored: mark(m.o.ID, d)}))
		end <- Result{}
		final(t, d, m.take())
		m.Reoffer()
		final(t, d, m.take())
	})
}

func mark(minion string, d draft) []byte {
	m := pb.MarkOf(minion, d.Jid, d.RequestId)
	return m[:]
}

func TestUnackedReturnsAreOfferedMoreAndMoreSeldom(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		d := m.draft("test.ping")
		m.Handle("job.all", m.sign(d))
		final(t, d, m.take())
		time.Sleep(2*offerFirst + 1)
		final(t, d, m.take())
		time.Sleep(time.Hour)
		if n := len(m.take()); n < 55 || n > 65 {
			t.Errorf("offered %d times in an hour, want about 60", n)
		}
	})
}

func TestNothingIsLostWithoutAConnection(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		gate := m.hold("cmd.run")
		slow, quick := m.draft("cmd.run"), m.draft("test.ping")
		m.setAway(true)
		m.Handle("job.all", m.sign(slow))
		m.Handle("job.all", m.sign(quick))
		time.Sleep(time.Minute)
		m.setAway(false)
		m.Reoffer()
		m.Reoffer()
		all := m.take()
		if acc := accepted(t, slow, all); len(acc) == 0 || acc[0].State != pb.Accepted_STARTED {
			t.Errorf("got %v", acc)
		}
		if n := len(all); n > 4 {
			t.Errorf("got %d messages", n)
		}
		m.ack("m1", "m1", quick)
		gate <- Result{}
		final(t, slow, m.take())
	})
}

func TestLargeValuesGoAsParts(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		for _, size := range []int{partSize, partSize + 1, 5*partSize + 7} {
			d := m.draft("cmd.run", fmt.Sprintf("size=%d", size))
			m.Handle("job.all", m.sign(d))
			want := []byte(`"` + strings.Repeat("x", size-2) + `"`)
			checkValue(t, d, m.take(), want)
			m = m.crash()
			m.Reoffer()
			checkValue(t, d, m.take(), want)
			m.ack("m1", "m1", d)
		}
	})
}

func checkValue(t *testing.T, d draft, all []message, want []byte) {
	t.Helper()
	ret := final(t, d, all)
	value := ret.Value
	for i := range int(ret.Parts) {
		p := &pb.Part{}
		if all[i].subject != subject.Part("web1", d.Jid, i) || proto.Unmarshal(all[i].data, p) != nil {
			t.Fatalf("message %d is %q", i, all[i].subject)
		}
		if p.Index != uint32(i) || p.Count != ret.Parts || len(p.Data) > partSize || p.Jid != d.Jid {
			t.Errorf("part %d: %d of %d, %d bytes", i, p.Index, p.Count, len(p.Data))
		}
		value = append(value, p.Data...)
	}
	if sum := sha256.Sum256(want); ret.Parts > 0 && !bytes.Equal(ret.ValueSha256, sum[:]) {
		t.Error("wrong sum")
	}
	if !bytes.Equal(value, want) {
		t.Errorf("got %d bytes, want %d", len(value), len(want))
	}
}

func TestValuesAreCutAt64MiB(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		d := m.draft("cmd.run", fmt.Sprintf("size=%d", maxValue+1))
		m.Handle("job.all", m.sign(d))
		all := m.take()
		ret := final(t, d, all)
		if !ret.Truncated || ret.Parts != maxValue/partSize || len(all) != maxValue/partSize+1 {
			t.Fatalf("got %d parts, truncated %v", ret.Parts, ret.Truncated)
		}
		p := &pb.Part{}
		if err := proto.Unmarshal(all[ret.Parts-1].data, p); err != nil {
			t.Fatal(err)
		}
		want := `xx ... [cut: the value had 67108865 bytes, the limit is 67108864]"`
		if !strings.HasSuffix(string(p.Data), want) {
			t.Errorf("ends with %q", p.Data[len(p.Data)-90:])
		}
	})
}

func TestCutLeavesJSON(t *testing.T) {
	for _, value := range []string{
		`"` + strings.Repeat("a", 300) + `"`,
		`"` + strings.Repeat(`\\`, 300) + `"`,
		`"` + strings.Repeat(`\"`, 300) + `"`,
		`"` + strings.Repeat(`é`, 300) + `"`,
		`"x` + strings.Repeat(`ሴ`, 100) + `"`,
		`{"a": "` + strings.Repeat(`\n`, 300) + `"}`,
		`[` + strings.Repeat(`"é",`, 300) + `1]`,
	} {
		for limit := 100; limit < 120; limit++ {
			got := cut([]byte(value), limit)
			var s string
			if err := json.Unmarshal(got, &s); err != nil {
				t.Fatalf("%s: %v", got, err)
			}
			mark := fmt.Sprintf(" ... [cut: the value had %d bytes, the limit is %d]", len(value), limit)
			if len(got) > limit || len(got) < limit-12 || !strings.HasSuffix(s, mark) {
				t.Errorf("limit %d: got %d bytes: %s", limit, len(got), got)
			}
		}
	}
}

func TestUnsettledReturnsAreBounded(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		const each = 60 << 20
		var jobs []draft
		for range 6 {
			d := m.draft("cmd.run", fmt.Sprintf("size=%d", each))
			m.Handle("job.all", m.sign(d))
			synctest.Wait()
			jobs = append(jobs, d)
			time.Sleep(time.Millisecond)
		}
		all := m.take()
		events := 0
		for _, msg := range all {
			if msg.subject == "evt.web1.brine.journal.dropped" {
				events++
			}
		}
		if events != 2 {
			t.Errorf("got %d events", events)
		}
		m.Reoffer()
		all = m.take()
		for i, d := range jobs {
			ret := final(t, d, all)
			if dropped := i < 2; ret.Truncated != dropped || (ret.Parts == 0) != dropped || ret.Outcome != pb.Outcome_OK {
				t.Errorf("job %d: %v", i, ret)
			}
		}
	})
}

func TestReturnsThatAMasterNeverAcksEnd(t *testing.T) {
	test(t, func(t *testing.T, m *minion) {
		early := m.draft("test.ping")
		m.Handle("job.all", m.sign(early))
		m.take()
		m.setAway(true)
		time.Sleep(unsettledAge - time.Hour)
		late := m.draft("test.ping")
		m.Handle("job.all", m.sign(late))
		time.Sleep(2 * time.Hour)
		newest := m.draft("test.ping")
		m.Handle("job.all", m.sign(newest))
		time.Sleep(time.Minute)
		synctest.Wait()
		m.setAway(false)
		m.Reoffer()
		all := m.take()
		final(t, late, all)
		final(t, newest, all)
		if len(all) != 2 {
			t.Errorf("got %d messages after a week", len(all))
		}
	})
}
