package main

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"brine/pki"
)

// The floor: nats-servers with TLS and nothing else, and clients that answer
// each message with 200 bytes. Who asks and gathers is in the process of the
// first server, as it is in a master's.

const answerSize = 200

// floorIdentity is that of a server which is no master, of a site of its own.
func floorIdentity(name string) (*pki.Identity, error) {
	site, err := pki.NewSite(name, time.Now())
	if err != nil {
		return nil, err
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := site.IssueMaster(name, key.Public().(ed25519.PublicKey), time.Now())
	if err != nil {
		return nil, err
	}
	return pki.NewIdentity(key, der, site.CA().Raw)
}

// bareServer runs a bare server until ctx ends; args[0], if given, is the
// route address of another. It prints its client and route addresses.
func bareServer(ctx context.Context, args []string) error {
	id, err := floorIdentity("bare")
	if err != nil {
		return err
	}
	o := &server.Options{
		Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true, TLSConfig: pki.ServerTLS(id), TLSTimeout: 10,
		Cluster: server.ClusterOpts{Name: "bare", Host: "127.0.0.1", Port: -1},
	}
	if len(args) > 0 {
		o.Routes = []*url.URL{{Scheme: "nats", Host: args[0]}}
	}
	s, err := server.NewServer(o)
	if err != nil {
		return err
	}
	s.Start()
	defer s.Shutdown()
	if !s.ReadyForConnections(10 * time.Second) {
		return errors.New("the server does not start")
	}
	fmt.Println(s.Addr(), s.ClusterAddr())
	return serveGathers(ctx, s.Addr().String())
}

// serveGathers makes a gather for each number of clients that comes on the
// standard input, and prints how long it took.
func serveGathers(ctx context.Context, addr string) error {
	conn, err := bareConnect(addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	lines := make(chan string)
	go func() {
		in := bufio.NewScanner(os.Stdin)
		for in.Scan() {
			lines <- in.Text()
		}
	}()
	var answers chan *nats.Msg
	for {
		select {
		case <-ctx.Done():
			return nil
		case line := <-lines:
			n, err := strconv.Atoi(line)
			if err != nil {
				return err
			}
			if answers == nil {
				answers = make(chan *nats.Msg, 2*n)
				if _, err := conn.ChanSubscribe("ret.>", answers); err != nil {
					return err
				}
			}
			d, err := gatherBare(conn, answers, n)
			if err != nil {
				return err
			}
			fmt.Println(d.Nanoseconds())
		}
	}
}

func gatherBare(conn *nats.Conn, answers chan *nats.Msg, n int) (time.Duration, error) {
	began := time.Now()
	if err := conn.Publish("job.all", make([]byte, answerSize)); err != nil {
		return 0, err
	}
	late := time.After(30 * time.Second)
	for range n {
		select {
		case <-answers:
		case <-late:
			return 0, errors.New("the bare gather does not end")
		}
	}
	return time.Since(began), nil
}

// bareSwarm connects args[0] clients, in turn to the servers of the rest.
func bareSwarm(ctx context.Context, args []string) error {
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	answer := make([]byte, answerSize)
	for i := range n {
		conn, err := bareConnect(args[1+i%(len(args)-1)])
		if err != nil {
			return err
		}
		subject := fmt.Sprintf("ret.%d", i)
		if _, err := conn.Subscribe("job.all", func(*nats.Msg) {
			_ = conn.Publish(subject, answer) // a lost answer shows: the gather never ends
		}); err != nil {
			return err
		}
		if err := conn.Flush(); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	<-ctx.Done()
	return nil
}

func bareConnect(addr string) (*nats.Conn, error) {
	return nats.Connect("tls://"+addr, nats.Secure(&tls.Config{InsecureSkipVerify: true}), // the floor trusts anybody
		nats.Timeout(10*time.Second))
}

// bareGather measures one message to n clients and an answer of each: the
// wall time of each run, and the servers' processor time of all.
func (b *bench) bareGather(ctx context.Context, n int) (walls []time.Duration, used time.Duration, err error) {
	first, err := start(ctx, "server")
	if err != nil {
		return nil, 0, err
	}
	defer first.stop()
	one, err := first.line()
	if err != nil {
		return nil, 0, err
	}
	second, err := start(ctx, "server", strings.Fields(one)[1])
	if err != nil {
		return nil, 0, err
	}
	defer second.stop()
	two, err := second.line()
	if err != nil {
		return nil, 0, err
	}
	swarm, err := start(ctx, "swarm", strconv.Itoa(n), strings.Fields(one)[0], strings.Fields(two)[0])
	if err != nil {
		return nil, 0, err
	}
	defer swarm.stop()
	if _, err := swarm.line(); err != nil {
		return nil, 0, err
	}
	return b.gathers(first, n, first.cmd.Process.Pid, second.cmd.Process.Pid)
}

func (b *bench) gathers(asker *part, n int, pids ...int) (walls []time.Duration, used time.Duration, err error) {
	gather := func() (time.Duration, error) {
		if _, err := fmt.Fprintln(asker.in, n); err != nil {
			return 0, err
		}
		text, err := asker.line()
		if err != nil {
			return 0, err
		}
		ns, err := strconv.ParseInt(text, 10, 64)
		return time.Duration(ns), err
	}
	if _, err := gather(); err != nil { // warm
		return nil, 0, err
	}
	before, err := cpu(pids...)
	if err != nil {
		return nil, 0, err
	}
	for range b.runs {
		d, err := gather()
		if err != nil {
			return nil, 0, err
		}
		walls = append(walls, d)
	}
	after, err := cpu(pids...)
	return walls, after - before, err
}
