#!/usr/bin/env python3
"""Module accounts: what Python knows of the accounts of a host."""
import collections
import json
import os
import sys

DESCRIPTION = {
    "doc": "Look at accounts.",
    "functions": {
        "shells": {"doc": "Return how many accounts have each login shell."},
        "members": {
            "doc": "Return the members of a group, in order.",
            "example": "sudo",
            "args": [{"name": "group", "type": "text", "required": True, "doc": "its name"}],
        },
    },
}


def lines(job, path):
    with open(os.path.join(job["root"] or "/", path)) as f:
        return [line.rstrip("\n").split(":") for line in f if line.strip()]


def shells(job):
    return collections.Counter(fields[6] for fields in lines(job, "etc/passwd"))


def members(job):
    for fields in lines(job, "etc/group"):
        if fields[0] == job["args"]["group"]:
            return sorted(m for m in fields[3].split(",") if m)
    sys.exit(f"there is no group {job['args']['group']}")


if sys.argv[1] == "describe":
    json.dump(DESCRIPTION, sys.stdout)
elif sys.argv[1] == "call":
    try:
        json.dump({"shells": shells, "members": members}[sys.argv[2]](json.load(sys.stdin)), sys.stdout)
    except OSError as e:
        sys.exit(f"cannot look at accounts: {e}")
