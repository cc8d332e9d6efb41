package hook

import (
	"context"
	"encoding/json"

	"brine/master/store"
	"brine/proto"
)

// What is signed without a time could be told again by whoever has seen it, and what is signed with one for some minutes. So the
// events of a signed message name its delivery, and a message whose delivery the log names counts no more, at no master.

// remembers tells whether a message counts once.
func (s *Source) remembers(delivery string) bool { return delivery != "" && s.remember() > 0 }

// again tells whether the log names a delivery. The caller holds the lock of the source.
func (h *Handler) again(ctx context.Context, name string, s *Source, delivery string) (bool, error) {
	if !s.remembers(delivery) {
		return false, nil
	}
	tag := family + name + "/*"
	if s.Kind == kindSalt {
		tag = saltTag + "*"
	}
	entries, err := h.o.Events(ctx, tag, delivery, maxBefore)
	if err != nil {
		return false, err
	}
	since := h.o.Now().Add(-s.remember()).UnixMicro()
	for _, e := range entries {
		var data struct{ Delivery string }
		if json.Unmarshal(e.Event.GetData(), &data) == nil && data.Delivery == delivery && e.Event.Actor == "hook "+name && e.Event.At > since {
			return true, nil
		}
	}
	return false, nil
}

// remembered is the record of a message that told nothing new.
func (h *Handler) remembered(name, delivery string) (*proto.Record, error) {
	data, err := encode(map[string]string{"source": name, "delivery": delivery})
	if err != nil {
		return nil, err
	}
	now := h.o.Now().UnixMicro()
	return store.NewRecord(now, h.o.Master, &proto.Event{Tag: family + name + "/" + unmapped + "/repeated", Origin: h.o.Master, Data: data, At: now, Actor: "hook " + name})
}
