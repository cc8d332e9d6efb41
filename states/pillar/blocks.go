package pillar

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"brine/states/plan"
	"brine/states/yaml"
)

// The kinds of blocks that hold something encrypted, by what their first lines say.
const (
	ageBlock = "AGE ENCRYPTED FILE"
	pgpBlock = "PGP MESSAGE"
)

func begins(kind string) string { return "-----BEGIN " + kind + "-----" }
func ends(kind string) string   { return "-----END " + kind + "-----" }

// decrypt puts what the blocks of a kind hold in their places, in all values of a file. It changes copies, since others may
// have the same data.
func (e *environment) decrypt(ctx context.Context, path string, n *yaml.Node, kind string) (*yaml.Node, []*plan.Error) {
	d := &decrypting{environment: e, ctx: ctx, path: path, kind: kind, done: map[*yaml.Node]*yaml.Node{}}
	return d.node(n), d.errs
}

type decrypting struct {
	*environment
	ctx  context.Context
	path string
	kind string
	done map[*yaml.Node]*yaml.Node // an alias has what it stands for come again
	errs []*plan.Error
}

// node returns a node, or a copy of it in which something was decrypted.
func (d *decrypting) node(n *yaml.Node) *yaml.Node {
	if known, ok := d.done[n]; ok {
		return known
	}
	d.done[n] = n
	if n.Kind == yaml.ScalarNode {
		d.done[n] = d.scalar(n)
		return d.done[n]
	}
	c := *n
	changed := false
	for i, item := range n.Items {
		if own := d.node(item); own != item {
			if !changed {
				c.Items = slices.Clone(n.Items)
			}
			c.Items[i], changed = own, true
		}
	}
	for i, p := range n.Pairs {
		if own := d.node(p.Value); own != p.Value {
			if !changed {
				c.Pairs = slices.Clone(n.Pairs)
			}
			c.Pairs[i].Value, changed = own, true
		}
	}
	if changed {
		d.done[n] = &c
	}
	return d.done[n]
}

func (d *decrypting) scalar(n *yaml.Node) *yaml.Node {
	text, ok := n.Str()
	if !ok || !strings.Contains(text, begins(d.kind)) {
		return n
	}
	plain, err := d.text(text)
	if err != nil {
		d.errs = append(d.errs, plan.Errorf(plan.Place{File: d.path, Line: n.Line}, "cannot decrypt a value: %v", err))
		return n
	}
	c := *n
	c.Value, c.Text = plain, plain
	d.opened[plain] = true
	return &c
}

// text decrypts the blocks in a text. As in Salt the ends of lines at its end go.
func (d *decrypting) text(text string) (string, error) {
	var out strings.Builder
	for {
		before, rest, ok := strings.Cut(text, begins(d.kind))
		out.WriteString(before)
		if !ok {
			return strings.TrimRight(out.String(), "\r\n"), nil
		}
		block, after, ok := strings.Cut(rest, ends(d.kind))
		if !ok {
			return "", fmt.Errorf("after %q there is no %q", begins(d.kind), ends(d.kind))
		}
		plain, err := d.block(begins(d.kind) + block + ends(d.kind))
		if err != nil {
			return "", err
		}
		out.WriteString(plain)
		text = after
	}
}

// block decrypts one block, whose lines may be indented, or have \n between them as in Salt.
func (d *decrypting) block(text string) (string, error) {
	if d.opts.Decrypt == nil {
		return "", errors.New("there are no keys here: only a master with keys, or a call that names them, has it")
	}
	lines := strings.Split(strings.ReplaceAll(text, `\n`, "\n"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimSpace(line)
	}
	if !d.stands(lines) {
		return "", errors.New("it stands in none of the files that make this pillar: what a minion tells, such as a grain, is not decrypted for it")
	}
	return d.opts.Decrypt(d.ctx, strings.Join(lines, "\n")+"\n")
}

// stands tells whether one of the files that were read has all lines of a block. Else a minion could tell, as a grain that
// some SLS repeats, an encrypted block that is not meant for it, and get what that holds.
func (r *reader) stands(lines []string) bool {
	return slices.ContainsFunc(r.sources, func(text string) bool {
		return !slices.ContainsFunc(lines, func(line string) bool { return !strings.Contains(text, line) })
	})
}
