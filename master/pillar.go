package master

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	pb "google.golang.org/protobuf/proto"

	"brine/master/pillar"
	"brine/master/store"
	"brine/pki"
	"brine/proto"
	"brine/proto/subject"
	"brine/proto/target"
	"brine/states/host"
	"brine/states/value"
)

// maxPillar is what one message to a minion can hold.
const maxPillar = 900 << 10

// A pillarAsk is a minion's question for its pillar, or into the mine.
type pillarAsk struct {
	msg      *nats.Msg
	id, verb string    // who asks what, as the subject proves
	at       time.Time // files as they were then or later are meant
}

func (m *Master) startPillar(context.Context) (func(), error) {
	c := m.o.Config
	groups, err := value.Of(map[string]any(c.Nodegroups))
	if err != nil {
		return nil, fmt.Errorf("cannot use the nodegroups: %w", err)
	}
	var over []pillar.Trees
	for i, p := range c.GitPillar {
		over = append(over, gitTrees{m.gitPillar, i, p.environment()})
	}
	m.pillars = pillar.New(pillar.Options{
		Trees: pillar.NewDirs(c.PillarRoots), Over: over, Merging: c.merging(),
		Config: value.NewDict("nodegroups", groups),
		Mine:   func(minion string) host.Mine { return asked{m, minion} },

		Decrypt: c.secrets().Decrypt, External: c.externals(), ExternalFirst: c.Pillar.ExternalFirst, Exec: new(host.Local).Run,
		Exposed: c.Pillar.WarnOfGrains,
	})
	return nil, nil
}

// askedPillar puts a request for pillar or into the mine aside; to answer it may take long. When too many wait, or too
// many of the same minion, it is dropped, and the minion asks again.
func (m *Master) askedPillar(msg *nats.Msg) bool {
	id, verb, err := subject.ParseRequest(msg.Subject)
	if err != nil || verb != subject.Pillar && verb != subject.Mined {
		return false
	}
	if !m.asking.begin(id, maxOfOne) {
		return true
	}
	select {
	case m.pillarAsks <- pillarAsk{msg, id, verb, time.Now()}:
	default:
		m.asking.end(id)
	}
	return true
}

// maxExposures is how many secrets that are given by grains are told.
const maxExposures = 5

// pillarWarnings tell of secrets that are given by grains.
func (m *Master) pillarWarnings() []string {
	texts := m.pillars.Exposures(func(id string) bool { _, ok := m.keys.SigningKey(id); return ok })
	if more := len(texts) - maxExposures; more > 0 {
		texts = append(texts[:maxExposures], fmt.Sprintf("%d more secrets of pillar are given by grains: brine states top --pillar-root shows them", more))
	}
	for i := range texts[:min(len(texts), maxExposures)] {
		texts[i] = "pillar: " + texts[i] + " (or set warn_of_grains = false in [pillar] of master.toml)"
	}
	return texts
}

func (m *Master) servePillar(ctx context.Context) {
	for {
		select {
		case ask := <-m.pillarAsks:
			m.answerPillar(ctx, ask)
		case <-ctx.Done():
			return
		}
	}
}

// answerPillar tells a minion what it alone may know.
func (m *Master) answerPillar(ctx context.Context, ask pillarAsk) {
	id := ask.id
	defer m.asking.end(id)
	if !m.broker.ConnectedHere(id) {
		return // another master's minion: that one answers
	}
	reply := m.pillarReply
	if ask.verb == subject.Mined {
		reply = m.mineReply
	}
	data, err := reply(ctx, id, ask)
	if err == nil {
		err = m.broker.Reply(ask.msg, subject.Token(id), data)
	}
	if err != nil {
		m.complain(id, "cannot answer minion", "minion", id, "verb", ask.verb, "err", err)
	}
}

func (m *Master) pillarReply(ctx context.Context, id string, ask pillarAsk) ([]byte, error) {
	req := &proto.PillarRequest{}
	if err := pb.Unmarshal(ask.msg.Data, req); err != nil {
		return nil, err
	}
	key, ok := m.keys.ByID(id)
	if !ok {
		return nil, errors.New("its key is not accepted")
	}
	content := &proto.Pillar{}
	p, err := m.pillars.Of(ctx, id, req.Environment, req.Grains, ask.at)
	if err == nil {
		content.Mistakes, content.Tree, content.Opened = p.Mistakes, p.Tree, p.Opened
		content.Data, err = value.MarshalJSON(p.Data)
	}
	if err == nil {
		content.Nodegroups, err = json.Marshal(m.o.Config.Nodegroups)
	}
	if err != nil {
		content = &proto.Pillar{Mistakes: []string{err.Error()}}
	}
	sealed, err := sealedPillar(key.SealingKey, content)
	if err != nil {
		return nil, err
	}
	return m.signed(proto.Kind_KIND_PILLAR, &proto.PillarReply{Master: m.id.Name, Minion: id, RequestId: req.Id, Sealed: sealed})
}

func sealedPillar(key []byte, p *proto.Pillar) ([]byte, error) {
	data, err := compressed(p)
	if err != nil {
		return nil, err
	}
	if len(data) > maxPillar {
		return sealedPillar(key, &proto.Pillar{Tree: p.Tree, Mistakes: []string{fmt.Sprintf(
			"the pillar has %d KiB when compressed, the limit is %d KiB: put large data into files", len(data)>>10, maxPillar>>10)}})
	}
	return pki.Seal(key, data)
}

// compressed is a message as it is sealed.
func compressed(p pb.Message) ([]byte, error) {
	data, err := pb.Marshal(p)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// errNoGrains is why grains, and pillar, of a minion are not known that was accepted and never came.
var errNoGrains = errors.New("it has told no grains yet")

// pillarFacts is the pillar of a minion by the grains that it told last, for targets; nil, with the reason, where it is
// not known: then neither what asks for the pillar nor the opposite means the minion.
func (m *Master) pillarFacts(ctx context.Context, id string, since time.Time) (known target.Map, why, err error) {
	grains, err := m.grains.Of(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNoGrains, nil
	}
	if err != nil {
		return nil, nil, err
	}
	p, err := m.pillars.Of(ctx, id, "", grains.Data, since)
	if err != nil {
		return nil, nil, err
	}
	if len(p.Mistakes) > 0 {
		m.complain(id, "pillar of a minion not made: targets that ask for it leave the minion out", "minion", id, "mistake", p.Mistakes[0])
		return nil, fmt.Errorf("it cannot be made: %s", p.Mistakes[0]), nil
	}
	return p.Data, nil, nil
}
