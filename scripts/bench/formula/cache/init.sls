{%- from "cache/map.jinja" import cache with context %}
{%- from "cache/macros.jinja" import option, owned with context %}

include:
{%- for part in ["package", "firewall"] %}
  - .{{ part }}
{%- endfor %}

cache-package:
  pkg.installed:
    - pkgs: {{ cache.packages|json }}
    {%- if cache.version is defined %}
    - version: {{ cache.version }}
    {%- endif %}

cache-directory:
  file.directory:
    - name: {{ cache.dir }}
    {{- owned(cache.user, "0750") }}
    - require:
      - pkg: cache-package
{%- for name, instance in cache.instances|dictsort if instance.enabled|default(true) %}
{%- set file = cache.dir|path_join(name ~ ".conf") %}

cache-config-{{ name }}:
  file.managed:
    - name: {{ file }}
    {{- owned(cache.user, "0640") }}
    - contents: |
        {{ option("bind", instance.listen|default(cache.listen)|join(" ")) }}
        {{ option("port", instance.port) }}
        {{ option("memory", instance.memory|default(cache.memory) ~ "mb") }}
        {%- for key, val in instance.get("options", {})|dictsort %}
        {{ option(key, val) }}
        {%- endfor %}
    - require:
      - file: cache-directory

cache-service-{{ name }}:
  service.running:
    - name: {{ cache.service }}@{{ name }}
    - enable: {{ cache.enable }}
    - watch:
      - file: cache-config-{{ name }}
{%- endfor %}
