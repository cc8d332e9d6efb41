package job

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"slices"
)

// A journal file begins with a page that holds the header twice. Frames follow
// at firstFrame, one after the other; each was written and synced alone, so
// only the last can be torn. What lies behind the last frame has no meaning.
//
//	header: magic[8] version[4] zero[4] generation[8] nonce[8] crc[4]
//	frame:  nonce[8] sequence[8] size[8] length[4] crc[4] payload[length]
//
// All numbers are little-endian, every crc is CRC-32C of what precedes it and
// of the payload. The nonce is random, one a generation, and known to nobody
// who cannot read the file: bytes inside of a value never pass for a frame,
// nor does what an earlier generation left. The size is the file's when the
// frame was written: a shorter file has lost its end.
const (
	magic         = "BRINEJNL"
	formatVersion = 1
	headerSize    = 36
	headerCopy    = 2048
	firstFrame    = 4096
	frameHeader   = 32

	preallocated = 1 << 20
	growth       = 1 << 20 // a file that needs more grows by multiples of it
	frameTarget  = 1 << 20 // a frame is closed once it has this much
	maxFrame     = 8 << 20 // no frame is larger: bounds what a reader allocates
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(parts ...[]byte) uint32 {
	var sum uint32
	for _, p := range parts {
		sum = crc32.Update(sum, castagnoli, p)
	}
	return sum
}

// header tells which of two files counts (the higher generation) and how its frames begin.
type header struct {
	generation, nonce uint64
}

// encode returns the file's first page.
func (h header) encode() []byte {
	b := make([]byte, headerSize)
	copy(b, magic)
	binary.LittleEndian.PutUint32(b[8:], formatVersion)
	binary.LittleEndian.PutUint64(b[16:], h.generation)
	binary.LittleEndian.PutUint64(b[24:], h.nonce)
	binary.LittleEndian.PutUint32(b[32:], checksum(b[:32]))
	page := make([]byte, firstFrame)
	copy(page, b)
	copy(page[headerCopy:], b)
	return page
}

// decodeHeader reads the first page; either copy will do.
func decodeHeader(page []byte) (h header, version uint32, ok bool) {
	for _, at := range []int{0, headerCopy} {
		if len(page) < at+headerSize {
			continue
		}
		b := page[at : at+headerSize]
		if string(b[:8]) != magic || binary.LittleEndian.Uint32(b[32:]) != checksum(b[:32]) {
			continue
		}
		h.generation, h.nonce = binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint64(b[24:])
		return h, binary.LittleEndian.Uint32(b[8:]), true
	}
	return h, 0, false
}

// sealFrame fills in the header of a frame, for which its first bytes were left free.
func sealFrame(frame []byte, nonce, sequence uint64, size int64) {
	binary.LittleEndian.PutUint64(frame, nonce)
	binary.LittleEndian.PutUint64(frame[8:], sequence)
	binary.LittleEndian.PutUint64(frame[16:], uint64(size))
	binary.LittleEndian.PutUint32(frame[24:], uint32(len(frame)-frameHeader))
	binary.LittleEndian.PutUint32(frame[28:], checksum(frame[:28], frame[frameHeader:]))
}

type frame struct {
	sequence uint64
	size     int64
	payload  []byte
	end      int64 // offset of what follows
}

// frames reads the frames of one file.
type frames struct {
	d     disk
	nonce uint64
	size  int64
	err   error // the first of reading the file
	buf   []byte
}

func (r *frames) read(b []byte, off int64) bool {
	_, err := r.d.ReadAt(b, off)
	if err != nil && r.err == nil {
		r.err = err
	}
	return err == nil
}

// at reads the frame at off. Its payload is good until the next call.
func (r *frames) at(off int64) (f frame, ok bool) {
	var head [frameHeader]byte
	if off+frameHeader > r.size {
		return f, false
	}
	if !r.read(head[:], off) {
		return f, false
	}
	n := int64(binary.LittleEndian.Uint32(head[24:]))
	if binary.LittleEndian.Uint64(head[:]) != r.nonce || n > maxFrame || off+frameHeader+n > r.size {
		return f, false
	}
	r.buf = slices.Grow(r.buf[:0], int(n))[:n]
	if !r.read(r.buf, off+frameHeader) {
		return f, false
	}
	if binary.LittleEndian.Uint32(head[28:]) != checksum(head[:28], r.buf) {
		return f, false
	}
	return frame{
		sequence: binary.LittleEndian.Uint64(head[8:]),
		size:     int64(binary.LittleEndian.Uint64(head[16:])),
		payload:  r.buf,
		end:      off + frameHeader + n,
	}, true
}

// after looks for the next good frame at or behind off.
func (r *frames) after(off int64) (at int64, f frame, ok bool) {
	var mark [8]byte
	binary.LittleEndian.PutUint64(mark[:], r.nonce)
	window := make([]byte, 64<<10)
	for off+frameHeader <= r.size {
		n, _ := r.d.ReadAt(window[:min(int64(len(window)), r.size-off)], off)
		i := bytes.Index(window[:n], mark[:])
		switch {
		case i >= 0:
			if f, ok := r.at(off + int64(i)); ok {
				return off + int64(i), f, true
			}
			off += int64(i) + 1
		case n < len(window): // the end, or a part that cannot be read
			off += max(int64(n)-7, 4096)
		default:
			off += int64(n) - 7
		}
	}
	return 0, f, false
}
