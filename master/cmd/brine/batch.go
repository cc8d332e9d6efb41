package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"brine/master/client"
	"brine/proto"
)

// batchFlags say how many minions have a job at a time, and how many have it at all.
type batchFlags struct {
	size, maxFail, subset string
	wait                  time.Duration
	before                *proto.Batch // of the job that is made again; nil for none
}

func (f *batchFlags) add(c *cobra.Command) {
	c.Flags().StringVarP(&f.size, "batch", "b", "", "minions that have the job at the same time: a number, or a share such as 10%")
	c.Flags().DurationVar(&f.wait, "batch-wait", 0, "with --batch: wait this long after a minion has ended before the next one begins")
	c.Flags().StringVar(&f.maxFail, "max-fail", "", "with --batch: no further minion begins once more than this many have failed, a number or a share")
	c.Flags().StringVar(&f.subset, "subset", "", "only so many of the minions that are online, chosen by chance")
}

// batch is what the masters are told; nil for all minions at once.
func (f *batchFlags) batch() (*proto.Batch, error) {
	if f.size == "" {
		if f.wait != 0 || f.maxFail != "" {
			return nil, errors.New("--batch-wait and --max-fail go with --batch")
		}
		return f.before, nil
	}
	b := &proto.Batch{Wait: f.wait.Microseconds()}
	var err error
	if b.Width, b.Percent, err = share("--batch", f.size); err == nil && b.Width+b.Percent == 0 {
		err = fmt.Errorf("cannot use --batch %s: want at least 1", f.size)
	}
	if err == nil && f.maxFail != "" {
		b.FailLimit = true
		b.MaxFail, b.MaxFailPercent, err = share("--max-fail", f.maxFail)
	}
	if err == nil && f.wait < 0 {
		err = fmt.Errorf("cannot use --batch-wait %v: it is negative", f.wait)
	}
	return b, err
}

// batchText is a batch as it is asked for.
func batchText(b *proto.Batch) string {
	number := func(n, percent uint32) string {
		if percent > 0 {
			return fmt.Sprintf("%d%%", percent)
		}
		return fmt.Sprint(n)
	}
	text := "--batch " + number(b.Width, b.Percent)
	if b.Wait > 0 {
		text += fmt.Sprintf(" --batch-wait %v", time.Duration(b.Wait)*time.Microsecond)
	}
	if b.FailLimit {
		text += " --max-fail " + number(b.MaxFail, b.MaxFailPercent)
	}
	return text
}

// share reads a number, or a percentage.
func share(flag, text string) (number, percent uint32, err error) {
	digits, isPercent := strings.CutSuffix(text, "%")
	n, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || isPercent && n > 100 {
		return 0, 0, fmt.Errorf("cannot use %s %q: want a number such as 10, or a share such as 25%%", flag, text)
	}
	if isPercent {
		return 0, uint32(n), nil
	}
	return uint32(n), 0, nil
}

// choose makes of a request's target the list of a few of its minions that are online, as --subset wants.
func (f *batchFlags) choose(ctx context.Context, cl *client.Client, req *proto.JobRequest) error {
	if f.subset == "" {
		return nil
	}
	few, err := strconv.Atoi(f.subset)
	if err != nil || few < 1 {
		return usage("cannot use --subset %s: want a number of at least 1", f.subset)
	}
	reply := &proto.TargetReply{}
	if err := cl.Call(ctx, "minion.target", &proto.TargetRequest{Target: req.Target}, reply); err != nil {
		return err
	}
	var online []string
	for _, m := range reply.Minions {
		if m.Online {
			online = append(online, m.Id)
		}
	}
	if len(online) == 0 {
		return usage("no minion that %q means is online", req.Target.Expression)
	}
	rand.Shuffle(len(online), func(i, k int) { online[i], online[k] = online[k], online[i] })
	req.Target = &proto.Target{Syntax: proto.Target_LIST, Expression: strings.Join(online[:min(few, len(online))], ",")}
	return nil
}
