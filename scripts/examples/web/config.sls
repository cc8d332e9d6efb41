# The site's configuration, in a file of its own so that other SLS can include it alone.

/tmp/brine-example/etc:
  file.directory:
    - mode: 0750
    - makedirs: true

/tmp/brine-example/etc/site.conf:
  file.managed:
    - contents: |
        # Managed by brine: changes are overwritten.
        listen 8080
        root /tmp/brine-example/www
    - mode: 0640
    - require:
      - file: /tmp/brine-example/etc
