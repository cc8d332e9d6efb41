package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/spf13/cobra"

	"brine/states/value"
	"brine/states/yaml"
)

// importedItem is what became of one setting of Salt, in JSON.
type importedItem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Key     string `json:"key"`
	Becomes string `json:"becomes"` // "" for none
	Note    string `json:"note"`    // what is left to do, or why it needs none
}

func (a *app) importSaltCommand() *cobra.Command {
	var to string
	c := a.outFlag(&cobra.Command{
		Use: "import-salt [DIR]", Short: "Make configuration of that of Salt's masters and minions, and name what has no counterpart",
		Long: `Read Salt's configuration below DIR (/etc/salt): master, minion, their .d directories, grains, minion_id.

What has a counterpart is written below the directory of --to: master.d/50-salt.toml and minion.d/50-salt.toml, which belong
into /etc/brine of masters and minions, and grains. Nothing else is touched, and no file that is there already is written over.
Each setting is listed with what became of it, or with what to do instead; so is, where the trees of states and pillar are
here, what looks into the mine by others' pillar.`,
		Example: "  brine import-salt --to brine-config\n  brine import-salt /srv/backup/etc/salt --to /tmp/new --out json",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := "/etc/salt"
			if len(args) > 0 {
				dir = args[0]
			}
			if to == "" {
				return usage("import-salt wants --to DIR, where the new files go")
			}
			s, err := readSalt(dir)
			if err != nil {
				return &exit{exitData, err}
			}
			if err := s.write(to); err != nil {
				return &exit{exitUsage, err}
			}
			return list(a, s.items, []string{"SALT", "BECOMES", "NOTE"}, func(i importedItem) []string {
				return []string{fmt.Sprintf("%s:%d %s", i.File, i.Line, i.Key), i.Becomes, i.Note}
			})
		},
	})
	c.Flags().StringVar(&to, "to", "", "directory for the new files; it is made when it is not there")
	return c
}

// A saltConfig is Salt's configuration on its way to brine's.
type saltConfig struct {
	items  []importedItem
	master map[string]any // master.toml
	minion map[string]any // minion.toml
	grains []byte
}

// readSalt reads all that is below a directory. Every mistake in it is told.
func readSalt(dir string) (*saltConfig, error) {
	s := &saltConfig{master: map[string]any{}, minion: map[string]any{}}
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		return nil, fmt.Errorf("cannot read Salt's configuration: %s is no directory", dir)
	}
	var errs []error
	found := false
	for _, part := range []struct {
		name  string
		into  map[string]any
		rules map[string]saltRule
	}{{"master", s.master, masterRules()}, {"minion", s.minion, minionRules()}} {
		more, err := filepath.Glob(filepath.Join(dir, part.name+".d", "*.conf"))
		if err != nil {
			return nil, err
		}
		sort.Strings(more)
		for _, file := range append([]string{filepath.Join(dir, part.name)}, more...) {
			data, err := os.ReadFile(file)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			found = true
			if err == nil {
				err = s.read(file, data, part.into, part.rules)
			}
			errs = append(errs, err)
		}
	}
	errs = append(errs, s.readMinionID(dir), s.readGrains(dir))
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	joinLinks(s.master)
	s.findMineByPillar()
	if !found {
		return nil, fmt.Errorf("cannot read Salt's configuration: there is no master and no minion file in %s", dir)
	}
	return s, nil
}

func (s *saltConfig) read(file string, data []byte, into map[string]any, rules map[string]saltRule) error {
	doc, err := yaml.Parse(file, data)
	if err != nil {
		return err
	}
	if doc.IsNull() {
		return nil
	}
	if doc.Kind != yaml.MappingNode {
		return fmt.Errorf("%s:%d: cannot read it: want a dictionary, got a %s", file, doc.Line, doc.TypeName())
	}
	for _, p := range doc.Pairs {
		item := importedItem{File: file, Line: p.Key.Line, Key: p.Key.Text}
		rule, ok := rules[p.Key.Text]
		if !ok {
			rule = saltRule{note: "nothing in brine has this name; see whether you need it"}
		}
		v := p.Value.Data()
		if item.Key == "beacons" {
			v = tableBeacons(v)
		}
		rule.apply(&item, into, plain(v))
		s.items = append(s.items, item)
	}
	return nil
}

func (s *saltConfig) readMinionID(dir string) error {
	file := filepath.Join(dir, "minion_id")
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	id := strings.TrimSpace(string(data))
	item := importedItem{File: file, Line: 1, Key: "minion_id", Becomes: "minion.toml id"}
	if _, given := s.minion["id"]; given {
		item.Becomes, item.Note = "", "the minion's configuration gives another one"
	} else {
		s.minion["id"] = id
	}
	s.items = append(s.items, item)
	return nil
}

func (s *saltConfig) readGrains(dir string) error {
	file := filepath.Join(dir, "grains")
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		_, err = yaml.Parse(file, data)
	}
	if err != nil {
		return err
	}
	s.grains = data
	s.items = append(s.items, importedItem{File: file, Line: 1, Key: "grains", Becomes: "/etc/brine/grains"})
	return nil
}

// write makes the new files below a directory.
func (s *saltConfig) write(to string) error {
	files := map[string][]byte{}
	if s.grains != nil {
		files["grains"] = s.grains
	}
	for name, content := range map[string]map[string]any{"master.d/50-salt.toml": s.master, "minion.d/50-salt.toml": s.minion} {
		if len(content) == 0 {
			continue
		}
		var b bytes.Buffer
		b.WriteString("# Made of Salt's configuration by brine import-salt.\n")
		if err := toml.NewEncoder(&b).Encode(content); err != nil {
			return fmt.Errorf("cannot write %s: %w", name, err)
		}
		files[name] = b.Bytes()
	}
	for name := range files {
		if _, err := os.Lstat(filepath.Join(to, name)); err == nil {
			return fmt.Errorf("cannot write %s: it is there already", filepath.Join(to, name))
		}
	}
	for name, data := range files {
		path := filepath.Join(to, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o600); err != nil { // it may hold passwords
			return err
		}
	}
	return nil
}

// plain makes of a value of YAML one that TOML can hold: what is null is left out.
func plain(v any) any {
	switch v := v.(type) {
	case *value.Dict:
		m := map[string]any{}
		for k, item := range v.All() {
			if p := plain(item); p != nil {
				m[fmt.Sprint(k)] = p
			}
		}
		return m
	case *value.List:
		all := []any{}
		for _, item := range v.Items {
			if p := plain(item); p != nil {
				all = append(all, p)
			}
		}
		return all
	}
	return v
}

// put sets a value under keys in one another.
func put(into map[string]any, v any, keys ...string) {
	for _, k := range keys[:len(keys)-1] {
		inner, ok := into[k].(map[string]any)
		if !ok {
			inner = map[string]any{}
			into[k] = inner
		}
		into = inner
	}
	into[keys[len(keys)-1]] = v
}

// texts makes a list of one text or of many.
func texts(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []string:
		return v
	case []any:
		var all []string
		for _, item := range v {
			all = append(all, fmt.Sprint(item))
		}
		return slices.Clip(all)
	}
	return nil
}
