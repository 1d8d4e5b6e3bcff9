"""Generated configurations on terraform_data: one function a shape, N instances each.

A shape is a function of (n, changed) that gives {file name: text}; `changed` says whether one instance in a
hundred differs from before. `state` gives what an apply of a shape would have left, for tools that take too
long to be asked.
"""
import json
import uuid


def _word(i, changed):
    return f"value-{i}-new" if changed and i % 100 == 7 else f"value-{i}"


def independent(n, changed):
    """N blocks that know nothing of each other."""
    return {"main.tf": "\n".join(f'resource "terraform_data" "r{i}" {{\n  input = "{_word(i, changed)}"\n}}\n' for i in range(n))}


def for_each(n, changed):
    """One block with `for_each` over a map of N."""
    items = "\n".join(f'    k{i} = "{_word(i, changed)}"' for i in range(n))
    return {"main.tf": f'locals {{\n  items = {{\n{items}\n  }}\n}}\n\nresource "terraform_data" "r" {{\n  for_each = local.items\n  input    = each.value\n}}\n'}


def chain(n, changed):
    """N blocks, each made from the one before."""
    blocks = [f'resource "terraform_data" "r0" {{\n  input = "{_word(0, changed)}"\n}}\n']
    for i in range(1, n):
        blocks.append(f'resource "terraform_data" "r{i}" {{\n  input = "${{terraform_data.r{i - 1}.id}} {_word(i, changed)}"\n}}\n')
    return {"main.tf": "\n".join(blocks)}


def layered(n, changed):
    """Ten layers; each block uses three of the layer above."""
    width = max(1, n // 10)
    blocks = []
    for i in range(n):
        layer, at = divmod(i, width)
        uses = "" if layer == 0 else " ".join(f"${{terraform_data.r{(layer - 1) * width + (at * 7 + k) % width}.id}}" for k in range(3))
        blocks.append(f'resource "terraform_data" "r{i}" {{\n  input = "{_word(i, changed)} {uses}"\n}}\n')
    return {"main.tf": "\n".join(blocks)}


def modules(n, changed):
    """A module of ten blocks, called with `for_each` over N / 10 keys."""
    keys = "\n".join(f'    m{i} = "{_word(i * 10 + 7, changed and i % 10 == 0)}"' for i in range(n // 10))
    main = f'locals {{\n  items = {{\n{keys}\n  }}\n}}\n\nmodule "m" {{\n  source   = "./m"\n  for_each = local.items\n  word     = each.value\n}}\n\noutput "count" {{\n  value = length(module.m)\n}}\n'
    inner = ['variable "word" {\n  type = string\n}\n', 'resource "terraform_data" "r0" {\n  input = "${var.word} 0"\n}\n']
    inner += [f'resource "terraform_data" "r{k}" {{\n  input = "${{terraform_data.r0.id}} {k}"\n}}\n' for k in range(1, 10)]
    inner.append('output "id" {\n  value = terraform_data.r9.id\n}\n')
    return {"main.tf": main, "m/main.tf": "\n".join(inner)}


def expressions(n, changed):
    """N blocks, each with loops, templates and functions over some dozens of values."""
    blocks = ['locals {\n  base = { for i in range(20) : "key-${i}" => { n = i, even = i % 2 == 0, name = upper("name-${i}") } }\n}\n']
    for i in range(n):
        blocks.append(
            f'resource "terraform_data" "r{i}" {{\n  input = {{\n'
            f'    word  = "{_word(i, changed)}"\n'
            f'    names = join(",", [for k, v in local.base : format("%s=%03d", lower(v.name), v.n + {i}) if v.even])\n'
            f'    sums  = {{ for k, v in local.base : k => v.n * {i % 9 + 1} + (v.even ? 1 : 2) }}\n'
            f'    text  = "%{{ for v in values(local.base) }}${{v.n}}:${{substr(v.name, 0, 4)}} %{{ endfor }}"\n'
            f'    json  = jsonencode(merge(local.base["key-3"], {{ extra = [for v in values(local.base) : v.n if v.n > {i % 20}] }}))\n'
            f'  }}\n}}\n'
        )
    return {"main.tf": "\n".join(blocks)}


SHAPES = {shape.__name__: shape for shape in (independent, for_each, chain, layered, modules, expressions)}


def state(shape, n):
    """terraform.tfstate as an apply of `independent` or `for_each` leaves it; None for the others."""

    def instance(i, key=None):
        value = {"value": _word(i, False), "type": "string"}
        made = {
            "schema_version": 0,
            "attributes": {"id": str(uuid.uuid5(uuid.NAMESPACE_OID, str(i))), "input": value, "output": value, "triggers_replace": None},
            "sensitive_attributes": [],
        }
        return made if key is None else {"index_key": key, **made}

    def resource(name, each, instances):
        head = {"mode": "managed", "type": "terraform_data", "name": name, "provider": 'provider["terraform.io/builtin/terraform"]'}
        return {**head, **({"each": "map"} if each else {}), "instances": instances}

    if shape == "independent":
        resources = [resource(f"r{i}", False, [instance(i)]) for i in range(n)]
    elif shape == "for_each":
        resources = [resource("r", True, [instance(i, f"k{i}") for i in range(n)])]
    else:
        return None
    head = {"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "6b4c7e54-5e7a-4d0b-8a7d-0d1f6a4f6a11"}
    return json.dumps({**head, "outputs": {}, "resources": resources, "check_results": None})
