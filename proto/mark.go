package proto

import "crypto/sha256"

// Mark stands for a minion's return of a job in a Pulse, which many minions
// hear. It tells nothing to who does not know the job's request id.
type Mark [16]byte

// MarkOf makes the mark of the return of a job with this request id.
func MarkOf(minion, jid string, requestID []byte) (m Mark) {
	data := make([]byte, 0, 160)
	data = append(append(data, minion...), 0)
	data = append(append(data, jid...), 0)
	sum := sha256.Sum256(append(data, requestID...))
	copy(m[:], sum[:])
	return m
}
