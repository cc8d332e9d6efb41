package master

import (
	"errors"
	"testing"
	"time"

	"brine/master/job"
	"brine/proto"
)

func TestARequestIsTakenOnceWhateverTheClockDoes(t *testing.T) {
	a := &answered{}
	start := time.Now()
	request := func(id string, at time.Time) *proto.ApiRequest {
		return &proto.ApiRequest{Operator: "ann", Id: []byte(id), IssuedAt: at.UnixMicro()}
	}
	copied := request("0123456789abcdef", start)
	for _, step := range []struct {
		name string
		req  *proto.ApiRequest
		now  time.Duration
		want proto.ApiError_Code
	}{
		{"first", copied, 0, 0},
		{"again", copied, time.Second, proto.ApiError_INVALID},
		{"again at the end of its time", copied, requestAge - time.Second, proto.ApiError_INVALID},
		{"too late", copied, requestAge + time.Second, proto.ApiError_UNAVAILABLE},
		{"another, when the first is forgotten", request("2", start.Add(10*time.Minute)), 10 * time.Minute, 0},
		{"again, with the clock put back", copied, 30 * time.Second, proto.ApiError_UNAVAILABLE},
		{"another, newer than what was forgotten", request("3", start.Add(time.Minute)), time.Minute, 0},
		{"that again", request("3", start.Add(time.Minute)), time.Minute, proto.ApiError_INVALID},
	} {
		err := a.first("m1", step.req, start.Add(step.now))
		var refused *job.Error
		if errors.As(err, &refused); refused != nil != (step.want != 0) || refused != nil && refused.Code != step.want {
			t.Errorf("%s: got %v, want %v", step.name, err, step.want)
		}
	}
}
