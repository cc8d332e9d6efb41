package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"brine/states/jinja/dump"
	"brine/states/value"
)

var (
	//go:embed with_salt.py
	withSalt string
	//go:embed with_jinja2.py
	withJinja string
)

// An oracle tells what else makes of the files of a tree.
type oracle struct {
	name    string // for people: "Salt 3007.1"
	low     bool   // it tells states, not only texts
	python  string
	program string
	cache   string
}

// An answer is what the oracle makes of one SLS.
type answer struct {
	SLS      string      `json:"sls"`
	Text     *string     `json:"text"`    // of its template; nil when there is none
	Errors   []string    `json:"errors"`  // why it can't be compiled
	Failed   [][2]string `json:"failed"`  // IDs that fail when it is run, and why
	Unknown  []string    `json:"unknown"` // states that there are none of
	Strange  []string    `json:"strange"` // functions that were asked for and may not be called
	Chunks   []rawChunk  `json:"chunks"`  // in the order in which they run
	Files    []rendered  `json:"files"`
	NoAnswer string      `json:"noanswer"` // why it can tell nothing of this one
}

type rawChunk map[string]json.RawMessage

type request struct {
	Root   string          `json:"root"`
	Grains json.RawMessage `json:"grains"`
	Pillar json.RawMessage `json:"pillar"`
	Exact  string          `json:"exact,omitempty"` // the pillar as Python writes it, where JSON would lose keys that are no text
	Fixed  json.RawMessage `json:"fixed"`
	Pure   []string        `json:"pure"`
	SLS    []string        `json:"sls"`
}

// newOracle finds the best oracle there is, or the one asked for.
func newOracle(ctx context.Context, o options) (*oracle, error) {
	for _, kind := range []struct {
		name, title, program string
		low                  bool
	}{{"salt", "Salt", withSalt, true}, {"jinja2", "Jinja2", withJinja, false}} {
		if o.oracle != "" && o.oracle != kind.name {
			continue
		}
		x := &oracle{low: kind.low, python: o.python, program: kind.program, cache: o.cache}
		name, err := x.hello(ctx)
		if err == nil {
			x.name = kind.title + " " + name
			return x, nil
		}
		err = fmt.Errorf("cannot compare with %s: %w", kind.name, err)
		if o.oracle != "" {
			return nil, err
		}
		fmt.Fprintln(os.Stderr, "trees:", err)
	}
	return &oracle{}, nil
}

func (x *oracle) command(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, x.python, "-W", "ignore", "-c", x.program)
	cmd.Dir = "/" // where no file has the name of a module
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "PYTHONHASHSEED=0")
	return cmd
}

// hello asks which version there is.
func (x *oracle) hello(ctx context.Context) (string, error) {
	var complaint strings.Builder
	cmd := x.command(ctx)
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	var hello struct{ Version string }
	if err == nil {
		err = json.Unmarshal(out, &hello)
	}
	if err != nil {
		lines := strings.Split(strings.TrimSpace(complaint.String()), "\n")
		return "", fmt.Errorf("%w: %s", err, lines[len(lines)-1])
	}
	return hello.Version, nil
}

// A session is a process of the oracle that is asked of one tree after another.
type session struct {
	*oracle
	in        io.WriteCloser
	out       *bufio.Reader
	complaint strings.Builder
	wait      func() error
}

func (x *oracle) start(ctx context.Context) (*session, error) {
	s := &session{oracle: x}
	if x.program == "" {
		return s, nil
	}
	cmd := x.command(ctx)
	cmd.Stderr = &s.complaint
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s.in, s.out, s.wait = in, bufio.NewReader(out), cmd.Wait
	_, err = s.out.ReadBytes('\n') // its version
	return s, err
}

// close ends the process.
func (s *session) close() error {
	if s.in == nil {
		return nil
	}
	s.in.Close()
	return s.wait()
}

// ask returns the answers for all SLS of a tree, as one host with one pillar sees it; none without an oracle.
func (s *session) ask(t tree, m machine, pillar *value.Dict) (map[string]*answer, error) {
	if s.program == "" {
		return nil, nil
	}
	data, err := value.MarshalJSON(pillar)
	if err != nil {
		return nil, err
	}
	exact := ""
	if !textKeys(pillar) {
		if exact, err = literal(pillar); err != nil {
			return nil, err
		}
	}
	req, err := json.Marshal(request{t.root, m.grains, data, exact, json.RawMessage(fixed), pure, t.sls})
	if err != nil {
		return nil, err
	}
	kept := s.kept(t, req)
	if out, err := os.ReadFile(kept); err == nil {
		return read(out)
	}
	out, err := s.exchange(req, len(t.sls))
	if err != nil {
		return nil, fmt.Errorf("cannot ask %s of %s: %w: %s", s.name, t.repo, err, cmp.Or(s.complaint.String(), "it says nothing"))
	}
	if kept != "" {
		if err := os.WriteFile(kept, out, 0o600); err != nil {
			return nil, err
		}
	}
	return read(out)
}

// literal writes a value as Python's source has it, dicts in their own order.
func literal(v any) (string, error) {
	var parts []string
	begin, end := "[", "]"
	switch v := v.(type) {
	case *value.Dict:
		begin, end = "{", "}"
		for k, item := range v.All() {
			key, err := dump.Python(k)
			if err != nil {
				return "", err
			}
			text, err := literal(item)
			if err != nil {
				return "", err
			}
			parts = append(parts, key+": "+text)
		}
	case *value.List:
		for _, item := range v.Items {
			text, err := literal(item)
			if err != nil {
				return "", err
			}
			parts = append(parts, text)
		}
	default:
		return dump.Python(v)
	}
	return begin + strings.Join(parts, ", ") + end, nil
}

// textKeys says whether all keys of all dicts are text.
func textKeys(v any) bool {
	switch v := v.(type) {
	case *value.Dict:
		for k, item := range v.All() {
			if _, ok := k.(string); !ok || !textKeys(item) {
				return false
			}
		}
	case *value.List:
		return !slices.ContainsFunc(v.Items, func(item any) bool { return !textKeys(item) })
	}
	return true
}

func (s *session) exchange(req []byte, lines int) ([]byte, error) {
	if _, err := s.in.Write(append(req, '\n')); err != nil {
		return nil, err
	}
	var all []byte
	for range lines {
		l, err := s.out.ReadBytes('\n')
		if err != nil {
			return nil, err
		}
		all = append(all, l...)
	}
	return all, nil
}

func read(out []byte) (map[string]*answer, error) {
	answers := map[string]*answer{}
	for l := range bytes.Lines(out) {
		a := &answer{}
		if err := json.Unmarshal(l, a); err != nil {
			return nil, err
		}
		answers[a.SLS] = a
	}
	return answers, nil
}

// kept is the path where answers are kept; "" when they aren't.
func (x *oracle) kept(t tree, req []byte) string {
	if x.cache == "" {
		return ""
	}
	h := sha256.New()
	fmt.Fprintln(h, x.name, x.program)
	h.Write(req)
	_ = filepath.WalkDir(t.root, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			if st, err := e.Info(); err == nil {
				fmt.Fprintln(h, path, st.Size(), st.ModTime().UnixNano())
			}
		}
		return nil
	})
	return filepath.Join(x.cache, hex.EncodeToString(h.Sum(nil)[:16])+".jsonl")
}
