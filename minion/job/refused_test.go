package job

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/protobuf/proto"

	pb "brine/proto"
)

// refuse says in a master's name that it will never take a return.
func (m *minion) refuse(master, live string, d draft) {
	b, _ := proto.Marshal(&pb.Ack{Master: master, Live: strings.Fields(live), Items: []*pb.AckItem{
		{Jid: d.Jid, RequestId: d.RequestId, Refused: "too many different returns of one job"},
	}})
	m.Ack(b)
}

func TestARefusedReturnIsGivenUpAndNamed(t *testing.T) {
	for name, c := range map[string]struct {
		say  func(m *minion, d draft)
		over bool
	}{
		"by the only one": {func(m *minion, d draft) { m.refuse("m1", "m1", d) }, true},
		"by one of two":   {func(m *minion, d draft) { m.refuse("m1", "m1 m2", d) }, false},
		"by both":         {func(m *minion, d draft) { m.refuse("m1", "m1 m2", d); m.refuse("m2", "m1 m2", d) }, true},
		"taken by one":    {func(m *minion, d draft) { m.refuse("m1", "m1 m2", d); m.ack("m2", "m1 m2", d) }, true},
		"the other died": {func(m *minion, d draft) {
			m.refuse("m1", "m1 m2", d)
			m.ack("m1", "m1", m.draft("test.ping"))
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				m := newMinion(t, newSite(t), filepath.Join(t.TempDir(), "journal"), func(m *minion, _ *JournalOptions) {
					m.o.Log = hclog.New(&hclog.LoggerOptions{Level: hclog.Warn, Output: &log})
				})
				m.start()
				d := m.draft("test.ping")
				m.Handle("job.all", m.sign(d))
				final(t, d, m.take())
				c.say(m, d)
				m.Reoffer()
				if over := len(m.take()) == 0; over != c.over {
					t.Errorf("given up: got %v, want %v", over, c.over)
				}
				time.Sleep(time.Hour)
				if again := m.take(); c.over && len(again) > 0 {
					t.Errorf("given up, and %d messages", len(again))
				}
				if n := strings.Count(log.String(), "return given up"); n != 1 && c.over || n != 0 && !c.over {
					t.Errorf("got %d lines in the log: %s", n, log.String())
				}
				if c.over && !strings.Contains(log.String(), d.Jid) {
					t.Errorf("the job is not named: %s", log.String())
				}
			})
		})
	}
}
