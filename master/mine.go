package master

import (
	"context"
	"errors"
	"fmt"

	pb "google.golang.org/protobuf/proto"

	"brine/master/mine"
	"brine/pki"
	"brine/proto"
	"brine/states/host"
	"brine/states/value"
)

// maxMined bounds the functions of one question.
const maxMined = 1000

// mined is what a minion may see of the mine.
func (m *Master) mined(ctx context.Context, q mine.Query) ([]*proto.MineItem, error) {
	if len(q.Functions) > maxMined {
		return nil, fmt.Errorf("cannot ask for %d functions at once, the limit is %d", len(q.Functions), maxMined)
	}
	return m.mines.Get(ctx, m.mineSite(), q)
}

// mineSite is the site as the mine sees it.
func (m *Master) mineSite() mine.Site {
	return mine.Site{Accepted: m.keys.Accepted, Key: m.keys.SigningKey, Language: m.o.Config.language, Facts: m.facts,
		PillarKeys: m.o.Config.Mine.PillarKeys}
}

// mineReply answers a minion, whose id its subject proves, with what it alone may know.
func (m *Master) mineReply(ctx context.Context, id string, ask pillarAsk) ([]byte, error) {
	req := &proto.MineRequest{}
	if err := pb.Unmarshal(ask.msg.Data, req); err != nil {
		return nil, err
	}
	key, ok := m.keys.ByID(id)
	if !ok {
		return nil, errors.New("its key is not accepted")
	}
	found := &proto.MineFound{}
	var err error
	if found.Items, err = m.mined(ctx, mine.Query{Asker: id, Target: req.Target, Type: req.TargetType, Functions: req.Functions}); err != nil {
		found = &proto.MineFound{Error: err.Error()}
	}
	data, err := compressed(found)
	if err == nil && len(data) > maxPillar {
		data, err = compressed(&proto.MineFound{Error: fmt.Sprintf("the answer has %d KiB when compressed, the limit is %d KiB: "+
			"ask for fewer minions or functions", len(data)>>10, maxPillar>>10)})
	}
	if err != nil {
		return nil, err
	}
	sealed, err := pki.Seal(key.SealingKey, data)
	if err != nil {
		return nil, err
	}
	return m.signed(proto.Kind_KIND_MINE, &proto.MineAnswer{Master: m.id.Name, Minion: id, RequestId: req.Id, Sealed: sealed})
}

// asked is the mine as the templates of a minion's pillar see it.
type asked struct {
	m      *Master
	minion string
}

var _ host.Mine = asked{}

func (a asked) Get(ctx context.Context, q host.MineQuery) ([]host.MineItem, error) {
	found, err := a.m.mined(ctx, mine.Query{Asker: a.minion, Target: q.Target, Type: q.Type, Functions: q.Functions, Making: true})
	if err != nil {
		return nil, err
	}
	items := make([]host.MineItem, len(found))
	for i, f := range found {
		v, err := value.FromJSON(f.Data)
		if err != nil {
			return nil, fmt.Errorf("cannot read %s of minion %q: %w", f.Function, f.Minion, err)
		}
		items[i] = host.MineItem{Function: f.Function, Minion: f.Minion, Value: v}
	}
	return items, nil
}

func (asked) Edit(context.Context, func(map[string]host.MineEntry)) error {
	return errors.New("cannot change the mine: pillar is made on a master")
}
