# Takes away what web made.

/tmp/brine-example:
  file.absent
