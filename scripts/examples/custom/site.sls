# What the tree's own modules are for: see _modules, _states and _grains beside this file.
/tmp/brine-custom:
  file.directory:
    - makedirs: true

/tmp/brine-custom/notice:
  notice.posted:
    - text: rack {{ grains.get('rack', 'not synced yet') }}, {{ 'room' if salt['room.enough']('/', mib=1) else 'no room' }}
    - require:
      - file: /tmp/brine-custom

/tmp/brine-custom/app.json:
  settings.hold:
    - values:
        port: 8080
        hosts: [a, b]
    - require:
      - file: /tmp/brine-custom
