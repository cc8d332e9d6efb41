package master

import (
	"slices"
	"testing"
	"time"

	"brine/proto"
)

func TestADifferenceIsToldWhenItStands(t *testing.T) {
	s := standing{}
	begin := time.Unix(1e9, 0)
	for _, c := range []struct {
		after time.Duration
		texts []string
		want  []string
	}{
		{0, []string{"a"}, nil},
		{4 * time.Second, []string{"a", "b"}, nil},
		{5 * time.Second, []string{"a", "b"}, []string{"a"}},
		{6 * time.Second, []string{"b"}, nil},
		{7 * time.Second, []string{"a", "b"}, nil},
		{11 * time.Second, []string{"a", "b"}, []string{"b"}},
		{12 * time.Second, []string{"a", "b"}, []string{"a", "b"}},
	} {
		if got := s.long(c.texts, begin.Add(c.after)); !slices.Equal(got, c.want) {
			t.Errorf("after %v: got %v, want %v", c.after, got, c.want)
		}
	}
}

func TestNodegroupsThatDiffer(t *testing.T) {
	here := &Config{Nodegroups: map[string]any{"a": "web*", "b": []any{"G@x:y", "or", "c"}, "c": "x"}}
	for name, c := range map[string]struct {
		theirs map[string]any
		want   string
	}{
		"same":    {map[string]any{"c": "x", "b": []any{"G@x:y", "or", "c"}, "a": "web*"}, ""},
		"other":   {map[string]any{"c": "x", "b": []any{"G@x:y", "or", "d"}, "a": "web*"}, "of those here it has not, or not so: b; of its own 1 are not here, or not so"},
		"fewer":   {map[string]any{"a": "web*"}, "of those here it has not, or not so: b, c; of its own 0 are not here, or not so"},
		"more":    {map[string]any{"c": "x", "b": []any{"G@x:y", "or", "c"}, "a": "web*", "d": "1"}, "of those here it has not, or not so: none; of its own 1 are not here, or not so"},
		"renamed": {map[string]any{"a": "x", "c": "web*"}, "of those here it has not, or not so: a, b, c; of its own 2 are not here, or not so"},
	} {
		theirs := &Config{Nodegroups: c.theirs}
		if got := here.groupsDiffer(theirs.groupSums()); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	if got := (&Config{}).groupsDiffer(&proto.NodegroupSums{}); got != "" {
		t.Errorf("without any: got %q", got)
	}
}
