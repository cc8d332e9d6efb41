package job

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"unicode/utf8"

	pb "brine/proto"
)

const (
	partSize = 256 << 10 // a larger value goes as parts
	maxValue = 64 << 20  // a larger value is cut
	maxCell  = 64 << 10  // bytes of a text of our own
)

// pack makes of a return what is kept and sent. It may change ret.
func (r *Runner) pack(ret *pb.Return) *result {
	ret.Reason = strings.ToValidUTF8(ret.Reason, "?")
	if len(ret.Value) > maxValue {
		ret.Value, ret.Truncated = cut(ret.Value, maxValue), true
	}
	if len(ret.Value) <= partSize {
		return &result{fin: marshal(ret)}
	}
	value := ret.Value
	sum := sha256.Sum256(value)
	res := &result{}
	for len(value) > 0 {
		n := min(len(value), partSize)
		res.parts, value = append(res.parts, value[:n:n]), value[n:]
	}
	ret.Value, ret.Parts, ret.ValueSha256 = nil, uint32(len(res.parts)), sum[:]
	res.fin = marshal(ret)
	return res
}

// cut shortens a JSON text to limit bytes. What is left is a JSON string
// that ends with a mark: the beginning of the string that it was, or of the
// text of any other value.
func cut(value []byte, limit int) []byte {
	mark := fmt.Sprintf(` ... [cut: the value had %d bytes, the limit is %d]"`, len(value), limit)
	room := limit - len(mark)
	if len(value) > 0 && value[0] == '"' {
		n := 1
		for n < len(value) {
			step := 1
			switch c := value[n]; {
			case c == '\\' && n+1 < len(value) && value[n+1] == 'u':
				step = 6
			case c == '\\':
				step = 2
			case c >= utf8.RuneSelf:
				_, step = utf8.DecodeRune(value[n:])
			}
			if n+step > room {
				break
			}
			n += step
		}
		return append(value[:n:n], mark...)
	}
	short := quote(string(value[:min(len(value), room)]), room)
	return append(short[:len(short)-1:len(short)-1], mark...)
}

// quote is s as a JSON string of at most limit bytes; what goes beyond is left out.
func quote(s string, limit int) []byte {
	const hex = "0123456789abcdef"
	b := make([]byte, 0, min(len(s)+2, limit))
	b = append(b, '"')
	for _, c := range s {
		var one [6]byte
		e := one[:0]
		switch {
		case c == '"' || c == '\\':
			e = append(e, '\\', byte(c))
		case c < ' ':
			e = append(e, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			e = utf8.AppendRune(e, c)
		}
		if len(b)+len(e)+1 > limit {
			break
		}
		b = append(b, e...)
	}
	return append(b, '"')
}
