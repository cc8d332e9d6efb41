#!/bin/sh
# Module room: what is left on the file systems of a host. A shell finds its arguments in BRINE_ARG_*.
set -e
case "$1 $2" in
"describe ")
    cat <<'END'
{"doc": "Tell what room is left on file systems.",
 "functions": {
   "left": {"doc": "Return the room that is left where a path is, in MiB.", "example": "/var",
            "args": [{"name": "path", "type": "text", "default": "/", "doc": "a file or directory"}]},
   "enough": {"doc": "Return whether there is room for as many MiB.", "example": "/var mib=500",
              "args": [{"name": "path", "type": "text", "required": true, "doc": "a file or directory"},
                       {"name": "mib", "type": "integer", "default": 100, "doc": "what is needed"}]}}}
END
    ;;
"call left" | "call enough")
    left=$(df -Pm "$BRINE_ROOT$BRINE_ARG_path" | awk 'NR == 2 { print $4 }')
    test -n "$left" # df has told why not
    if [ "$2" = left ]; then echo "$left"; elif [ "$left" -ge "$BRINE_ARG_mib" ]; then echo true; else echo false; fi
    ;;
esac
