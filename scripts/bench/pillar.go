package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"brine/master/pillar"
	"brine/minion/grains"
	"brine/states/host"
	"brine/states/value"
)

// pillar times the pillar of 1,000 minions with the grains of this machine: of a tree just changed, and once more.
func (b *bench) pillar(ctx context.Context) error {
	const minions = 1000
	dir, err := os.MkdirTemp("", "brine-bench.")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for name, text := range pillarTree() {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	facts, err := grainsHere(ctx, dir)
	if err != nil {
		return err
	}
	var cold, warm []time.Duration
	for range b.runs {
		m := pillar.New(pillar.Options{Trees: pillar.NewDirs(map[string][]string{"base": {dir}}), Exposed: true})
		for _, all := range []*[]time.Duration{&cold, &warm} {
			began := time.Now()
			if err := pillars(ctx, m, facts, minions); err != nil {
				return err
			}
			*all = append(*all, time.Since(began))
		}
	}
	b.say("pillar of 1,000 minions, cold", ms(median(cold)), "2000 ms", median(cold) <= 2*time.Second)
	b.say("pillar of 1,000 minions, warm", ms(median(warm)), "200 ms", median(warm) <= 200*time.Millisecond)
	return nil
}

func grainsHere(ctx context.Context, dir string) ([]byte, error) {
	local := &host.Local{}
	defer local.Close()
	m := grains.NewMachine(grains.MachineOptions{System: grains.System{Exec: local.Run}})
	defer m.Close()
	s := grains.New(grains.Options{ID: "bench", Machine: m, File: filepath.Join(dir, ".grains"), Exec: local.Run})
	return value.MarshalJSON(s.Now(ctx))
}

// pillars makes the pillar of minions, as many at the same time as there are cores.
func pillars(ctx context.Context, m *pillar.Maker, facts []byte, minions int) error {
	now := time.Now()
	var work errgroup.Group
	work.SetLimit(runtime.GOMAXPROCS(0))
	for i := range minions {
		work.Go(func() error {
			p, err := m.Of(ctx, fmt.Sprintf("web%d.example.com", i), "", facts, now)
			if err == nil && len(p.Mistakes) > 0 {
				err = errors.New(p.Mistakes[0])
			}
			return err
		})
	}
	return work.Wait()
}

// pillarTree is pillar as sites have it: 24 targets of which 7 mean a minion, data, templates and an import.
func pillarTree() map[string]string {
	files := map[string]string{
		"common.sls": "{% from 'map.jinja' import net %}\nid: {{ grains.id }}\nntp: {{ net.ntp | json }}\nusers:\n{% for i in range(30) %}  user{{ i }}:\n" +
			"    uid: {{ 1000 + i }}\n    groups: [users, wheel]\n    shell: /bin/bash\n{% endfor %}",
		"map.jinja":  "{% set net = {'ntp': ['10.0.0.1', '10.0.0.2'], 'domain': grains.id.split('.', 1)[1]} %}",
		"kernel.sls": "sysctl:\n" + pairs("net.core.setting", 40),
		"web.sls":    "include: [tls]\nnginx:\n  port: {{ 443 if grains.kernel == 'Linux' else 8443 }}\n  workers: {{ grains.num_cpus }}\n  vhosts:\n" + pairs("site", 20),
		"tls.sls":    "tls: {cert: /etc/ssl/{{ grains.id }}.pem, ciphers: [a, b, c]}\n",
		"fw.sls":     "#!yaml\nfirewall:\n" + pairs("rule", 40),
		"mon.sls":    "monitoring: {host: {{ grains.id }}, checks: {{ ['disk', 'load', 'mem'] | json }}}\n",
		"secret.sls": "db: {password: x}\n",
	}
	top := "base:\n  '*': [common, mon]\n  'G@kernel:Linux': [kernel]\n  'web*': [web]\n  'web* and G@kernel:Linux': [fw]\n  'E@web[0-9]+\\..*': [tls]\n  'L@web1.example.com': [secret]\n"
	for i := range 18 {
		top += fmt.Sprintf("  'db%d* or G@role:db%d': [secret]\n", i, i)
	}
	files["top.sls"] = top
	return files
}

// pairs is a dict of YAML.
func pairs(name string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "    %s%d: {value: %d, note: some text of it}\n", name, i, i)
	}
	return b.String()
}
