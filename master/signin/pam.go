package signin

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"brine/proto/subject"
)

// PAM is [auth.pam]. PAM needs the rights of root, which a master has not: saslauthd has them, and answers yes or no.
type PAM struct {
	Service string `toml:"service"` // of /etc/pam.d
	Socket  string `toml:"socket"`  // of saslauthd
}

const (
	defaultService = "brine"
	defaultSocket  = "/run/saslauthd/mux"

	maxSASL  = 256 // bytes that saslauthd takes of a text
	maxReply = 1024
	pamTime  = 20 * time.Second
	idTime   = 10 * time.Second
)

type pam struct {
	PAM
	identify func(ctx context.Context, user string) (*Person, error)
}

func newPAM(c PAM) (*pam, error) {
	if c.Service == "" {
		c.Service = defaultService
	}
	if c.Socket == "" {
		c.Socket = defaultSocket
	}
	var errs []error
	if strings.ContainsAny(c.Service, "/\x00") || len(c.Service) > maxSASL {
		errs = append(errs, fmt.Errorf("auth.pam.service = %q: want the name of a file in /etc/pam.d", c.Service))
	}
	if !filepath.IsAbs(c.Socket) {
		errs = append(errs, fmt.Errorf("auth.pam.socket = %q: want an absolute path", c.Socket))
	}
	return &pam{c, identify}, errors.Join(errs...)
}

// Check asks saslauthd, and then the system for the user's groups.
func (p *pam) Check(ctx context.Context, user string, password []byte) (*Person, error) {
	if err := subject.CheckID(user); err != nil || len(password) > maxSASL {
		return nil, ErrWrong
	}
	ctx, cancel := context.WithTimeout(ctx, pamTime)
	defer cancel()
	ok, err := p.ask(ctx, user, password)
	if err != nil {
		return nil, fmt.Errorf("cannot ask saslauthd at %s: %w", p.Socket, err)
	}
	if !ok {
		return nil, ErrWrong
	}
	return p.identify(ctx, user)
}

// ask speaks saslauthd's protocol: user, password, service and realm go there, each behind its length in two bytes; a
// text that begins with OK or NO comes back in the same way.
func (p *pam) ask(ctx context.Context, user string, password []byte) (bool, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", p.Socket)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	if until, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(until) // that of an open socket can be set
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	request := make([]byte, 0, 4*(2+maxSASL)) // large enough: nothing of it is left behind elsewhere
	for _, text := range [][]byte{[]byte(user), password, []byte(p.Service), nil} {
		request = append(binary.BigEndian.AppendUint16(request, uint16(len(text))), text...)
	}
	_, err = conn.Write(request)
	clear(request)
	if err != nil {
		return false, err
	}
	var size [2]byte
	if _, err := io.ReadFull(conn, size[:]); err != nil {
		return false, fmt.Errorf("no answer: %w", err)
	}
	reply := make([]byte, min(binary.BigEndian.Uint16(size[:]), maxReply))
	if _, err := io.ReadFull(conn, reply); err != nil {
		return false, fmt.Errorf("half an answer: %w", err)
	}
	switch {
	case bytes.HasPrefix(reply, []byte("OK")):
		return true, nil
	case bytes.HasPrefix(reply, []byte("NO")):
		return false, nil
	}
	return false, fmt.Errorf("an answer that is neither OK nor NO: %.20q", reply)
}

// identify asks the program id, which knows all sources of users that the system has (nsswitch.conf): a program
// without C's library only knows /etc/passwd.
func identify(ctx context.Context, user string) (*Person, error) {
	name, err := id(ctx, "-un", user)
	if err != nil {
		return nil, err
	}
	groups, err := id(ctx, "-Gnz", user)
	if err != nil {
		return nil, err
	}
	p := &Person{Name: strings.TrimRight(name, "\n")}
	for group := range strings.SplitSeq(groups, "\x00") {
		if group != "" {
			p.Groups = append(p.Groups, group)
		}
	}
	return p, nil
}

func id(ctx context.Context, flag, user string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, idTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, "id", flag, "--", user)
	cmd.Env = []string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C"}
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("cannot learn the groups of %q: id %s: %w: %s", user, flag, err, strings.TrimSpace(said.String()))
	}
	return out.String(), nil
}
