# A small web site: what `brine apply TARGET web` does.
#
# The files of this directory are a state tree: give it to a master as file root
# (brine-lab up --file-root scripts/examples), or apply it without one:
#
#     brine-minion call --root /tmp/try --file-root scripts/examples state.apply web
#
# It can be applied on any machine by any user, and harms nothing: all paths lie under
# /tmp/brine-example, which is below the minion's own root directory when it was started with
# --root, so that several minions of one machine do not meet. Commands name their files
# relative to their working directory for the same reason. `brine apply TARGET web.absent`
# takes everything away again.

include:
  - .config

/tmp/brine-example/www:
  file.directory:
    - mode: 0755
    - makedirs: true

/tmp/brine-example/www/index.html:
  file.managed:
    - source: salt://web/files/index.html
    - mode: 0644
    - require:
      - file: /tmp/brine-example/www

# A command changes the host each time that it runs, so it says when it has to.
list of files:
  cmd.run:
    - name: ls -1 > files.txt
    - cwd: /tmp/brine-example/www
    - require:
      - sls: web.config
    - onchanges:
      - file: /tmp/brine-example/www/index.html
