#!/usr/bin/env python3
"""Conformance suite runner.

  run.py --tool PATH [--only GROUP[,GROUP..]] [--jobs 2] [--out FAILFILE]
         [--strict] [--no-batch] [--init-always] [--timeout S] [--list] [-v] [--at-least PERCENT]

GROUP is a prefix of a case path, e.g.  expressions   expressions/fn/upper
configs/moved   fmt   configs/vars-001 .   Exit status: 0 all (or PERCENT) pass, 1 failures, 2 usage.
"""
import argparse, collections, concurrent.futures, decimal, json, os, re, shutil, subprocess, sys, tempfile, threading, time

sys.set_int_max_str_digits(0)
HERE = os.path.dirname(os.path.abspath(__file__))
D = decimal.Decimal

# ---------------------------------------------------------------- json
def jloads(s):
    return json.loads(s, parse_float=D)

def jdumps(v, sort=True):
    """Compact JSON text; Decimals keep every digit."""
    if v is None: return "null"
    if v is True: return "true"
    if v is False: return "false"
    if isinstance(v, int): return str(v)
    if isinstance(v, D): return str(v).replace("E", "e")
    if isinstance(v, float): return repr(v)
    if isinstance(v, str): return json.dumps(v, ensure_ascii=False)
    if isinstance(v, (list, tuple)): return "[" + ",".join(jdumps(x, sort) for x in v) + "]"
    if isinstance(v, dict):
        ks = sorted(v) if sort else list(v)
        return "{" + ",".join(json.dumps(str(k), ensure_ascii=False) + ":" + jdumps(v[k], sort) for k in ks) + "}"
    raise TypeError(type(v))

def jpretty(v, ind=0):
    pad = "  " * ind
    if isinstance(v, dict) and v:
        return "{\n" + ",\n".join(pad + "  " + json.dumps(str(k), ensure_ascii=False) + ": " + jpretty(v[k], ind + 1) for k in sorted(v)) + "\n" + pad + "}"
    if isinstance(v, (list, tuple)) and v and any(isinstance(x, (dict, list)) for x in v):
        return "[\n" + ",\n".join(pad + "  " + jpretty(x, ind + 1) for x in v) + "\n" + pad + "]"
    return jdumps(v)

def isnum(v):
    return isinstance(v, (int, D, float)) and not isinstance(v, bool)

def diff(want, got, path="$"):
    """None when equal, else a short description of the first difference."""
    if isnum(want) and isnum(got):
        if want == got: return None
        w, g = D(str(want)), D(str(got))
        near = ""
        try:
            if w and abs((w - g) / w) < D("1e-12"): near = " (near: differs only beyond 12 digits)"
        except Exception: pass
        return "%s: want %s got %s%s" % (path, w, g, near)
    if isinstance(want, bool) or isinstance(got, bool) or want is None or got is None or type(want) is not type(got):
        if type(want) is type(got) and want == got: return None
        return "%s: want %s got %s" % (path, short(want), short(got))
    if isinstance(want, dict):
        for k in sorted(set(want) | set(got)):
            if k not in got: return "%s.%s: missing (want %s)" % (path, k, short(want[k]))
            if k not in want: return "%s.%s: unexpected (got %s)" % (path, k, short(got[k]))
            d = diff(want[k], got[k], path + "." + str(k))
            if d: return d
        return None
    if isinstance(want, list):
        for i, (a, b) in enumerate(zip(want, got)):
            d = diff(a, b, "%s[%d]" % (path, i))
            if d: return d
        if len(want) != len(got): return "%s: want length %d got %d (want %s got %s)" % (path, len(want), len(got), short(want), short(got))
        return None
    return None if want == got else "%s: want %s got %s" % (path, short(want), short(got))

def short(v, n=400):
    s = jdumps(v)
    return s if len(s) <= n else s[:n] + "..."

# ---------------------------------------------------------------- running the tool
class Tool:
    def __init__(self, path, timeout=30, init_always=False):
        self.path = path if os.sep not in path else os.path.abspath(path)
        self.timeout = timeout
        self.init_always = init_always
        self.home = tempfile.mkdtemp(prefix="ho-home-")
        self.calls = 0
    def env(self, extra=None):
        e = {"PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"), "HOME": self.home, "TZ": "UTC",
             "LANG": "C.UTF-8", "CHECKPOINT_DISABLE": "1", "TF_INPUT": "0", "TMPDIR": self.home}
        e.update(extra or {})
        return e
    def run(self, args, cwd, env=None, stdin=""):
        self.calls += 1
        try:
            p = subprocess.run([self.path] + list(args), cwd=cwd, env=self.env(env), input=(stdin or "").encode(),
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=self.timeout)
            return p.returncode, p.stdout.decode("utf-8", "replace"), p.stderr.decode("utf-8", "replace")
        except subprocess.TimeoutExpired:
            return -1001, "", "(runner) timed out after %ss" % self.timeout
        except OSError as ex:
            return -1002, "", "(runner) cannot run tool: %s" % ex

ANSI = re.compile(r"\x1b\[[0-9;]*m")
def _diag(d):
    r = d.get("range") or {}
    st, en = r.get("start") or {}, r.get("end") or {}
    out = {"severity": d.get("severity"), "summary": d.get("summary"), "detail": d.get("detail") or ""}
    if d.get("address"): out["address"] = d["address"]
    if r:
        out["file"] = r.get("filename")
        out["line"] = st.get("line"); out["end_line"] = en.get("line"); out["column"] = st.get("column")
    return out

def parse_diags(out, err):
    """Diagnostics from -json lines, a validate -json document, or human text."""
    ds = []; sawjson = False
    for line in out.splitlines():
        line = line.strip()
        if line.startswith("{") and line.endswith("}"):
            try: o = json.loads(line)
            except ValueError: continue
            if isinstance(o, dict) and ("@level" in o or "type" in o): sawjson = True
            if isinstance(o, dict) and o.get("type") == "diagnostic" and isinstance(o.get("diagnostic"), dict):
                ds.append(_diag(o["diagnostic"]))
    if not sawjson:
        try:
            o = json.loads(out)
            if isinstance(o, dict) and isinstance(o.get("diagnostics"), list):
                sawjson = True
                ds = [_diag(d) for d in o["diagnostics"]]
        except ValueError: pass
    # terraform prints some early errors as text even with -json
    text = (err if sawjson else out + "\n" + err)
    cur = None
    for line in ANSI.sub("", text).splitlines():
        line = re.sub(r"^[╷│╵ ]+", "", line).rstrip()
        m = re.match(r"(Error|Warning): (.*)$", line)
        if m:
            cur = {"severity": m.group(1).lower(), "summary": m.group(2), "detail": "", "text": True}
            ds.append(cur); continue
        m = re.match(r"on (\S+) line (\d+)", line)
        if m and cur is not None and "line" not in cur:
            cur["file"] = m.group(1); cur["line"] = int(m.group(2))
    return ds

# ---------------------------------------------------------------- expressions
EXPR_DIR = os.path.join(HERE, "expressions")
COMMON = os.path.join(EXPR_DIR, "common.tf")

def load_cases():
    cs = []
    with open(os.path.join(EXPR_DIR, "cases.jsonl"), encoding="utf-8") as f:
        for line in f:
            if line.strip(): cs.append(jloads(line))
    return cs

def subst(s, ident):
    return s.replace("{{ID}}", ident)

def case_source(c, ident):
    s = ""
    if c.get("setup"): s += subst(c["setup"], ident).rstrip("\n") + "\n"
    s += "output \"%s\" {\n  value = %s\n" % (ident, subst(c["expr"], ident))
    if c.get("sensitive"): s += "  sensitive = true\n"
    return s + "}\n"

def make_dir(root, sources, unknown=False):
    d = tempfile.mkdtemp(prefix="x-", dir=root)
    shutil.copy(COMMON, os.path.join(d, "common.tf"))
    if unknown: shutil.copy(os.path.join(EXPR_DIR, "unknown.tf"), os.path.join(d, "unknown.tf"))
    shutil.copytree(os.path.join(EXPR_DIR, "fixtures"), os.path.join(d, "fx"))
    for name, text in sources.items():
        with open(os.path.join(d, name), "w", encoding="utf-8", newline="") as f: f.write(text)
    return d

def norm_out(s, d, tool):
    return s.replace(os.path.realpath(d), "{{WORKDIR}}").replace(d, "{{WORKDIR}}").replace(tool.home, "{{HOME}}")

def eval_values(tool, root, cases):
    """-> {index: ("ok", {type,value,sensitive}) | ("absent",) | ("fail", text)}; None when the whole batch failed."""
    src = {}
    for i, c in enumerate(cases): src["c%04d.tf" % i] = case_source(c, "c%04d" % i)
    d = make_dir(root, src)
    try:
        if tool.init_always: tool.run(["init", "-no-color"], d)
        rc, o, e = tool.run(["apply", "-auto-approve", "-no-color"], d)
        if rc != 0: return None, "apply rc=%s: %s" % (rc, (e or o)[-700:])
        rc, o, e = tool.run(["output", "-json"], d)
        if rc != 0: return None, "output -json rc=%s: %s" % (rc, (e or o)[-700:])
        try: doc = jloads(norm_out(o, d, tool))
        except ValueError as ex: return None, "output -json is not JSON: %s; stdout begins %r" % (ex, o[:200])
        if not isinstance(doc, dict): return None, "output -json is not an object"
        return [doc.get("c%04d" % i) for i in range(len(cases))], ""
    finally: shutil.rmtree(d, ignore_errors=True)

def eval_error(tool, root, c):
    d = make_dir(root, {"main.tf": case_source(c, "c0000")}, bool(c.get("unknown")))
    try:
        if tool.init_always: tool.run(["init", "-no-color"], d)
        rc, o, e = tool.run(["plan", "-json"], d)
        ds = parse_diags(o, e)
        if rc not in (0,) and not any(x["severity"] == "error" for x in ds):
            rc2, o2, e2 = tool.run(["plan", "-no-color"], d)
            ds = parse_diags(o2, e2)
        return rc, ds, (o + e)[-600:]
    finally: shutil.rmtree(d, ignore_errors=True)

def eval_unknown(tool, root, cases):
    src = {}
    for i, c in enumerate(cases): src["c%04d.tf" % i] = case_source(c, "c%04d" % i)
    d = make_dir(root, src, True)
    try:
        if tool.init_always: tool.run(["init", "-no-color"], d)
        rc, o, e = tool.run(["plan", "-out=p.tfplan", "-no-color"], d)
        if rc != 0: return None, "plan rc=%s: %s" % (rc, (e or o)[-700:])
        rc, o, e = tool.run(["show", "-json", "p.tfplan"], d)
        if rc != 0: return None, "show -json rc=%s: %s" % (rc, (e or o)[-700:])
        try: doc = jloads(norm_out(o, d, tool))
        except ValueError as ex: return None, "show -json is not JSON: %s; stdout begins %r" % (ex, o[:200])
        oc = doc.get("output_changes") if isinstance(doc, dict) else None
        if not isinstance(oc, dict): return None, "show -json has no output_changes"
        res = []
        for i in range(len(cases)):
            x = oc.get("c%04d" % i)
            res.append(None if not isinstance(x, dict) else {k: x[k] for k in ("after", "after_unknown", "after_sensitive") if k in x})
        return res, ""
    finally: shutil.rmtree(d, ignore_errors=True)

def eval_console(tool, root, c):
    d = make_dir(root, {"main.tf": subst(c.get("setup", ""), "c0000")})
    try:
        if tool.init_always: tool.run(["init", "-no-color"], d)
        rc, o, e = tool.run(["console", "-no-color"], d, stdin=c["expr"] + "\n")
        return rc, norm_out(o, d, tool), parse_diags(o, e), e[-500:]
    finally: shutil.rmtree(d, ignore_errors=True)

def norm_summary(t):
    """A dependency cycle is reported in no fixed order: sort its members."""
    m = re.match(r"^(Cycle: )(.*)$", t, re.S)
    if m: return m.group(1) + ", ".join(sorted(m.group(2).split(", ")))
    return t

def norm_detail(t):
    if "goroutine " in t or "panicked" in t: return "(terraform's own panic text)"
    return re.sub(r"\s*Did you mean \"[^\"]*\"\?", "", t)

def diag_key(ds, sev="error"):
    return sorted(norm_summary(x["summary"]) for x in ds if x["severity"] == sev)

class Result:
    __slots__ = ("path", "ok", "why", "extra")
    def __init__(self, path, ok, why="", extra=None): self.path, self.ok, self.why, self.extra = path, ok, why, extra

def expr_path(c): return "expressions/" + c["group"] + "/" + c["id"]

def run_expr_batch(tool, root, kind, cases, nobatch):
    fn = eval_values if kind == "value" else eval_unknown
    res, why = fn(tool, root, cases)
    if res is None:
        if len(cases) == 1:
            return [Result(expr_path(cases[0]), False, why, {"expr": cases[0]["expr"], "want": cases[0]["expected"]})]
        out = []
        n = 8 if len(cases) > 8 else 1
        for i in range(0, len(cases), n): out += run_expr_batch(tool, root, kind, cases[i:i + n], nobatch)
        return out
    out = []
    for c, got in zip(cases, res):
        df = "no such output" if got is None else diff(c["expected"], got)
        out.append(Result(expr_path(c), df is None, df or "", None if df is None else {"expr": c["expr"], "setup": c.get("setup", ""), "want": c["expected"], "got": got}))
    return out

def run_expr_error(tool, root, c, strict):
    rc, ds, tail = eval_error(tool, root, c)
    p = expr_path(c)
    ex = {"expr": c["expr"], "setup": c.get("setup", ""), "want": c["summaries"], "tail": tail}
    if rc < 0: return [Result(p, False, "tool crashed, was killed or could not run (rc %d)" % rc, ex)]
    if rc == 0: return [Result(p, False, "expected an error (%s), tool succeeded" % c["summaries"], ex)]
    got = diag_key(ds)
    if got != sorted(norm_summary(x) for x in c["summaries"]): return [Result(p, False, "error summaries: want %s got %s" % (sorted(c["summaries"]), got), ex)]
    if strict:
        w = sorted((norm_summary(x["summary"]), x.get("line") or 0, norm_detail(x.get("detail", ""))) for x in c["diags"])
        g = sorted((norm_summary(x["summary"]), x.get("line") or 0, norm_detail(x.get("detail", ""))) for x in ds if x["severity"] == "error")
        if w != g: return [Result(p, False, "strict diagnostics: want %s got %s" % (w, g), ex)]
    return [Result(p, True)]

def run_expr_console(tool, root, c):
    rc, o, ds, e = eval_console(tool, root, c)
    p = expr_path(c); w = c["expected"]
    ex = {"stdin": c["expr"], "want": w, "got": {"rc": rc, "stdout": o}, "stderr": e}
    if (rc == 0) != (w["rc"] == 0) or rc < 0: return [Result(p, False, "exit code want %s got %s" % (w["rc"], rc), ex)]
    if w["rc"] == 0:
        if o.rstrip("\n") != w["stdout"].rstrip("\n"): return [Result(p, False, "stdout differs: want %r got %r" % (w["stdout"], o), ex)]
    else:
        got = diag_key(ds)
        if got != w["summaries"]: return [Result(p, False, "error summaries: want %s got %s" % (w["summaries"], got), ex)]
    return [Result(p, True)]

def expr_jobs(tool, root, cases, a):
    jobs = []
    for kind in ("value", "unknown"):
        cs = [c for c in cases if c["kind"] == kind]
        n = 1 if a.no_batch else 40
        for i in range(0, len(cs), n):
            jobs.append(lambda b=cs[i:i + n], k=kind: run_expr_batch(tool, root, k, b, a.no_batch))
    for c in cases:
        if c["kind"] == "error": jobs.append(lambda c=c: run_expr_error(tool, root, c, a.strict))
        if c["kind"] == "console": jobs.append(lambda c=c: run_expr_console(tool, root, c))
    return jobs

# ---------------------------------------------------------------- configs
CFG_DIR = os.path.join(HERE, "configs")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

class Norm:
    """Replaces run-dependent text (uuids, directories) by stable names, in order of first sight."""
    def __init__(self, subs): self.ids, self.subs = {}, subs
    def s(self, t):
        for a, b in self.subs: t = t.replace(a, b)
        def f(m):
            u = m.group(0)
            if u not in self.ids: self.ids[u] = "uuid-%d" % (len(self.ids) + 1)
            return "<" + self.ids[u] + ">"
        return UUID.sub(f, t)
    def v(self, x):
        if isinstance(x, str): return self.s(x)
        if isinstance(x, list): return [self.v(i) for i in x]
        if isinstance(x, dict): return {self.s(k): self.v(x[k]) for k in sorted(x)}
        return x

def _get(o, *ks):
    return {k: o[k] for k in ks if isinstance(o, dict) and k in o}

def _falsy(v):
    """{} / [] / false trees carry no mark: treated as equal to false."""
    if v is False or v is None: return True
    if isinstance(v, dict): return all(_falsy(x) for x in v.values())
    if isinstance(v, list): return all(_falsy(x) for x in v)
    return False

def _marks(ch):
    o = dict(ch)
    for k in ("after_unknown", "before_sensitive", "after_sensitive"):
        if k in o and _falsy(o[k]): o[k] = False
    return o

def proj_checks(doc):
    out = []
    for c in doc or []:
        a = c.get("address", {}) if isinstance(c, dict) else {}
        ins = []
        for i in c.get("instances") or []:
            ins.append({"address": (i.get("address") or {}).get("to_display"), "status": i.get("status"),
                        "problems": sorted((p.get("message") or "") for p in i.get("problems") or [])})
        out.append({"address": a.get("to_display"), "kind": a.get("kind"), "status": c.get("status"),
                    "instances": sorted(ins, key=lambda x: x["address"] or "")})
    return sorted(out, key=lambda x: x["address"] or "")

def proj_plan(doc):
    rcs = []
    for key in ("resource_changes", "resource_drift"):
        for r in doc.get(key) or []:
            ch = _marks(_get(r.get("change") or {}, "actions", "before", "after", "after_unknown", "before_sensitive", "after_sensitive", "replace_paths", "importing"))
            if "replace_paths" in ch: ch["replace_paths"] = sorted(ch["replace_paths"], key=jdumps)
            if "importing" in ch: ch["importing"] = {"id": ch["importing"].get("id")}
            o = _get(r, "address", "previous_address", "module_address", "mode", "type", "name", "index", "deposed", "action_reason")
            o["change"] = ch; o["_list"] = key
            rcs.append(o)
    rcs.sort(key=lambda o: (o["_list"], o.get("address", ""), o.get("deposed", "")))
    out = {"resource_changes": {}, "resource_drift": {}}
    for o in rcs:
        k = o["address"] + (" deposed" if "deposed" in o else "")
        l = o.pop("_list"); o.pop("deposed", None)
        out[l][k] = o
    out["output_changes"] = {k: _marks(_get(v, "actions", "before", "after", "after_unknown", "before_sensitive", "after_sensitive")) for k, v in sorted((doc.get("output_changes") or {}).items())}
    out["variables"] = doc.get("variables") or {}
    out["checks"] = proj_checks(doc.get("checks"))
    out.update(_get(doc, "errored", "applyable", "complete"))
    return out

def proj_state_v4(doc):
    rs = {}
    for r in doc.get("resources") or []:
        base = ".".join(x for x in [r.get("module") or "", "data" if r.get("mode") == "data" else "", r.get("type", ""), r.get("name", "")] if x)
        for i in r.get("instances") or []:
            a = base
            if "index_key" in i and i["index_key"] is not None: a += "[%s]" % jdumps(i["index_key"])
            if i.get("deposed"): a += " deposed"
            at = i.get("attributes")
            o = {"attributes": at, "provider": r.get("provider"), "dependencies": sorted(i.get("dependencies") or [])}
            o["sensitive_attributes"] = sorted(i.get("sensitive_attributes") or [], key=jdumps)
            if i.get("status"): o["status"] = i["status"]
            if i.get("create_before_destroy"): o["create_before_destroy"] = True
            rs[a] = o
    out = {"version": doc.get("version"), "outputs": doc.get("outputs") or {}, "resources": dict(sorted(rs.items()))}
    cr = []
    for c in doc.get("check_results") or []:
        cr.append({"config_addr": c.get("config_addr"), "object_kind": c.get("object_kind"), "status": c.get("status"),
                   "objects": sorted([_get(x, "object_addr", "status", "failure_messages") for x in c.get("objects") or []], key=jdumps)})
    out["check_results"] = sorted(cr, key=jdumps)
    return out

def proj_show_state(doc):
    vals = doc.get("values") or {}
    res = {}
    def mod(m):
        for r in m.get("resources") or []:
            o = _get(r, "mode", "type", "name", "index", "provider_name", "values", "tainted", "depends_on")
            if "depends_on" in o: o["depends_on"] = sorted(o["depends_on"])
            sv = r.get("sensitive_values")
            o["sensitive_values"] = False if _falsy(sv) else sv
            res[r.get("address", "?") + (" deposed" if r.get("deposed_key") else "")] = o
        for c in m.get("child_modules") or []: mod(c)
    mod(vals.get("root_module") or {})
    return {"outputs": vals.get("outputs") or {}, "resources": dict(sorted(res.items())), "checks": proj_checks(doc.get("checks"))}

def proj_full(doc):
    """Whole show -json document, less versions, times and marks spelled differently but meaning 'nothing'."""
    drop = {"terraform_version", "timestamp", "format_version"}
    def f(x):
        if isinstance(x, dict):
            return {k: (False if k in ("after_unknown", "before_sensitive", "after_sensitive", "sensitive_values") and _falsy(v) else f(v)) for k, v in x.items() if k not in drop}
        if isinstance(x, list): return [f(i) for i in x]
        return x
    doc = f(doc)
    if isinstance(doc.get("relevant_attributes"), list):
        doc["relevant_attributes"] = sorted(doc["relevant_attributes"], key=jdumps)
    return doc

def summary_lines(out):
    ls = []
    for l in ANSI.sub("", out).splitlines():
        l = re.sub(r"^[╷│╵ ]+", "", l).rstrip()
        if re.match(r"(Plan: |No changes\.|Apply complete!|Destroy complete!|Success! )", l): ls.append(l)
    return ls

def dot_edges(out):
    e = set()
    for l in out.splitlines():
        m = re.match(r'\s*("(?:[^"\\]|\\.)*")\s*->\s*("(?:[^"\\]|\\.)*")', l)
        if m: e.add(m.group(1) + " -> " + m.group(2))
    return sorted(e)

def load_configs():
    cs = []
    for n in sorted(os.listdir(CFG_DIR)):
        p = os.path.join(CFG_DIR, n, "case.json")
        if os.path.exists(p):
            c = json.load(open(p, encoding="utf-8")); c["name"] = n
            ep = os.path.join(CFG_DIR, n, "expected.json")
            c["expected"] = jloads(open(ep, encoding="utf-8").read()) if os.path.exists(ep) else None
            cs.append(c)
    return cs

def exec_config(tool, root, c):
    """Runs a case's steps; returns the list of observations, one dict per step."""
    d = tempfile.mkdtemp(prefix="k-", dir=root)
    src = os.path.join(CFG_DIR, c["name"], "files")
    if os.path.isdir(src): shutil.copytree(src, d, dirs_exist_ok=True, symlinks=True)
    nm = Norm([(os.path.realpath(d), "{{WORKDIR}}"), (d, "{{WORKDIR}}"), (tool.home, "{{HOME}}")])
    obs = []
    try:
        for st in c["steps"]:
            o = {}
            op = st.get("op", "run")
            cwd = os.path.join(d, st.get("dir", "."))
            if op == "write":
                for n, t in st["files"].items():
                    p = os.path.join(cwd, n); os.makedirs(os.path.dirname(p), exist_ok=True)
                    if t is None:
                        if os.path.exists(p): os.remove(p)
                    else:
                        with open(p, "w", encoding="utf-8", newline="") as f: f.write(t)
                obs.append(o); continue
            env = dict(c.get("env") or {}); env.update(st.get("env") or {})
            args = [x.replace("{{WORKDIR}}", d) for x in st["args"]]
            if op == "plan": args = ["plan", "-out=p.tfplan", "-no-color"] + args
            elif op == "apply": args = ["apply", "-auto-approve", "-no-color"] + args
            elif op == "destroy": args = ["destroy", "-auto-approve", "-no-color"] + args
            elif op == "init": args = ["init", "-no-color"] + args
            elif op == "planerr": args = ["plan", "-json"] + args
            elif op == "applyerr": args = ["apply", "-auto-approve", "-no-color"] + args
            elif op == "validate": args = ["validate", "-json"] + args
            rc, out, err = tool.run(args, cwd, env, st.get("stdin"))
            if op in ("planerr",) and rc not in (0, 2) and not parse_diags(out, err):
                r2, out, err = tool.run(["plan", "-no-color"] + args[2:], cwd, env, st.get("stdin"))
            o["rc"] = rc
            want = set(st.get("check") or [])
            if op in ("plan",): want |= {"plan"} if rc in (0, 2) else set()
            if op in ("apply", "destroy", "applyerr"): want |= {"state", "show"}
            if "nostate" in want: want -= {"state", "show"}
            if op != "run" or "diags" in want:
                ds = parse_diags(out, err)
                es = [_get(x, "summary", "file", "line", "end_line", "detail") for x in ds if x["severity"] == "error" and not x["summary"].startswith("Terraform encountered problems during init")]
                for x in es: x["summary"], x["detail"] = norm_summary(x["summary"]), norm_detail(x.get("detail") or "")
                o["errors"] = sorted([nm.v(x) for x in es], key=lambda x: jdumps([x.get("file") or "", x.get("line") or 0, x["summary"], x.get("detail")]))
                o["warnings"] = sorted(x["summary"] for x in ds if x["severity"] == "warning")
            if op in ("plan", "apply", "destroy"): o["lines"] = [nm.s(x) for x in summary_lines(out)]
            if op == "validate":
                try: o["valid"] = json.loads(out).get("valid")
                except Exception: o["valid"] = "not JSON"
            if "plan" in want:
                r3, o3, e3 = tool.run(["show", "-json", "p.tfplan"], cwd, env)
                try: o["plan"] = nm.v(proj_plan(jloads(o3)))
                except Exception as ex: o["plan"] = "bad show -json of the plan: rc=%s %s: %r" % (r3, ex, (o3 or e3)[:200])
            if "planfull" in want:
                r3, o3, e3 = tool.run(["show", "-json", "p.tfplan"], cwd, env)
                try: o["planfull"] = nm.v(proj_full(jloads(o3)))
                except Exception as ex: o["planfull"] = "bad show -json of the plan: rc=%s %s: %r" % (r3, ex, (o3 or e3)[:200])
            if "state" in want:
                sf = os.path.join(cwd, st.get("statefile", "terraform.tfstate"))
                if not os.path.exists(sf): o["state"] = "no state file"
                else:
                    try: o["state"] = nm.v(proj_state_v4(jloads(open(sf, encoding="utf-8").read())))
                    except Exception as ex: o["state"] = "bad state file: %s" % ex
            if "show" in want:
                r3, o3, e3 = tool.run(["show", "-json"], cwd, env)
                try: o["show"] = nm.v(proj_show_state(jloads(o3)))
                except Exception as ex: o["show"] = "show -json failed" if r3 > 0 else "bad show -json: rc=%s %s: %r" % (r3, ex, (o3 or e3)[:200])
            if "json" in want:
                try: o["json"] = nm.v(jloads(out))
                except Exception as ex: o["json"] = "stdout is not JSON: %r" % out[:200]
            if "fulljson" in want:
                try: o["json"] = nm.v(proj_full(jloads(out)))
                except Exception as ex: o["json"] = "stdout is not JSON: %r" % out[:200]
            if "stdout" in want: o["stdout"] = nm.s(ANSI.sub("", out)).rstrip("\n")
            if "lines" in want: o["stdout_lines"] = sorted(x.strip() for x in nm.s(ANSI.sub("", out)).splitlines() if x.strip())
            if "dot" in want: o["dot"] = dot_edges(out)
            for n in st.get("files_after") or []:
                p = os.path.join(cwd, n)
                o.setdefault("files", {})[n] = nm.s(open(p, encoding="utf-8", errors="replace").read()) if os.path.exists(p) else None
            obs.append(o)
        return obs
    finally: shutil.rmtree(d, ignore_errors=True)

def compare_step(w, g, strict):
    """-> list of (check, why)"""
    bad = []
    for k in w:
        if k not in g: bad.append((k, "missing")); continue
        a, b = w[k], g[k]
        if k == "lines":
            if strict and a != b: bad.append((k, "want %s got %s" % (a, b)))
            continue
        if k == "errors":
            f = lambda xs: sorted([[x.get("file") or "", x.get("line") or 0, x["summary"]] for x in xs])
            if f(a) != f(b): bad.append((k, "want %s got %s" % (short(f(a), 900), short(f(b), 900))))
            elif strict:
                f = lambda xs: sorted([[x.get("file") or "", x.get("line") or 0, x.get("end_line") or 0, x["summary"], x.get("detail") or ""] for x in xs])
                if f(a) != f(b): bad.append((k, "strict: want %s got %s" % (short(f(a), 2000), short(f(b), 2000))))
            continue
        df = diff(a, b)
        if df: bad.append((k, df))
    return bad

def run_config(tool, root, c, strict):
    p = "configs/" + c["group"] + "/" + c["name"]
    try: obs = exec_config(tool, root, c)
    except Exception as ex: return [Result(p, False, "runner could not execute: %r" % ex)]
    bad = []; nchk = 0
    for i, (w, g) in enumerate(zip(c["expected"], obs)):
        nchk += len(w)
        for k, why in compare_step(w, g, strict): bad.append("step %d (%s %s) %s: %s" % (i, c["steps"][i].get("op", "run"), " ".join(c["steps"][i].get("args", [])), k, why))
    return [Result(p, not bad, bad[0] if bad else "", {"title": c.get("title", ""), "all": bad, "checks": nchk} if bad else None)]

# ---------------------------------------------------------------- fmt
FMT_DIR = os.path.join(HERE, "fmt")
def load_fmt():
    return sorted(n[:-len(".in.txt")] for n in os.listdir(FMT_DIR) if n.endswith(".in.txt"))

def run_fmt(tool, root, n):
    rd = lambda s: open(os.path.join(FMT_DIR, n + s), encoding="utf-8", newline="").read()
    src, want = rd(".in.txt"), json.loads(rd(".expected.json"))
    p = "fmt/" + n
    rc, o, e = tool.run(["fmt", "-no-color", "-"], root, stdin=src)
    if want["rc"] != 0:
        if rc <= 0: return [Result(p, False, "want failure, rc %s" % rc)]
        got = diag_key(parse_diags(o, e))
        if got != want["summaries"]: return [Result(p, False, "error summaries: want %s got %s" % (want["summaries"], got))]
        return [Result(p, True)]
    if rc != 0: return [Result(p, False, "rc %s: %s" % (rc, (e or o)[-300:]))]
    if o != want["out"]:
        a, b = want["out"].splitlines(), o.splitlines()
        for i in range(max(len(a), len(b))):
            x = a[i] if i < len(a) else "<eof>"; y = b[i] if i < len(b) else "<eof>"
            if x != y: return [Result(p, False, "line %d: want %r got %r" % (i + 1, x, y), {"want": want["out"], "got": o})]
        return [Result(p, False, "differs in line endings or final newline", {"want": want["out"], "got": o})]
    rc, o2, e = tool.run(["fmt", "-no-color", "-"], root, stdin=o)
    want2 = want.get("again", want["out"])
    if rc != 0 or o2 != want2: return [Result(p, False, "second pass differs from terraform's (idempotence)")]
    # file mode: writes the file, lists it, and -check tells
    d = tempfile.mkdtemp(prefix="f-", dir=root)
    try:
        f = os.path.join(d, "x.tf")
        open(f, "w", encoding="utf-8", newline="").write(src)
        rc, o, e = tool.run(["fmt", "-check", "-no-color"], d)
        if rc != want["check_rc"]: return [Result(p, False, "fmt -check rc: want %s got %s" % (want["check_rc"], rc))]
        rc, o, e = tool.run(["fmt", "-no-color"], d)
        if rc != 0 or o.split() != want["listed"]: return [Result(p, False, "fmt lists %r, want %r (rc %s)" % (o.split(), want["listed"], rc))]
        if open(f, encoding="utf-8", newline="").read() != want["file"]: return [Result(p, False, "fmt wrote another file than terraform")]
    finally: shutil.rmtree(d, ignore_errors=True)
    return [Result(p, True)]

# ---------------------------------------------------------------- main
def group_of(path):
    parts = path.split("/")
    if parts[0] == "expressions": return "/".join(parts[:3]) if len(parts) > 3 else "/".join(parts[:2])
    if parts[0] == "configs": return "/".join(parts[:2])
    return parts[0]

def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--tool", required=False); ap.add_argument("--only", default=""); ap.add_argument("--jobs", type=int, default=2)
    ap.add_argument("--out", default=""); ap.add_argument("--strict", action="store_true"); ap.add_argument("--no-batch", action="store_true")
    ap.add_argument("--init-always", action="store_true"); ap.add_argument("--timeout", type=float, default=30); ap.add_argument("--list", action="store_true")
    ap.add_argument("-v", "--verbose", action="store_true"); ap.add_argument("--detail", action="store_true", help="print every function's own group")
    ap.add_argument("--at-least", type=float, default=100, metavar="PERCENT", help="exit 0 when so many cases pass")
    a = ap.parse_args()
    only = [x.strip().rstrip("/") for x in a.only.split(",") if x.strip()]
    sel = lambda p: not only or any(p == o or p.startswith(o + "/") or p.startswith(o) or p.endswith("/" + o) for o in only)
    ex = [c for c in (load_cases() if os.path.exists(os.path.join(EXPR_DIR, "cases.jsonl")) else []) if sel(expr_path(c))]
    cf = [c for c in load_configs() if sel("configs/" + c["group"] + "/" + c["name"])]
    fm = [n for n in load_fmt() if sel("fmt/" + n)]
    if a.list:
        for p in [expr_path(c) for c in ex] + ["configs/" + c["group"] + "/" + c["name"] for c in cf] + ["fmt/" + n for n in fm]: print(p)
        return 0
    if not a.tool: ap.error("--tool is needed")
    if not (ex or cf or fm): print("no case matches --only %s" % a.only); return 2
    tool = Tool(a.tool, a.timeout, a.init_always)
    root = os.path.realpath(tempfile.mkdtemp(prefix="ho-"))
    t0 = time.time()
    jobs = expr_jobs(tool, root, ex, a)
    jobs += [lambda c=c: run_config(tool, root, c, a.strict) for c in cf]
    jobs += [lambda n=n: run_fmt(tool, root, n) for n in fm]
    results = []
    try:
        with concurrent.futures.ThreadPoolExecutor(max(1, a.jobs)) as px:
            for rs in px.map(lambda j: j(), jobs):
                results += rs
                if a.verbose:
                    for r in rs:
                        if not r.ok: print("FAIL", r.path, r.why[:300], flush=True)
    finally:
        shutil.rmtree(root, ignore_errors=True); shutil.rmtree(tool.home, ignore_errors=True)
    tot = collections.OrderedDict()
    for r in results:
        g = group_of(r.path)
        if not a.detail and g.startswith("expressions/fn/"): g = "expressions/fn"
        x = tot.setdefault(g, [0, 0]); x[1] += 1; x[0] += r.ok
    for g in sorted(tot): print("%-44s %5d / %-5d%s" % (g, tot[g][0], tot[g][1], "" if tot[g][0] == tot[g][1] else "  FAIL"))
    for top in ("expressions", "configs", "fmt"):
        rs = [r for r in results if r.path.startswith(top + "/")]
        if rs: print("%-44s %5d / %-5d %6.2f%%" % ("== " + top, sum(r.ok for r in rs), len(rs), 100.0 * sum(r.ok for r in rs) / len(rs)))
    ok = sum(r.ok for r in results)
    print("%-44s %5d / %-5d %6.2f%%   %.1fs, %d tool runs" % ("== TOTAL", ok, len(results), 100.0 * ok / len(results), time.time() - t0, tool.calls))
    out = a.out or os.path.join(os.getcwd(), "failures.jsonl")
    with open(out, "w", encoding="utf-8") as f:
        for r in sorted((r for r in results if not r.ok), key=lambda r: r.path):
            f.write(jdumps({"case": r.path, "why": r.why, "info": r.extra}) + "\n")
    print("failures written to %s (%d)" % (out, len(results) - ok))
    return 0 if 100.0 * ok >= a.at_least * len(results) else 1

if __name__ == "__main__": sys.exit(main())
