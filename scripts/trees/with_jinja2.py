"""Render SLS templates with the Jinja2 that this Python has, where there is no Salt, for scripts/trees.

Requests and answers are those of with_salt.py, but an answer holds the text of the template alone. What Salt adds to
Jinja2 is added here as far as most trees need it; of a template that needs more nothing is told ("noanswer").
"""

import ast
import copy
import fnmatch
import json
import os
import posixpath
import re
import sys

import jinja2
import jinja2.ext
import jinja2.sandbox
import yaml
from jinja2 import nodes


class NoAnswer(Exception):
    """The template needs what is not here."""


class Loader(yaml.SafeLoader):
    """YAML as Salt reads it: dates stay text, and numbers lose leading zeros."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in kinds if not tag.endswith(":timestamp")]
    for first, kinds in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def number(loader, node):
    node.value = re.sub(r"^0+(?=[0-9])", "", node.value)
    return yaml.SafeLoader.construct_yaml_int(loader, node)


Loader.add_constructor("tag:yaml.org,2002:int", number)


def load_yaml(text):
    return yaml.load(str(text), Loader)


# libyaml's, as Salt takes it where it is there, folds text in quotes otherwise than Python's own.
Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def dump_yaml(value, flow=True):
    text = yaml.dump(value, Dumper=Dumper, default_flow_style=flow).strip()
    return text[:-4] if text.endswith("\n...") else text


class Loads(jinja2.ext.Extension):
    """The statements load_yaml, import_yaml and their like, and profile."""

    tags = {p + k for p in ("load_", "import_") for k in ("yaml", "json", "text")} | {"profile"}
    readers = {"yaml": load_yaml, "json": lambda text: json.loads(str(text)), "text": str}

    def parse(self, parser):
        tag = parser.stream.current.value
        if tag == "profile":
            next(parser.stream)
            parser.stream.skip_if("name:as")
            parser.parse_expression()
            return parser.parse_statements(("name:endprofile",), drop_needle=True)
        how, kind = tag.split("_")
        if how == "import":
            first = parser.parse_import()
            name = first.target
        else:
            line = next(parser.stream).lineno
            parser.stream.expect("name:as")
            name = parser.parse_assign_target(name_only=True).name
            body = parser.parse_statements(("name:endload",), drop_needle=True)
            first = nodes.AssignBlock(nodes.Name(name, "store"), None, body).set_lineno(line)
        value = self.call_method("read", [nodes.Const(kind), nodes.Name(name, "load")])
        return [first, nodes.Assign(nodes.Name(name, "store"), value).set_lineno(first.lineno)]

    def read(self, kind, text):
        return self.readers[kind](text)


def traverse(data, path, default=None, delimiter=":"):
    for key in str(path).split(delimiter) if not isinstance(path, (list, tuple)) else path:
        try:
            if isinstance(data, list):
                data = data[int(key)]
            elif key in data:
                data = data[key]
            else:
                data = data[int(key)]
        except (KeyError, IndexError, TypeError, ValueError):
            return default
    return data


def merged(under, over):
    out = copy.deepcopy(under)
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key] = merged(out[key], value)
        else:
            out[key] = copy.deepcopy(value)
    return out


def unique(values):
    return [v for i, v in enumerate(values) if v not in list(values)[:i]]


def is_list(value):
    return isinstance(value, list)


def to_json(value, indent=None):
    """Keep the order of keys, where Jinja2's own filter sorts them."""
    text = json.dumps(value, indent=indent)
    for char in "<>&'":
        text = text.replace(char, "\\u%04x" % ord(char))
    return text


filters = {
    "is_list": is_list, "json": lambda v, sort_keys=True, indent=None: json.dumps(v, sort_keys=sort_keys, indent=indent).strip(),
    "load_json": lambda v: json.loads(str(v)), "load_yaml": load_yaml, "path_join": lambda *p: posixpath.join(*p),
    "regex_replace": lambda text, pattern, repl, ignorecase=False, multiline=False: re.sub(
        pattern, repl, text, flags=(re.I if ignorecase else 0) | (re.M if multiline else 0)),
    "sequence": lambda v: v if isinstance(v, (list, tuple, set, dict)) else [v], "tojson": to_json, "traverse": traverse, "unique": unique,
    "yaml": dump_yaml, "yaml_dquote": lambda v: yaml.dump(str(v), default_style='"', width=sys.maxsize).strip(),
    "yaml_encode": lambda v: yaml.dump(v, width=sys.maxsize).strip().removesuffix("\n..."),
}


class Functions(dict):
    """What templates see as salt."""

    def __missing__(self, name):
        if "." in name:
            raise NoAnswer("function " + name)
        return Functions({k[len(name) + 1:]: v for k, v in self.items() if k.startswith(name + ".")})


class Tree:
    def __init__(self, request):
        self.request = request
        if request.get("exact"):
            request["pillar"] = ast.literal_eval(request["exact"])
        self.env = jinja2.sandbox.SandboxedEnvironment(
            loader=jinja2.FunctionLoader(self.load), undefined=jinja2.StrictUndefined,
            extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols", Loads],
        )
        self.env.filters.update(filters)
        self.env.tests["list"] = is_list
        self.env.globals.update({"odict": dict, "raise": self.fail})
        self.file = ""

    @staticmethod
    def fail(text):
        raise jinja2.TemplateError(text)

    def load(self, name):
        if name.startswith(("./", "../")):
            name = posixpath.normpath(posixpath.join(posixpath.dirname(self.file), name))
        path = os.path.join(self.request["root"], name)
        if not os.path.isfile(path):
            return None
        with open(path, encoding="utf-8") as f:
            return f.read(), path, lambda: True

    def functions(self, grains, pillar):
        def get(data):
            def got(key, default="", merge=False, delimiter=":", **_):
                found = traverse(data, key, self, delimiter)
                if merge and isinstance(default, dict) and isinstance(found, dict):
                    return merged(default, found)
                return copy.copy(default if found is self else found)
            return got

        def config_get(key, default="", delimiter=":", merge=None, **_):
            found = [v for v in (traverse(data, key, self, delimiter) for data in (grains, pillar)) if v is not self]
            if merge and all(isinstance(v, dict) for v in found):
                out = default if isinstance(default, dict) else {}
                for value in reversed(found):
                    out = merged(out, value)
                return out
            return found[0] if found else default

        def filter_by(lookup, grain="os_family", merge=None, default="default", base=None):
            value = traverse(grains, grain)
            found = lookup.get(default)
            for v in value if isinstance(value, list) else [value]:
                key = next((k for k in lookup if fnmatch.fnmatchcase(str(v), str(k))), None)
                if key is not None:
                    found = lookup[key]
                    break
            if base in lookup:
                found = merged(lookup[base], found or {})
            if merge:
                found = merged(found or {}, merge)
            return copy.deepcopy(found)

        known = {
            "config.get": config_get, "grains.filter_by": filter_by, "grains.get": lambda key, default="", delimiter=":", **_: get(grains)(key, default, delimiter=delimiter), "pillar.get": get(pillar),
            "defaults.merge": lambda dest, upd, **_: dest.update(merged(dest, upd)) or dest,
            "file.basename": posixpath.basename, "file.dirname": posixpath.dirname, "file.join": posixpath.join,
        }
        known.update({"log." + level: lambda *_: True for level in ("critical", "debug", "error", "info", "warning")})
        known.update({name: lambda *_, v=v, **__: copy.deepcopy(v) for name, v in self.request["fixed"].items()})
        return Functions(known)

    def variables(self, sls, path):
        grains, pillar = copy.deepcopy(self.request["grains"]), copy.deepcopy(self.request["pillar"])
        folder = posixpath.dirname(path)
        return {
            "grains": grains, "pillar": pillar, "salt": self.functions(grains, pillar), "saltenv": "base", "env": "base",
            "opts": {"grains": grains, "pillar": pillar, "id": grains.get("id"), "test": False, "saltenv": "base"},
            "sls": sls, "slspath": folder, "slsdotpath": folder.replace("/", "."), "slscolonpath": folder.replace("/", ":"),
            "sls_path": folder.replace("/", "_"), "tplpath": os.path.join(self.request["root"], path), "tplfile": path,
            "tpldir": folder or ".", "tpldot": folder.replace("/", "."),
        }

    def answer(self, sls):
        slashed = sls.replace(".", "/")
        path = next((p for p in (slashed + ".sls", slashed + "/init.sls") if os.path.isfile(os.path.join(self.request["root"], p))), None)
        if path is None:
            return {"errors": ["there is no such file"]}
        with open(os.path.join(self.request["root"], path), encoding="utf-8") as f:
            text = f.read()
        if text.startswith("#!"):
            return {"noanswer": "it names its renderer"}
        self.file = path
        variables = self.variables(sls, path)
        self.env.cache.clear()
        self.env.globals.update(variables)
        try:
            out = self.env.from_string(text).render(**variables)
        except NoAnswer as e:
            return {"noanswer": str(e)}
        except jinja2.TemplateAssertionError as e:
            return {"noanswer": str(e)}
        except Exception as e:
            return {"errors": ["{}: {}".format(type(e).__name__, e)]}
        return {"text": out + "\n" if text.endswith("\n") else out}


def main():
    print(json.dumps({"version": jinja2.__version__}), flush=True)
    for line in sys.stdin:
        tree = Tree(json.loads(line))
        for sls in tree.request["sls"]:
            print(json.dumps({"sls": sls, **tree.answer(sls)}), flush=True)


main()
