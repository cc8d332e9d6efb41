package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"brine/master/grains"
	"brine/master/store"
	"brine/proto"
	"brine/proto/target"
	"brine/states/regex"
	"brine/states/value"
)

const targeted = 10_000

// target times which of 10,000 minions a compound means, of the grains that a master has stored of them: what brine
// target and each job with such a target ask.
func (b *bench) target(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "brine-target.")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, err := store.Open(filepath.Join(dir, "store.db"), store.Options{Master: "m1"})
	if err != nil {
		return err
	}
	defer s.Close()
	db := grains.New(s, time.Now)
	ids, err := fleet(ctx, s, dir)
	if err != nil {
		return err
	}
	var first time.Duration
	var again []time.Duration
	for i := range b.runs + 1 {
		began := time.Now()
		if err := meant(ctx, db, ids); err != nil {
			return err
		}
		if i == 0 {
			first = time.Since(began)
		} else {
			again = append(again, time.Since(began))
		}
	}
	b.say("a compound target on 10,000 minions, grains read from the store", ms(first), "", true)
	b.say("the same, once more", ms(median(again)), "50 ms", median(again) <= 50*time.Millisecond)
	return nil
}

// fleet stores grains of many minions: those of this machine, and roles.
func fleet(ctx context.Context, s *store.Store, dir string) (ids []string, err error) {
	here, err := grainsHere(ctx, dir)
	if err != nil {
		return nil, err
	}
	data, err := value.FromJSON(here)
	if err != nil {
		return nil, err
	}
	facts := data.(*value.Dict)
	var recs []*proto.Record
	for i := range targeted {
		id := fmt.Sprintf("web%d.dc%d.example.com", i, i%7)
		facts.Put("id", id)
		facts.Put("roles", value.NewList("web", fmt.Sprint("cache", i%3)))
		facts.Put("dc", fmt.Sprint("eu-", i%9))
		text, err := value.MarshalJSON(facts)
		if err != nil {
			return nil, err
		}
		at := s.Stamp()
		rec, err := store.NewRecord(at, id, &proto.Grains{Minion: id, At: at, Data: text})
		if err != nil {
			return nil, err
		}
		ids, recs = append(ids, id), append(recs, rec)
		if len(recs) == 500 {
			if err := s.Append(ctx, recs...); err != nil {
				return nil, err
			}
			recs = nil
		}
	}
	return ids, nil
}

func meant(ctx context.Context, db *grains.DB, ids []string) error {
	l := target.Language{Regexp: regex.Beginning, Groups: target.JSON{"eu": "G@dc:eu-* or G@dc:uk-*"}}
	t, err := l.Parse("compound", `G@kernel:Lin* and ( N@eu or S@10.2.0.0/16 ) and not ( G@roles:cache1 or E@web\d*7\.dc[35] )`)
	if err != nil {
		return err
	}
	n := 0
	for _, id := range ids {
		facts, err := db.Facts(ctx, id)
		if err != nil {
			return err
		}
		if t.Match(target.Facts{ID: id, Grains: facts}) {
			n++
		}
	}
	if n < targeted/10 || n > targeted*9/10 {
		return fmt.Errorf("the target means %d of %d minions", n, targeted)
	}
	return nil
}
