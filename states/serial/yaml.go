package serial

import (
	"math/big"
	"regexp"
	"strings"
	"sync"

	"brine/states/jinja/dump"
	"brine/states/module"
	"brine/states/value"
	"brine/states/yaml"
)

func writeYAML(v any, options *value.Dict) (string, error) {
	o, sorted, style := dump.YAMLOptions{}, true, ""
	err := set(options,
		option{"default_flow_style", func(v module.Value) error {
			if v.Data == nil {
				o.Flow = nil
				return nil
			}
			flow, err := v.Bool()
			o.Flow = &flow
			return err
		}},
		oneOf("default_style", &style, "", "'", `"`, "|", ">"),
		number("indent", 0, 100, &o.Indent), number("width", -1, 1<<30, &o.Width),
		flag("allow_unicode", &o.Unicode), flag("explicit_start", &o.Start), ignored("explicit_end"),
		oneOf("line_break", &o.Break, "\n", "\r", "\r\n"), flag("sort_keys", &sorted),
		option{"version", func(v module.Value) error { return version(v, &o.Version) }},
	)
	if err != nil {
		return "", err
	}
	if o.Ordered = !sorted; style != "" {
		o.Style = style[0]
	}
	return dump.YAMLWith(v, o)
}

func version(v module.Value, into *string) error {
	if v.Data == nil {
		return nil
	}
	if parts, err := strings1(v); err == nil && len(parts) == 2 && parts[0] == "1" && (parts[1] == "1" || parts[1] == "2") {
		*into = strings.Join(parts, ".")
		return nil
	}
	return v.Want("[1, 1] or [1, 2]")
}

// readYAML reads as PyYAML does, and not as SLS files are read: 0644 is octal, and a date is one. An empty text is nothing.
func readYAML(text string, options *value.Dict) (any, error) {
	if err := set(options); err != nil {
		return nil, err
	}
	n, err := yaml.Parse("text", []byte(text))
	if err != nil {
		return nil, err
	}
	strict(n, map[*yaml.Node]bool{})
	return n.Data(), nil
}

var (
	octal = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^0[0-7_]+$`) })
	dates = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^\d{4}-(\d\d-\d\d|\d\d?-\d\d?([Tt]|[ \t]+)\d\d?:\d\d:\d\d(\.\d*)?([ \t]*(Z|[-+]\d\d?(:\d\d)?))?)$`)
	})
)

// strict gives scalars the values that YAML 1.1 has them mean.
func strict(n *yaml.Node, seen map[*yaml.Node]bool) {
	if n == nil || seen[n] {
		return
	}
	seen[n] = true
	for _, item := range n.Items {
		strict(item, seen)
	}
	for _, p := range n.Pairs {
		strict(p.Key, seen)
		strict(p.Value, seen)
	}
	if n.Kind != yaml.ScalarNode || n.Quoted {
		return
	}
	switch n.Value.(type) {
	case int64, *big.Int:
		if i, ok := new(big.Int).SetString(strings.ReplaceAll(n.Text, "_", ""), 8); ok && octal().MatchString(n.Text) {
			n.Value = value.Int(i)
		}
	case string:
		if dates().MatchString(n.Text) {
			n.Value = dump.Plain(n.Text)
		}
	}
}
