package random

import (
	"crypto/sha512"
	"encoding/binary"
	"math/big"
	"math/bits"

	"brine/states/module"
	"brine/states/value"
)

// A twister is the Mersenne Twister as Python seeds and draws it, so that a seed gives the numbers that it
// gives in Salt.
type twister struct {
	state [624]uint32
	next  int
}

// seeded makes a twister of what Python's random.seed takes: text or an integer.
func seeded(seed any) (*twister, error) {
	switch s := seed.(type) {
	case string:
		sum := sha512.Sum512([]byte(s))
		return fromBytes(append([]byte(s), sum[:]...)), nil
	case bool:
		if s {
			return fromBytes([]byte{1}), nil
		}
		return fromBytes(nil), nil
	case int64:
		return fromBytes(new(big.Int).Abs(big.NewInt(s)).Bytes()), nil
	case *big.Int:
		return fromBytes(s.Bytes()), nil
	}
	return nil, module.Data(seed).Want("text or an integer as the seed")
}

// fromBytes seeds with a number, its highest byte first.
func fromBytes(number []byte) *twister {
	padded := make([]byte, (len(number)+3)/4*4)
	copy(padded[len(padded)-len(number):], number)
	var key []uint32
	for i := len(padded); i > 0; i -= 4 {
		key = append(key, binary.BigEndian.Uint32(padded[i-4:]))
	}
	for len(key) > 1 && key[len(key)-1] == 0 {
		key = key[:len(key)-1]
	}
	if len(key) == 0 {
		key = []uint32{0}
	}
	t := &twister{next: 624}
	t.mix(key)
	return t
}

func (t *twister) mix(key []uint32) {
	s := &t.state
	s[0] = 19650218
	for i := 1; i < 624; i++ {
		s[i] = 1812433253*(s[i-1]^s[i-1]>>30) + uint32(i)
	}
	i, j := 1, 0
	step := func() {
		if i++; i >= 624 {
			s[0], i = s[623], 1
		}
	}
	for range max(624, len(key)) {
		s[i] = (s[i] ^ (s[i-1]^s[i-1]>>30)*1664525) + key[j] + uint32(j)
		step()
		if j++; j >= len(key) {
			j = 0
		}
	}
	for range 623 {
		s[i] = (s[i] ^ (s[i-1]^s[i-1]>>30)*1566083941) - uint32(i)
		step()
	}
	s[0] = 0x80000000
}

func (t *twister) uint32() uint32 {
	if t.next == 624 {
		for i := range t.state {
			y := t.state[i]&0x80000000 | t.state[(i+1)%624]&0x7fffffff
			t.state[i] = t.state[(i+397)%624] ^ y>>1 ^ y&1*0x9908b0df
		}
		t.next = 0
	}
	y := t.state[t.next]
	t.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// bits draws k bits, at most 64.
func (t *twister) bits(k int) uint64 {
	if k <= 32 {
		return uint64(t.uint32() >> (32 - k))
	}
	low := uint64(t.uint32())
	return uint64(t.uint32()>>(64-k))<<32 | low
}

// below draws a number from 0 to n-1; n is above 0.
func (t *twister) below(n uint64) uint64 {
	k := bits.Len64(n)
	r := t.bits(k)
	for r >= n {
		r = t.bits(k)
	}
	return r
}

// A source draws numbers from 0 to n-1.
type source interface{ below(n uint64) uint64 }

// sample draws k members as Python's random.sample does.
func sample(from source, members []any, k int) *value.List {
	n := len(members)
	pool := append([]any(nil), members...)
	out := &value.List{Items: make([]any, k)}
	size := 21
	if k > 5 {
		power := 1 // the least power of 4 that is not below 3k
		for power < 3*k {
			power *= 4
		}
		size += power
	}
	if n <= size {
		for i := range out.Items {
			j := int(from.below(uint64(n - i)))
			out.Items[i] = pool[j]
			pool[j] = pool[n-i-1]
		}
		return out
	}
	taken := make(map[int]bool, k)
	for i := range out.Items {
		j := int(from.below(uint64(n)))
		for taken[j] {
			j = int(from.below(uint64(n)))
		}
		taken[j] = true
		out.Items[i] = pool[j]
	}
	return out
}
