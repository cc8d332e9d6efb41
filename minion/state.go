package minion

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/proto"

	"brine/pki"
	pb "brine/proto"
	"brine/proto/subject"
	"brine/states/host"
	"brine/states/mod/file"
)

// state is what a minion knows from earlier starts.
type state struct {
	id      string
	keys    *keyring
	trust   *pki.Trust
	masters []*pb.MasterAddress
	token   []byte
}

// loadState reads the state directory and makes what is missing. What can be
// had again from the masters is done without when it is damaged.
func loadState(l Layout, c *Config, warn func(msg string, args ...any)) (*state, error) {
	s := &state{}
	var err error
	if s.id, err = loadID(l, c); err != nil {
		return nil, err
	}
	if s.keys, err = loadKeys(l); err != nil {
		return nil, err
	}
	pin, err := loadPin(l, c)
	if err != nil {
		return nil, err
	}
	s.trust = pki.NewTrust(pin)
	if err := loadBundle(l, s.trust); err != nil {
		warn("trust bundle not used: the masters are asked for it again", "err", err)
	}
	if s.masters, err = loadMasters(l); err != nil {
		warn("learnt addresses not used", "err", err)
	}
	s.token, err = os.ReadFile(l.Token())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot read the enrolment token: %w", err)
	}
	return s, nil
}

// loadID returns the configured id, or the one of the first start: an
// accepted key belongs to its id, whatever the host is called later.
func loadID(l Layout, c *Config) (string, error) {
	if c.ID != "" {
		return c.ID, nil
	}
	id, err := knownID(l)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(l.ID()); err == nil {
		return id, nil
	}
	return id, writeFile(l.ID(), []byte(id+"\n"))
}

// knownID is the id of the first start, or else the host's name.
func knownID(l Layout) (string, error) {
	data, err := os.ReadFile(l.ID())
	if err == nil {
		id := strings.TrimSpace(string(data))
		if err := subject.CheckID(id); err != nil {
			return "", fmt.Errorf("%s: %w (set id in minion.toml)", l.ID(), err)
		}
		return id, nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return hostname()
	}
	return "", fmt.Errorf("cannot read the minion's id: %w", err)
}

func loadKey(l Layout) (*pki.MinionKey, error) {
	key, err := pki.LoadMinionKey(l.Key())
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	if key, err = pki.NewMinionKey(); err != nil {
		return nil, err
	}
	return key, key.Save(l.Key())
}

// loadPin returns the site's fingerprint: the configured one, or the one that was kept.
func loadPin(l Layout, c *Config) (pki.Fingerprint, error) {
	if c.CAFingerprint != "" {
		return pki.ParseFingerprint(c.CAFingerprint)
	}
	data, err := os.ReadFile(l.Fingerprint())
	if errors.Is(err, fs.ErrNotExist) {
		return pki.Fingerprint{}, nil
	}
	if err != nil {
		return pki.Fingerprint{}, fmt.Errorf("cannot read the site's fingerprint: %w", err)
	}
	pin, err := pki.ParseFingerprint(strings.TrimSpace(string(data)))
	if err != nil {
		return pin, fmt.Errorf("%s: %w (compare with `brine key fingerprint` and set ca_fingerprint)", l.Fingerprint(), err)
	}
	return pin, nil
}

func loadBundle(l Layout, trust *pki.Trust) error {
	data, err := os.ReadFile(l.Bundle())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	env := &pb.Envelope{}
	if err := proto.Unmarshal(data, env); err != nil {
		return fmt.Errorf("cannot read %s: %v", l.Bundle(), err)
	}
	_, err = trust.Update(env)
	return err
}

func saveBundle(l Layout, env *pb.Envelope) error {
	data, err := proto.Marshal(env)
	if err != nil {
		return err
	}
	return writeFile(l.Bundle(), data)
}

// learnt is a master's address in the file of them, which people may read.
type learnt struct {
	Name  string `json:"name"`
	Bus   string `json:"bus"`
	Files string `json:"files"`
}

func loadMasters(l Layout) ([]*pb.MasterAddress, error) {
	data, err := os.ReadFile(l.Masters())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []learnt
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("cannot read %s: %v", l.Masters(), err)
	}
	var out []*pb.MasterAddress
	for _, m := range list {
		out = append(out, &pb.MasterAddress{Name: m.Name, Bus: m.Bus, Files: m.Files})
	}
	return out, nil
}

func saveMasters(l Layout, masters []*pb.MasterAddress) error {
	list := []learnt{}
	for _, m := range masters {
		list = append(list, learnt{m.Name, m.Bus, m.Files})
	}
	return writeJSON(l.Masters(), list)
}

func writeJSON(path string, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	return writeFile(path, b.Bytes())
}

// writeFile replaces a file such that a crash leaves the old or the new one.
func writeFile(path string, data []byte) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	return file.Write(&host.Host{}, path, file.As{Mode: 0o600, Fix: true, Dirs: 0o700}, file.Bytes(data))
}
