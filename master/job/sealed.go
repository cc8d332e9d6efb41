package job

import (
	"strings"

	"brine/proto"
)

// maxSealed is how many minions a job with sealed arguments may have: the
// record of it travels in one message.
const maxSealed = 4000

// sealedFor are the keys of a request's sealed arguments, each for one of ids.
func (q *request) sealedFor(ids []string) ([]*proto.SealedKey, error) {
	if len(q.Sealed) == 0 {
		return nil, nil
	}
	if len(ids) > maxSealed {
		return nil, refuse(proto.ApiError_INVALID, "cannot seal arguments for %d minions: at most %d at once are allowed", len(ids), maxSealed)
	}
	of := make(map[string]*proto.SealedKey, len(q.keys))
	for _, k := range q.keys {
		of[k.GetMinion()] = k
	}
	keys, missing := make([]*proto.SealedKey, 0, len(ids)), []string(nil)
	for _, id := range ids {
		if k := of[id]; k != nil && len(k.Sealed) > 0 && len(k.Sealed) < maxName {
			keys = append(keys, k)
		} else {
			missing = append(missing, id)
		}
	}
	if len(missing) > 0 {
		return nil, refuse(proto.ApiError_CONFLICT, "the sealed arguments are not for %s, which the target has come to mean: ask again",
			strings.Join(missing[:min(len(missing), 5)], ", "))
	}
	return keys, nil
}
