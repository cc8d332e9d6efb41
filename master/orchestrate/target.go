package orchestrate

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"brine/proto"
	"brine/proto/spell"
	"brine/proto/target"
	"brine/states/value"
)

// check finds mistakes before anything runs.
func (t *targeted) check() error {
	var errs []error
	if t.SSH {
		errs = append(errs, errors.New("ssh: true is not supported: minions are reached over the bus alone"))
	}
	if _, err := t.target(); err != nil {
		errs = append(errs, err)
	}
	if _, err := batchOf(t.Batch); err != nil {
		errs = append(errs, err)
	}
	if t.Timeout < 0 || t.Subset < 0 {
		errs = append(errs, errors.New("timeout and subset are no less than 0"))
	}
	return errors.Join(errs...)
}

// target is whom the job is for.
func (t *targeted) target() (*proto.Target, error) {
	kind := t.TgtType
	if _, isList := t.Tgt.(*value.List); isList {
		kind = "list"
	}
	syntax, ok := proto.Target_Syntax_value[strings.ToUpper(kind)]
	if !ok || !slices.Contains(target.Kinds(), strings.ToLower(kind)) {
		return nil, fmt.Errorf("tgt_type: there is no %q%s", kind, spell.DidYouMean(kind, target.Kinds()))
	}
	expression, isText := t.Tgt.(string)
	if !isText {
		expression = strings.Join(texts(t.Tgt), ",")
	}
	if expression == "" {
		return nil, errors.New("tgt is empty: want a target such as 'web*'")
	}
	return &proto.Target{Syntax: proto.Target_Syntax(syntax), Expression: expression}, nil
}

// texts are those of a list, or of a text with commas between.
func texts(v any) (all []string) {
	if s, ok := v.(string); ok {
		for _, part := range strings.Split(s, ",") {
			if part = strings.TrimSpace(part); part != "" {
				all = append(all, part)
			}
		}
		return all
	}
	for _, item := range itemsOf(v) {
		all = append(all, fmt.Sprint(item))
	}
	return all
}

// batchOf reads how many minions are under way at once; nil for all.
func batchOf(v any) (*proto.Batch, error) {
	if v == nil {
		return nil, nil
	}
	text := strings.TrimSpace(fmt.Sprint(v))
	number, share := strings.CutSuffix(text, "%")
	n, err := strconv.ParseUint(strings.TrimSpace(number), 10, 32)
	if err != nil || n == 0 || share && n > 100 {
		return nil, fmt.Errorf("batch: want a number of minions or a share such as 25%%, got %q", text)
	}
	if share {
		return &proto.Batch{Percent: uint32(n)}, nil
	}
	return &proto.Batch{Width: uint32(n)}, nil
}

// warnings tell what of the arguments has no effect.
func (t *targeted) warnings() []string {
	if t.Ret == nil || t.Ret == "" {
		return nil
	}
	return []string{"ret is ignored: the masters keep what a job returns, and [returner] of master.toml gives it to a program"}
}
