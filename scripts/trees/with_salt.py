"""Compile SLS files with the Salt that this Python can import, for scripts/trees.

Each line of standard input is a request: a tree, a host's grains, pillar and the names of SLS files. For each of the
names a line is answered: the text that its template made, the mistakes that Salt tells, and the states in the order
in which Salt would run them. No state is run, and no function of a template touches the machine: the request says
which may be called, and what the others return.
"""

import ast
import collections
import copy
import inspect
import json
import logging
import os
import sys
import tempfile
import traceback

answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)  # what Salt prints is no answer

import jinja2
import salt.config
import salt.loader
import salt.loader.lazy
import salt.state
import salt.utils.args
import salt.utils.templates
import salt.version

logging.disable(logging.CRITICAL)

fixed = {}  # what functions return that ask the machine
pure = set()  # functions that may be called
texts = {}  # of templates of this compile, by SLS
programs = ["cheetah", "genshi", "mako", "py", "pydsl", "pyobjects", "wempy"]  # renderers that run what a tree says
strange = []  # functions that were asked for and are neither


class Functions(salt.utils.templates.AliasedLoader):
    """What templates see as salt."""

    def __getitem__(self, name):
        if isinstance(name, str) and "." in name:
            return guarded(name, super().__getitem__)
        return super().__getitem__(name)

    def get(self, name, default=None):
        try:
            return self[name]
        except KeyError:
            return default

    def __contains__(self, name):
        return name in fixed or super().__contains__(name)

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        return Namespace(self, name)


class Namespace:
    def __init__(self, functions, module):
        self._functions, self._module = functions, module

    def __getattr__(self, name):
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._functions[self._module + "." + name]
        except KeyError:
            raise AttributeError(name)

    __getitem__ = __getattr__


def guarded(name, lookup):
    if name in fixed:
        return lambda *args, **kwargs: copy.deepcopy(fixed[name])
    if name not in pure:
        strange.append(name)
    function = lookup(name)
    if name not in pure:
        def refused(*args, **kwargs):
            raise RuntimeError("not called: " + name)
        return refused
    return function


def recorded(render):
    def recording(text, context, path=None):
        sls = context.get("sls")
        out = render(text, context, path)
        if sls and sls not in texts:
            texts[sls] = out
        return out
    return recording


salt.utils.templates.AliasedLoader = Functions
JINJA = salt.utils.templates.wrap_tmpl_func(recorded(salt.utils.templates.render_jinja_tmpl))
salt.utils.templates.JINJA = JINJA
salt.utils.templates.TEMPLATE_REGISTRY["jinja"] = JINJA


def called(self, low, chunks=None, running=None, retries=1):
    """Stand in for State.call: every state succeeds and changes nothing."""
    number = self._State__run_num
    self._State__run_num += 1
    return {
        "name": low["name"], "result": True, "changes": {}, "comment": "", "duration": 0, "start_time": "",
        "__run_num__": number, "__id__": low["__id__"], "__sls__": low.get("__sls__"),
    }


salt.state.State.call = called
salt.state.State.event = lambda *args, **kwargs: None
salt.state.State.check_pause = lambda *args, **kwargs: None
salt.state.State._mod_init = lambda *args, **kwargs: None

providers = {
    "group": ["groupadd"], "locale": ["localemod"], "service": ["systemd_service"], "sysctl": ["linux_sysctl"],
    "user": ["useradd"],
}


def few_files(self, name):
    """Stand in for LazyLoader._iter_files, which loads hundreds of modules to find that none has a function."""
    if name in self.file_mapping:
        yield name
    for file in self.file_mapping:
        if name in file or file in providers.get(name, []):
            yield file


salt.loader.lazy.LazyLoader._iter_files = few_files
salt.loader.lazy.LazyLoader._load_all = lambda self: None

compile_template = jinja2.Environment.compile
codes = {}  # of templates, which many SLS import


def compiled_once(self, source, name=None, filename=None, raw=False, defer_init=False):
    key = (source, name, filename, raw) if isinstance(source, str) else None
    if key is None or key not in codes:
        code = compile_template(self, source, name, filename, raw, defer_init)
        if key is None:
            return code
        codes[key] = code
    return codes[key]


jinja2.Environment.compile = compiled_once


class Tree:
    """A tree as one host with one pillar sees it."""

    def __init__(self, request, work):
        opts = salt.config.minion_config(os.path.join(work, "minion"))
        opts.update(
            file_client="local", local=True, id=request["grains"].get("id", "minion"),
            file_roots={"base": [request["root"]]}, pillar_roots={"base": []}, grains=copy.deepcopy(request["grains"]),
            root_dir=work, cachedir=os.path.join(work, "cache"), extension_modules=os.path.join(work, "ext"),
            sock_dir=os.path.join(work, "sock"), pki_dir=os.path.join(work, "pki"), log_file=os.path.join(work, "log"),
            __role="minion", test=False, minion_blackout=False, renderer_blacklist=programs,
        )
        self.root = request["root"]
        self.pillar, self.grains = request["pillar"], request["grains"]
        if request.get("exact"):
            self.pillar = ast.literal_eval(request["exact"])
        salt.state.State._gather_pillar = lambda _: copy.deepcopy(self.pillar)
        self.high = salt.state.HighState(opts, mocked=True)

    def compile(self, sls):
        for live, kept in ((self.high.state.opts["pillar"], self.pillar), (self.high.state.opts["grains"], self.grains)):
            live.clear()
            live.update(copy.deepcopy(kept))
        texts.clear()
        strange.clear()
        answer = {"sls": sls}
        self.high.building_highstate.clear()
        self.high.iorder = 10000
        self.high.push_active()
        try:
            self.answer(sls, answer)
        except Exception:
            answer["errors"] = answer.get("errors", []) + [traceback.format_exc(limit=-4)]
        finally:
            self.high.pop_active()
        answer["text"] = texts.get(sls)
        answer["strange"] = sorted(set(strange))
        return answer

    def answer(self, sls, answer):
        state = self.high.state
        high, errors = self.high.render_highstate({"base": [sls]})
        if errors:
            answer["errors"] = errors
            return
        chunks, errors = self.chunks(high)
        if errors:
            answer["errors"] = errors
            return
        order, failed = self.order(chunks)
        answer["failed"] = failed
        for chunk in chunks:
            mistake = argument_mistake(state, chunk)
            if mistake:
                failed.append([chunk["__id__"], mistake])
        answer["unknown"] = sorted({name(c) for c in chunks if name(c) not in state.states})
        tagged = {salt.state._gen_tag(c): c for c in chunks}
        answer["chunks"] = [plain(tagged[tag]) for tag in order if tag in tagged]
        answer["files"] = [f for f in map(self.file, chunks) if f]

    def file(self, chunk):
        """Return what the template of a managed file makes; None for a state that has none in the tree."""
        if chunk["state"] != "file" or chunk["fun"] != "managed" or chunk.get("template") != "jinja":
            return None
        path = self.source(chunk.get("source"))
        if not path:
            return None
        context = copy.deepcopy({**(chunk.get("defaults") or {}), **(chunk.get("context") or {})})
        own = {k: chunk.get(k) for k in ("name", "user", "group", "mode", "attrs")}
        state = self.high.state
        known = inspect.signature(state.states["file.managed"]).parameters
        taken = salt.state.STATE_INTERNAL_KEYWORDS | set(known) | set(own)
        own.update((k, v) for k, v in chunk.items() if k not in taken and not k.startswith("__"))
        try:
            out = JINJA(
                os.path.join(self.root, path), to_str=True, source="salt://" + path, saltenv="base", context=context,
                salt=state.functions, pillar=state.opts["pillar"], opts=state.opts, grains=state.opts["grains"], **own,
            )
        except Exception as e:
            out = {"result": False, "data": str(e)}
        return {"id": chunk["__id__"], "name": chunk["name"], "source": path, "text" if out["result"] else "error": out["data"]}

    def source(self, sources):
        """Return the path in the tree of the first source that is there."""
        for source in sources if isinstance(sources, list) else [sources]:
            if not isinstance(source, str) or not source.startswith("salt://"):
                continue
            path = source[len("salt://"):].split("?")[0]
            if os.path.isfile(os.path.join(self.root, path)):
                return path
        return None

    def chunks(self, high):
        state = self.high.state
        high = collections.OrderedDict(high)
        state.inject_default_call(high)
        high, errors = state.reconcile_extend(high)
        errors = list(errors) + state.verify_high(high)
        if errors:
            return [], errors
        high, errors = state.requisite_in(high)
        high = state.apply_exclude(high)
        if errors:
            return [], errors
        return state.compile_high_data(high), []

    def order(self, chunks):
        state = self.high.state
        state.reset_run_num()
        state.pre, state.active = {}, set()
        running = state.call_chunks(copy.deepcopy(chunks))
        by_number = sorted(running.items(), key=lambda r: r[1]["__run_num__"])
        failed = [[r["__id__"] if "__id__" in r else tag, r["comment"]] for tag, r in by_number if r["result"] is False]
        return [tag for tag, _ in by_number], failed


def name(chunk):
    return "{}.{}".format(chunk["state"], chunk["fun"])


def argument_mistake(state, chunk):
    """Return what Salt says of a state's arguments when it comes to run it."""
    if name(chunk) not in state.states:
        return None
    try:
        salt.utils.args.format_call(
            state.states[name(chunk)], {k: v for k, v in chunk.items() if not k.startswith("__")}, initial_ret={"full": name(chunk)},
            expected_extra_kws=salt.state.STATE_INTERNAL_KEYWORDS,
        )
        return "; ".join(state.verify_data(chunk)) or None
    except Exception as e:
        return str(e)


def plain(v):
    """Make a value one that JSON can write."""
    if isinstance(v, dict):
        return {k if k is None or isinstance(k, (str, int, float)) else str(k): plain(x) for k, x in v.items()}
    if isinstance(v, (list, tuple)):
        return [plain(x) for x in v]
    if isinstance(v, (set, frozenset)):
        return sorted((plain(x) for x in v), key=str)
    if v is None or isinstance(v, (bool, int, float, str)):
        return v
    return str(v)


def main():
    print(json.dumps({"version": salt.version.__version__}), file=answers, flush=True)
    with tempfile.TemporaryDirectory() as work:
        for line in sys.stdin:
            request = json.loads(line)
            fixed.clear()
            fixed.update(request["fixed"])
            pure.clear()
            pure.update(request["pure"])
            tree = Tree(request, work)
            for sls in request["sls"]:
                print(json.dumps(tree.compile(sls)), file=answers, flush=True)


main()
