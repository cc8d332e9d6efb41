package jinja_test

import (
	"context"
	"strings"
	"testing"

	"brine/states/jinja"
	"brine/states/value"
)

// formula is what a typical formula has: defaults and facts by system, merged with pillar, and states that use them.
var formula = map[string]string{
	"nginx/init.sls": `{%- set tplroot = tpldir.split('/')[0] %}
{%- from tplroot ~ "/map.jinja" import mapdata as nginx with context %}
{%- from tplroot ~ "/libtofs.jinja" import files_switch with context %}
include:
{%- for part in ['package', 'config', 'service'] %}
  - .{{ part }}
{%- endfor %}

nginx-package:
  pkg.installed:
    - name: {{ nginx.pkg.name }}
    {%- if nginx.pkg.version is defined and nginx.pkg.version %}
    - version: {{ nginx.pkg.version }}
    {%- endif %}

{%- for name, site in nginx.sites.items() if site.enabled | default(true) %}

nginx-site-{{ name }}:
  file.managed:
    - name: {{ nginx.config | path_join('sites-available', name ~ '.conf') }}
    - source: {{ files_switch(['site.conf.jinja'], lookup='nginx-site-' ~ name) }}
    - mode: '0644'
    - user: {{ nginx.rootuser | default('root') }}
    - template: jinja
    - context:
        site: {{ site | json }}
    - require:
      - pkg: nginx-package
{%- endfor %}
`,
	"nginx/map.jinja": `{%- import_yaml tplroot ~ "/defaults.yaml" as defaults %}
{%- import_yaml tplroot ~ "/osfamilymap.yaml" as osfamilymap %}
{%- set mapdata = defaults.nginx %}
{%- do mapdata.update(osfamilymap.get(grains.os_family, {})) %}
{%- set found = salt['pillar.get']('nginx', default={}) %}
{%- do mapdata.update(found) %}
`,
	"nginx/defaults.yaml":    "nginx:\n  pkg:\n    name: nginx\n  config: /etc/nginx\n  rootgroup: root\n  sites: {}\n",
	"nginx/osfamilymap.yaml": "Debian:\n  pkg:\n    name: nginx-full\nRedHat:\n  pkg:\n    name: nginx\n  config: /etc/nginx\n",
	"nginx/libtofs.jinja": `{%- macro files_switch(source_files, lookup=None, default_files_switch=['id', 'os_family'], indent_width=6) %}
{%- set path_prefix = 'salt://' ~ tplroot %}
{%- set fsl = salt['config.get'](tplroot ~ ':tofs:files_switch', default_files_switch) %}
{%- for fs in fsl + [''] %}
{%- set fs_dir = salt['config.get'](fs, fs) if fs else 'default' %}
{%- for src_file in source_files %}
{%- set url = [path_prefix, 'files', fs_dir, src_file.lstrip('/')] | select | join('/') %}
{{ ('- ' ~ url) | indent(indent_width, true) }}
{%- endfor %}
{%- endfor %}
{%- endmacro %}
`,
}

func formulaEnv() (jinja.Env, map[string]any) {
	grains := value.NewDict("os_family", "Debian", "id", "web1")
	sites := &value.Dict{}
	for _, name := range strings.Fields("www api static admin docs") {
		sites.Put(name, value.NewDict("enabled", true, "port", int64(443), "names", value.NewList(name+".example.org")))
	}
	pillar := value.NewDict("nginx", value.NewDict("sites", sites))
	salt := &saltFunctions{grains: grains, pillar: pillar, opts: &value.Dict{}}
	vars := map[string]any{"grains": grains, "pillar": pillar}
	slsVars(vars, "nginx", "nginx/init.sls")
	return jinja.Env{Load: loader(formula), Call: salt.call, Has: salt.has}, vars
}

// BenchmarkFormula renders a formula whose templates were parsed before.
func BenchmarkFormula(b *testing.B) {
	engine := new(jinja.Engine)
	env, vars := formulaEnv()
	b.ReportAllocs()
	for b.Loop() {
		t, err := engine.Parse("nginx/init.sls", formula["nginx/init.sls"], jinja.Settings{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := t.Render(context.Background(), env, vars); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMacros calls twenty macros fifty times each.
func BenchmarkMacros(b *testing.B) {
	var source strings.Builder
	for i := range 20 {
		name := string(rune('a' + i))
		source.WriteString("{% macro m" + name + "(x, y=2) %}{% if x > y %}{{ x }}-{{ y }}{% else %}{{ y ~ x }}{% endif %}{% endmacro %}")
	}
	source.WriteString("{% for i in range(50) %}")
	for i := range 20 {
		source.WriteString("{{ m" + string(rune('a'+i)) + "(i) }}\n")
	}
	source.WriteString("{% endfor %}")
	t, err := new(jinja.Engine).Parse("macros", source.String(), jinja.Settings{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := t.Render(context.Background(), jinja.Env{}, nil); err != nil {
			b.Fatal(err)
		}
	}
}
