package ssh

import (
	"context"
	"errors"
	"fmt"

	"brine/states/host"
	"brine/states/value"
)

type hostFuncArgs struct {
	User     string   `arg:"user" doc:"who knows the host; absent is everyone on this one"`
	Hostname string   `arg:"hostname,required" doc:"the host"`
	Config   string   `arg:"config" doc:"the file, as in the state ssh_known_hosts.present"`
	Port     int      `arg:"port" doc:"where its server listens; absent is 22"`
	Hash     hashType `arg:"fingerprint_hash_type" doc:"how fingerprints are made: sha256, md5, sha1 or sha512"`
}

func (a *hostFuncArgs) state() *knownPresentArgs {
	return &knownPresentArgs{Name: a.Hostname, hostsArgs: hostsArgs{a.User, a.Config},
		wantedHost: wantedHost{Port: a.Port, Hash: a.Hash, Timeout: 5}}
}

// known is what is known of the host.
func (a *knownPresentArgs) known(ctx context.Context, h *host.Host) ([]known, place, error) {
	if err := errors.Join(a.CheckArgs(), a.settle()); err != nil {
		return nil, place{}, err
	}
	p, err := a.place(ctx, h)
	if err != nil {
		return nil, p, err
	}
	l, err := p.read(h)
	return l.about(hostName(a.Name, a.Port)), p, err
}

func getKnown(ctx context.Context, h *host.Host, a hostFuncArgs) (any, error) {
	all, _, err := a.state().known(ctx, h)
	return dicts(all, a.Hash), err
}

func rmKnown(ctx context.Context, h *host.Host, a hostFuncArgs) (*value.Dict, error) {
	all, p, err := a.state().known(ctx, h)
	if err == nil && len(all) > 0 {
		err = p.edit(ctx, h, func(l *lines) { l.forget(hostName(a.Hostname, a.Port), func(known) bool { return true }) })
	}
	if err != nil {
		return nil, err
	}
	return value.NewDict("status", "removed", "comment", fmt.Sprintf("%d keys of %s removed", len(all), a.Hostname)), nil
}

type checkHostArgs struct {
	User        string   `arg:"user" doc:"who knows the host; absent is everyone on this one"`
	Hostname    string   `arg:"hostname,required" doc:"the host"`
	Key         string   `arg:"key" doc:"a key that it has to have"`
	Fingerprint string   `arg:"fingerprint" doc:"of a key that it has to have"`
	Config      string   `arg:"config" doc:"the file, as in the state ssh_known_hosts.present"`
	Port        int      `arg:"port" doc:"where its server listens; absent is 22"`
	Hash        hashType `arg:"fingerprint_hash_type" doc:"how fingerprint was made"`
}

func checkKnown(ctx context.Context, h *host.Host, a checkHostArgs) (string, error) {
	s := (&hostFuncArgs{a.User, a.Hostname, a.Config, a.Port, a.Hash}).state()
	s.Key, s.Fingerprint = a.Key, a.Fingerprint
	all, _, err := s.known(ctx, h)
	return string(s.status(all)), err
}

type setHostArgs struct {
	User     string `arg:"user" doc:"who knows the host; absent is everyone on this one"`
	Hostname string `arg:"hostname,required" doc:"the host"`
	wantedHost
	Config string `arg:"config" doc:"the file, as in the state ssh_known_hosts.present"`
}

func setKnown(ctx context.Context, h *host.Host, a setHostArgs) (*value.Dict, error) {
	s := &knownPresentArgs{Name: a.Hostname, hostsArgs: hostsArgs{a.User, a.Config}, wantedHost: a.wantedHost}
	if err := s.CheckArgs(); err != nil {
		return nil, err
	}
	p, old, now, err := s.learn(ctx, h)
	if err != nil {
		return nil, err
	}
	if len(now) == 0 {
		keys := &value.List{}
		for _, k := range old {
			keys.Items = append(keys.Items, k.blob)
		}
		return value.NewDict("status", "exists", "keys", keys), nil
	}
	return value.NewDict("status", "updated", "old", dicts(old, s.Hash), "new", dicts(now, s.Hash)), s.save(ctx, h, p, now)
}

type recvArgs struct {
	Hostname  string   `arg:"hostname,required" doc:"the host"`
	Enc       string   `arg:"enc" doc:"only keys of this type"`
	Port      int      `arg:"port" doc:"where its server listens; absent is 22"`
	HashHosts bool     `arg:"hash_known_hosts" default:"true" doc:"hide the name of the host"`
	Timeout   int      `arg:"timeout" default:"5" doc:"seconds to wait for the host"`
	Hash      hashType `arg:"fingerprint_hash_type" doc:"how fingerprints are made: sha256, md5, sha1 or sha512"`
}

func recvKnown(ctx context.Context, h *host.Host, a recvArgs) (any, error) {
	s := (&hostFuncArgs{Hostname: a.Hostname, Port: a.Port, Hash: a.Hash}).state()
	s.Enc, s.Timeout = a.Enc, a.Timeout
	if err := s.CheckArgs(); err != nil {
		return nil, err
	}
	all, err := s.scan(ctx, h, a.Hostname)
	for i := range all {
		if a.HashHosts {
			all[i].hosts = hashed(all[i].hosts)
		}
	}
	return dicts(all, a.Hash), err
}

func hashKnown(ctx context.Context, h *host.Host, a hostsArgs) (*value.Dict, error) {
	p, err := a.place(ctx, h)
	if err != nil {
		return nil, err
	}
	l, err := p.read(h)
	if err == nil && l == nil {
		err = fmt.Errorf("cannot hide names in %s: there is no such file, or nothing in it", p.name)
	}
	if err == nil {
		err = p.edit(ctx, h, func(l *lines) { l.hash() })
	}
	if err != nil {
		return nil, err
	}
	return value.NewDict("status", "updated", "comment", p.name+" is hashed"), nil
}
