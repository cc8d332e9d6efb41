#!/usr/bin/env python3
"""States of settings: values in a file of JSON, among others that stay as they are."""
import json
import os
import sys

DESCRIPTION = {
    "doc": "Settings in files of JSON.",
    "states": {
        "hold": {
            "doc": "Make sure that a file of JSON holds some values; others stay.",
            "example": "/etc/app.json:\n  settings.hold:\n    - values: {port: 8080}",
            "args": [
                {"name": "name", "type": "text", "required": True, "doc": "the file"},
                {"name": "values", "type": "map", "required": True, "doc": "the values by key"},
            ],
        },
    },
}


def read(path):
    try:
        with open(path) as f:
            return json.load(f)
    except FileNotFoundError:
        return {}


def plan(job, path):
    have = read(path)
    changes = {
        key: {"old": have.get(key), "new": value}
        for key, value in job["args"]["values"].items()
        if key not in have or have[key] != value
    }
    return {"changes": changes} if changes else {"same": "the settings are there"}


def apply(job, path):
    have = read(path)
    have.update(job["args"]["values"])
    with open(path + ".new", "w") as f:
        json.dump(have, f, indent=2)
        f.write("\n")
    os.rename(path + ".new", path)
    return {"changes": job["plan"]["changes"], "comment": "the settings are written"}


if sys.argv[1] == "describe":
    json.dump(DESCRIPTION, sys.stdout)
else:
    try:
        job = json.load(sys.stdin)
        path = os.path.join(job["root"] or "/", job["args"]["name"].lstrip("/"))
        json.dump({"plan": plan, "apply": apply}[sys.argv[1]](job, path), sys.stdout)
    except (OSError, ValueError) as e:
        sys.exit(f"cannot read or write the settings: {e}")
