package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"brine/master/client"
	"brine/pki"
	"brine/proto"
	"brine/scripts/lab"
)

// The floor of file transfer: an HTTPS server that knows one file, and clients, each a process of its own, that write
// what they get to a file and bring that to the disk, as a minion does with a file that it puts in its place. Nobody is
// asked who he is, and nothing is checked.

const (
	transferred = 100 << 20 // bytes of the file
	leastShare  = 0.8       // of the floor's rate
)

// plainServer serves the file args[0] until ctx ends. It prints its address.
func plainServer(ctx context.Context, args []string) error {
	id, err := floorIdentity("plain")
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	s := &http.Server{
		Handler:      http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, args[0]) }),
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}, // HTTP/1.1, as masters have it
	}
	go func() {
		<-ctx.Done()
		_ = s.Close() // it ends anyway
	}()
	return s.Serve(tls.NewListener(l, pki.ServerTLS(id)))
}

// plainClient gets what the server at args[0] has into the file args[1] each time a line comes on the standard input,
// over a new connection, and prints a line when it is on the disk.
func plainClient(ctx context.Context, args []string) error {
	c := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true, DisableCompression: true, // the floor trusts anybody
	}}
	in := bufio.NewScanner(os.Stdin)
	for fmt.Println("ready"); in.Scan(); fmt.Println("done") {
		if err := plainGet(ctx, c, "https://"+args[0]+"/file", args[1]); err != nil {
			return err
		}
	}
	return in.Err()
}

func plainGet(ctx context.Context, c *http.Client, url, name string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	f, err := os.Create(name + ".new")
	if err != nil {
		return err
	}
	n, err := io.Copy(f, resp.Body)
	if err == nil && n != transferred {
		err = fmt.Errorf("%d bytes came", n)
	}
	return errors.Join(err, f.Sync(), f.Close(), os.Rename(name+".new", name))
}

// files compares what minions get of one of two masters with the floor, in turns.
func (b *bench) files(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "brine-files.")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	content := filepath.Join(dir, "tree", "content")
	if err := errors.Join(os.Mkdir(filepath.Dir(content), 0o755), randomFile(content)); err != nil {
		return err
	}
	for _, minions := range []int{1, 10} {
		if err := b.transfer(ctx, filepath.Join(dir, strconv.Itoa(minions)), content, minions); err != nil {
			return err
		}
	}
	return nil
}

// randomFile writes a file that nothing can make smaller.
func randomFile(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, io.LimitReader(mrand.NewChaCha8([32]byte{1}), transferred))
	return errors.Join(err, f.Close())
}

// transfer measures the file on its way to some minions at once.
func (b *bench) transfer(ctx context.Context, dir, content string, minions int) error {
	l, err := lab.Up(ctx, lab.UpOptions{Dir: filepath.Join(dir, "lab"), Bin: b.bin, Masters: 2, Minions: minions, FileRoot: filepath.Dir(content)})
	if err != nil {
		return err
	}
	defer func() { _ = l.Down() }() // what it says of processes that are gone helps nobody
	c, err := operatorOf(l)
	if err != nil {
		return err
	}
	defer c.Close()
	floor, err := startFloor(ctx, dir, content, minions)
	defer floor.stop()
	if err != nil {
		return err
	}
	var plain, brine []time.Duration
	var cpus [4][]time.Duration // of the plain server and its clients, of the masters and minions
	getters := make([]int, minions)
	for i, m := range l.Minions {
		getters[i] = m.PID
	}
	runs := max(b.runs, 3)
	if minions > 1 {
		runs = max(b.runs/2, 3)
	}
	for i := range runs + 1 { // of the first, the masters take the file in
		all := [4][]int{floor.server.pids(), floor.pids(), pids(l), getters}
		before, err1 := each(all)
		began := time.Now()
		err2 := floor.get()
		between := time.Now()
		err3 := b.getFile(ctx, l, c)
		ended := time.Now()
		after, err4 := each(all)
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			return err
		}
		if i > 0 {
			plain, brine = append(plain, between.Sub(began)), append(brine, ended.Sub(between))
			for k := range cpus {
				cpus[k] = append(cpus[k], after[k]-before[k])
			}
		}
	}
	rate := func(d time.Duration) float64 { return float64(minions) * transferred / (1 << 20) / d.Seconds() }
	// The quickest of each: what else the machine does is in none of them, or in few.
	quickest, ours := slices.Min(plain), slices.Min(brine)
	share := quickest.Seconds() / ours.Seconds()
	what := fmt.Sprintf("a file of 100 MiB to %d minions", minions)
	if minions == 1 {
		what = "a file of 100 MiB to 1 minion"
	}
	b.say(what+", plain HTTPS", fmt.Sprintf("%.0f MiB/s", rate(quickest)), "", true)
	b.say(what+", cp.get_file", fmt.Sprintf("%.0f MiB/s", rate(ours)), "", true)
	b.say("share of plain HTTPS", fmt.Sprintf("%.2f", share), "at least 0.80", share >= leastShare)
	b.say("processor time of the plain server and its clients", ms(median(cpus[0]))+", "+ms(median(cpus[1])), "", true)
	b.say("processor time of the masters and the minions", ms(median(cpus[2]))+", "+ms(median(cpus[3])), "", true)
	return nil
}

// each is the processor time that groups of processes have used so far.
func each(groups [4][]int) (used [4]time.Duration, err error) {
	for i, pids := range groups {
		var e error
		used[i], e = cpu(pids...)
		err = errors.Join(err, e)
	}
	return used, err
}

// getFile has all minions get the file. Nothing is left of it.
func (b *bench) getFile(ctx context.Context, l *lab.Lab, c *client.Client) error {
	args := []*proto.Argument{{Value: &proto.Argument_Text{Text: "salt://content"}}, {Value: &proto.Argument_Text{Text: "/content"}}}
	req := c.NewJob(&proto.Target{Syntax: proto.Target_GLOB, Expression: "*"}, "cp.get_file", args)
	r, err := c.Run(ctx, req, func(*client.Result, []string) {})
	if err != nil {
		return err
	}
	if n := r.Counts()["ok"]; n != len(l.Minions) {
		return fmt.Errorf("%d of %d minions got the file", n, len(l.Minions))
	}
	for _, m := range l.Minions {
		name := filepath.Join(m.Root, "content")
		st, err := os.Stat(name)
		if err == nil && st.Size() != transferred {
			err = fmt.Errorf("%s has %d bytes", name, st.Size())
		}
		if err := errors.Join(err, os.Remove(name), emptyCache(filepath.Join(m.Root, "var/cache/brine/minion/files"))); err != nil {
			return err
		}
	}
	return nil
}

// emptyCache removes all content, and leaves the directory to the minion that has it open.
func emptyCache(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}

// A floor is a plain server and its clients.
type floor struct {
	server  *part
	clients []*part
	files   []string
}

func startFloor(ctx context.Context, dir, content string, clients int) (*floor, error) {
	f := &floor{}
	var err error
	if f.server, err = start(ctx, "plainserver", content); err != nil {
		return f, err
	}
	address, err := f.server.line()
	if err != nil {
		return f, err
	}
	for i := range clients {
		name := filepath.Join(dir, fmt.Sprint("plain", i))
		c, err := start(ctx, "plainclient", address, name)
		if err != nil {
			return f, err
		}
		f.clients, f.files = append(f.clients, c), append(f.files, name)
		if _, err := c.line(); err != nil {
			return f, err
		}
	}
	return f, nil
}

func (f *floor) pids() (pids []int) {
	for _, c := range f.clients {
		pids = append(pids, c.pids()...)
	}
	return pids
}

// get has all clients get the file. Nothing is left of it.
func (f *floor) get() error {
	for _, c := range f.clients {
		if _, err := fmt.Fprintln(c.in, "get"); err != nil {
			return err
		}
	}
	for _, c := range f.clients {
		if _, err := c.line(); err != nil {
			return err
		}
	}
	for _, name := range f.files {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

func (f *floor) stop() {
	for _, c := range f.clients {
		c.stop()
	}
	if f.server != nil {
		f.server.stop()
	}
}
