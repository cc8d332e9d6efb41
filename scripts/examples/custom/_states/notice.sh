#!/bin/sh
# States of notice: "plan" looks and says what would change, "apply" changes it.
set -e
file="$BRINE_ROOT$BRINE_ARG_name"
json() { printf '"%s"' "$(printf %s "$1" | sed 's/[\\"]/\\&/g')"; }
case "$1 $2" in
"describe ")
    cat <<'END'
{"doc": "Notices in files of one line.",
 "states": {
   "posted": {"doc": "Make sure that a file holds one line.",
              "example": "/etc/notice:\n  notice.posted:\n    - text: no changes on Fridays",
              "args": [{"name": "name", "type": "text", "required": true, "doc": "the file"},
                       {"name": "text", "type": "text", "required": true, "doc": "the line"}]}}}
END
    ;;
"plan posted")
    old=$(cat "$file" 2>/dev/null || true)
    if [ "$old" = "$BRINE_ARG_text" ]; then
        echo '{"same": "the notice is there"}'
    else
        printf '{"changes": {"notice": {"old": %s, "new": %s}}, "comment": "the notice would be posted"}' \
            "$(json "$old")" "$(json "$BRINE_ARG_text")"
    fi
    ;;
"apply posted")
    printf '%s\n' "$BRINE_ARG_text" > "$file.new"
    mv "$file.new" "$file"
    echo '{"comment": "the notice is posted"}' # what changed is what was planned
    ;;
esac
