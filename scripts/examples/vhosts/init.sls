{#- One file for each site that pillar names: brine-minion call state.apply vhosts --file-root scripts/examples --pillar-root DIR #}
{%- from "./map.jinja" import vhosts with context %}

{{ vhosts.dir }}/{{ vhosts.style }}:
  file.directory:
    - makedirs: true
{%- for name, site in vhosts.sites|dictsort %}

{{ sls }} {{ name }}:
  file.managed:
    - name: {{ vhosts.dir }}/{{ vhosts.style }}/{{ name }}.conf
    - source: salt://{{ tpldir }}/files/site.conf.jinja
    - template: jinja
    - context:
        name: {{ name }}
        site: {{ site|json }}
    - defaults:
        port: {{ vhosts.port }}
    - require:
      - file: {{ vhosts.dir }}/{{ vhosts.style }}
{%- endfor %}
{%- if salt["pillar.get"]("vhosts:motd") %}

{{ vhosts.dir }}/motd:
  file.managed:
    - contents_pillar: vhosts:motd
    - require:
      - file: {{ vhosts.dir }}/{{ vhosts.style }}
{%- endif %}
