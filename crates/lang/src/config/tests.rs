//! Decoding, seen from outside. What is said was compared with what Terraform says.

use expect_test::{Expect, expect};
use plumb_diag::{FileId, Sources};
use plumb_model::addr::{Kind, Mode, Resource};

use super::*;

/// Decodes files that each begin with a line `-- name`.
fn decoded(text: &str) -> (Module, String) {
    let mut sources = Sources::default();
    let mut files: Vec<(&str, FileId, &str)> = Vec::new();
    for part in text.split("-- ").filter(|it| !it.trim().is_empty()) {
        let (name, text) = part.split_once('\n').expect("a name and a text");
        files.push((name, sources.add(name, text), text));
    }
    let (module, diagnostics) = decode_texts(files);
    let lines = diagnostics.iter().map(|it| {
        let (start, _) = sources.range(it.span.expect("a place")).expect("in these files");
        let hint = it.hint.iter().map(|it| format!(" {it}")).collect::<String>();
        format!("{}:{} {}: {}{hint}\n", start.line, start.column, it.summary, it.detail)
    });
    let lines = lines.collect();
    (module, lines)
}

fn check(text: &str, expect: Expect) {
    expect.assert_eq(&decoded(&format!("-- main.tf\n{text}")).1);
}

const GOOD: &str = r#"
terraform {
  required_version = "~> 1.5"
  required_providers {
    docker = { source = "kreuzwerker/docker", version = ">= 3.0", configuration_aliases = [docker.west] }
    old    = "1.0"
  }
  backend "http" { address = "http://localhost" }
  encryption {
    key_provider "pbkdf2" "k" { passphrase = var.host }
    method "aes_gcm" "m" { keys = key_provider.pbkdf2.k }
    state {
      method = method.aes_gcm.m
      fallback { method = method.aes_gcm.old }
    }
  }
}
provider "docker" { host = var.host }
provider "docker" {
  alias = "east"
}
variable "host" {
  type = map(object({ port = optional(number, 22), tags = optional(list(string)) }))
  default     = {}
  description = "where"
  sensitive   = true
  nullable    = false
  validation {
    condition     = length(var.host) > 0
    error_message = "none"
  }
}
variable "plain" {}
locals {
  a = 1
  b = local.a
}
output "o" {
  value      = local.b
  depends_on = [docker_network.n]
  precondition {
    condition     = local.a > 0
    error_message = "no"
  }
}
resource "docker_network" "n" {
  for_each   = var.host
  provider   = docker.east
  depends_on = [module.m, data.docker_image.i]
  name       = each.key
  ipam_config { subnet = "10.0.0.0/24" }
  lifecycle {
    create_before_destroy = true
    ignore_changes        = [name, ipam_config[0].subnet]
    replace_triggered_by  = [docker_image.x[0].id]
    postcondition {
      condition     = self.id != ""
      error_message = "no id"
    }
  }
}
data "docker_image" "i" {
  count = 2
  name  = "x"
}
module "m" {
  source    = "./m"
  providers = { docker = docker.east, docker.w = docker }
  size      = 3
}
moved {
  from = docker_network.old
  to   = module.m.docker_network.n["k"]
}
removed {
  from = module.gone.docker_network.n
  lifecycle { destroy = false }
}
import {
  to = docker_network.n["k"]
  id = "abc"
}
import {
  for_each = var.host
  to       = docker_network.n[each.key]
  id       = each.value
}
check "c" {
  data "docker_image" "j" { name = "y" }
  assert {
    condition     = data.docker_image.j.id != ""
    error_message = "no image"
  }
}
"#;

#[test]
fn everything_has_its_place() {
    let (module, said) = decoded(&format!("-- main.tf\n{GOOD}"));
    assert_eq!(said, "");

    let host = &module.variables["host"];
    assert_eq!(host.ty.friendly_name(), "map of object");
    assert!(host.sensitive && !host.nullable && host.default.is_some());
    assert_eq!(host.validations.len(), 1);
    let defaults = host.defaults.as_deref().expect("a default");
    assert_eq!(format!("{:?}", defaults.children[""].attrs["port"]), "22");
    assert!(module.variables["plain"].default.is_none() && module.variables["plain"].nullable);

    let key =
        |mode, kind: &str, name: &str| Resource { mode, kind: Kind::new(kind), name: name.into() };
    let network = &module.resources[&key(Mode::Managed, "docker_network", "n")];
    assert!(matches!(network.repeat, Repeat::ForEach(_)));
    let provider = &network.provider.as_ref().expect("a provider").name;
    assert_eq!((&*provider.name, provider.alias.as_deref()), ("docker", Some("east")));
    assert_eq!(network.depends_on.len(), 2);
    let left: Vec<&str> = network.body.attributes().map(|it| &*it.name.text).collect();
    assert_eq!(left, ["name"]);
    assert_eq!(network.body.blocks().count(), 1);
    assert_eq!(network.lifecycle.create_before_destroy, Some(true));
    assert!(matches!(&network.lifecycle.ignore_changes, IgnoreChanges::Some(it) if it.len() == 2));
    assert_eq!(network.lifecycle.replace_triggered_by.len(), 1);
    assert_eq!(network.lifecycle.postconditions.len(), 1);
    let image = &module.resources[&key(Mode::Data, "docker_image", "i")];
    assert!(matches!(image.repeat, Repeat::Count(_)));

    let call = &module.calls["m"];
    assert_eq!(&*call.source, "./m");
    assert_eq!(call.providers.len(), 2);
    assert_eq!(call.body.attributes().count(), 1);
    assert_eq!(module.providers.len(), 2);
    assert_eq!(module.required_providers["docker"].source.as_deref(), Some("kreuzwerker/docker"));
    assert_eq!(module.required_providers["docker"].aliases.len(), 1);
    assert_eq!(module.required_providers["old"].version.as_deref(), Some("1.0"));
    assert_eq!(module.required_versions.len(), 1);
    assert_eq!(module.backend.as_ref().map(|it| &*it.kind), Some("http"));
    let encryption = module.encryption.as_ref().expect("there is one");
    assert_eq!(&*encryption.key_providers[0].name, "k");
    let fallback = encryption.state.as_ref().and_then(|it| it.fallback.as_ref());
    let method = fallback.and_then(|it| it.method.as_ref()).map(|it| &*it.name);
    assert_eq!(method, Some("old"));
    assert_eq!(module.moved[0].to.to_string(), "module.m.docker_network.n[\"k\"]");
    assert!(!module.removed[0].destroy);
    assert!(matches!(&module.removed[0].from, RemovedFrom::Resource(_)));
    assert!(module.imports[0].to.is_some() && module.imports[1].to.is_none());
    assert_eq!(module.checks["c"].asserts.len(), 1);
    assert!(module.checks["c"].data.is_some());
    assert_eq!((module.locals.len(), module.outputs["o"].preconditions.len()), (2, 1));
}

#[test]
fn what_does_not_belong() {
    check(
        "foo \"a\" {}\nresorce \"a\" \"b\" {}\na = 1\ndata \"x\" {}\nlocals \"x\" {}\nresource {}\n\
         resource \"a\" \"b\" \"c\" {}\noutput \"a\" {\n  value = 1\n  sensitiv = true\n}\n\
         variable \"v\" {\n  validation = 1\n  default {}\n}\nlocals {\n  b {}\n}\n",
        expect![[r#"
            4:10 Missing name for data: All data blocks must have 2 labels (type, name).
            5:8 Extraneous label for locals: No labels are expected for locals blocks.
            6:10 Missing type for resource: All resource blocks must have 2 labels (type, name).
            7:18 Extraneous label for resource: Only 2 labels (type, name) are expected for resource blocks.
            3:1 Unsupported argument: An argument named "a" is not expected here.
            1:1 Unsupported block type: Blocks of type "foo" are not expected here.
            2:1 Unsupported block type: Blocks of type "resorce" are not expected here. Did you mean "resource"?
            10:3 Unsupported argument: An argument named "sensitiv" is not expected here. Did you mean "sensitive"?
            13:3 Unsupported argument: An argument named "validation" is not expected here. Did you mean to define a block of type "validation"?
            14:3 Unsupported block type: Blocks of type "default" are not expected here. Did you mean to define argument "default"? If so, use the equals sign to assign it a value.
            17:3 Unexpected "b" block: Blocks are not allowed here.
        "#]],
    );
}

#[test]
fn names() {
    check(
        "variable \"1a\" {}\nvariable \"count\" {}\noutput \"0\" {\n  value = 1\n}\n\
         resource \"9t\" \"0x\" {}\ndata \"9t\" \"0x\" {}\nmodule \"0\" {\n  source = \"./x\"\n}\n\
         provider \"B_x\" {}\nprovider \"a\" {\n  alias = \"x y\"\n}\n",
        expect![[r#"
            1:10 Invalid variable name: A name must start with a letter or underscore and may contain only letters, digits, underscores, and dashes.
            2:10 Invalid variable name: The variable name "count" is reserved due to its special meaning inside module blocks.
            3:8 Invalid output name: A name must start with a letter or underscore and may contain only letters, digits, underscores, and dashes.
            6:10 Invalid resource type name: A name must start with a letter or underscore and may contain only letters, digits, underscores, and dashes.
            6:15 Invalid resource name: A name must start with a letter or underscore and may contain only letters, digits, underscores, and dashes.
            7:6 Invalid data source name: A name must start with a letter or underscore and may contain only letters, digits, underscores, and dashes.
            7:11 Invalid data source name: A name must start with a letter or underscore and may contain only letters, digits, underscores, and dashes.
            8:8 Invalid module instance name: A name must start with a letter or underscore and may contain only letters, digits, underscores, and dashes.
            11:10 Invalid provider local name: B_x is an invalid provider local name: must contain only letters, digits, and dashes, and may not use leading or trailing dashes
            13:11 Invalid provider configuration alias: An alias must be a valid name. A name must start with a letter or underscore and may contain only letters, digits, underscores, and dashes.
        "#]],
    );
}

#[test]
fn duplicates() {
    check(
        "variable \"a\" {}\nvariable \"a\" {}\nlocals {\n  a = 1\n}\nlocals {\n  a = 2\n}\n\
         output \"a\" {\n}\noutput \"a\" {\n  value = 1\n}\nresource \"a\" \"b\" {}\n\
         resource \"a\" \"b\" {}\ndata \"a\" \"b\" {}\ndata \"a\" \"b\" {}\nprovider \"a\" {}\n\
         provider \"a\" {}\nterraform {\n  required_providers {}\n  required_providers {}\n  \
         backend \"x\" {}\n  backend \"y\" {}\n}\nresource \"a\" \"c\" {\n  lifecycle {}\n  \
         lifecycle {}\n  count = 1\n  for_each = {}\n}\n",
        expect![[r#"
            2:1 Duplicate variable declaration: A variable named "a" was already declared. Variable names must be unique within a module.
            7:3 Duplicate local value definition: A local value named "a" was already defined. Local value names must be unique within a module.
            9:12 Missing required argument: The argument "value" is required, but no definition was found.
            11:1 Duplicate output definition: An output named "a" was already defined. Output names must be unique within a module.
            15:1 Duplicate resource "a" configuration: A a resource named "b" was already declared. Resource names must be unique per type in each module.
            17:1 Duplicate data "a" configuration: A a data resource named "b" was already declared. Data resource names must be unique per type in each module.
            19:1 Duplicate provider configuration: A default (non-aliased) provider configuration for "a" was already given. If multiple configurations are required, set the "alias" argument for alternative configurations.
            22:3 Duplicate required providers configuration: A module may have only one required providers configuration.
            24:3 Duplicate backend configuration: A module may have only one backend configuration.
            30:3 Invalid combination of "count" and "for_each": The "count" and "for_each" meta-arguments are mutually-exclusive, only one should be used to be explicit about the number of resources to be created.
            28:3 Duplicate lifecycle block: This resource already has a lifecycle block.
        "#]],
    );
}

#[test]
fn constants() {
    check(
        "variable \"a\" {\n  default = var.b\n  sensitive = \"x\"\n  nullable = null\n  \
         description = [1]\n  ephemeral = \"true\"\n}\nvariable \"b\" {\n  default = f(1)\n}\n\
         variable \"c\" {\n  default = [for x in [1] : x]\n}\nvariable \"d\" {\n  type = number\n  \
         default = \"x\"\n}\nvariable \"e\" {\n  default = null\n  nullable = false\n}\n\
         module \"m\" {\n  source = var.x\n}\nmodule \"n\" {\n}\n",
        expect![[r#"
            5:17 Unsuitable value type: Unsuitable value: string required
            3:15 Unsuitable value type: Unsuitable value: a bool is required
            4:14 Unsuitable value type: Unsuitable value: null value is not allowed
            2:13 Variables not allowed: Variables may not be used here.
            9:13 Function calls not allowed: Functions may not be called here.
            16:13 Invalid default value for variable: This default value is not compatible with the variable's type constraint: a number is required.
            19:13 Invalid default value for variable: A null default value is not valid when nullable=false.
            23:12 Variables not allowed: Variables may not be used here.
            23:12 Unsuitable value type: Unsuitable value: value must be known
            25:12 Missing required argument: The argument "source" is required, but no definition was found.
        "#]],
    );
}

#[test]
fn types() {
    let types = "list|list(string, 1)|list()|object({a=string, a=number})|\
                 object({a=optional(string, [])})|optional(string)|object({a=optional()})|\
                 tuple(string)|object(string)|string(1)|\"number\"|\"list\"|5|any(1)|a.b|\
                 lst(string)|object({\"a\"=string})|object({a=optional(string,1,2)})|strng|\
                 tuple([string, map(any)])|object({a=optional(object({b=optional(number,1)}),{})})";
    let text: String = types
        .split('|')
        .enumerate()
        .map(|(i, it)| format!("variable \"v{i}\" {{ type = {it} }}\n"))
        .collect();
    check(
        &text,
        expect![[r#"
            2:37 Invalid type specification: The list type constructor requires one argument specifying the element type.
            3:28 Invalid type specification: The list type constructor requires one argument specifying the element type.
            4:42 Invalid type specification: Object constructor map keys must be unique.
            5:51 Invalid default value for optional attribute: This default value is not compatible with the attribute's type constraint: string required.
            6:24 Invalid type specification: Keyword "optional" is valid only as a modifier for object type attributes.
            7:42 Invalid type specification: Optional attribute modifier requires the attribute type as its argument.
            8:30 Invalid type specification: Tuple type constructor requires a list of element types.
            9:31 Invalid type specification: Object type constructor requires a map whose keys are attribute names and whose values are the corresponding attribute types.
            10:30 Invalid type specification: Primitive type keyword "string" does not expect arguments.
            11:25 Invalid legacy variable type hint: To provide a full type expression, remove the surrounding quotes and give the type expression directly.
            12:25 Invalid quoted type constraints: Terraform 0.11 and earlier required type constraints to be given in quotes, but that form is now deprecated and will be removed in a future version of Terraform. Remove the quotes around "list" and write list(string) instead to explicitly indicate that the list elements are strings.
            13:25 Invalid type specification: A type specification is either a primitive type keyword (bool, number, string) or a complex type constructor call, like list(string).
            14:25 Invalid type specification: Type constraint keyword "any" does not expect arguments.
            15:25 Invalid type specification: A type specification is either a primitive type keyword (bool, number, string) or a complex type constructor call, like list(string).
            16:25 Invalid type specification: Keyword "lst" is not a valid type constructor.
            17:33 Invalid type specification: Object constructor map keys must be attribute names.
            18:43 Invalid type specification: Optional attribute modifier expects at most two arguments: the attribute type, and a default value.
            19:25 Invalid type specification: The keyword "strng" is not a valid type specification.
        "#]],
    );
}

#[test]
fn meta_arguments() {
    check(
        "resource \"a\" \"b\" {\n  depends_on = [a.b, \"c.d\", 1, a[*]]\n  provider = a.b.c\n  \
         lifecycle {\n    create_before_destroy = var.x\n    ignore_changes = [1]\n    \
         replace_triggered_by = [1]\n    foo = 1\n    bar {}\n    precondition {}\n  }\n  \
         provisioner \"local-exec\" {}\n  locals {}\n}\ndata \"a\" \"b\" {\n  depends_on = a\n  \
         lifecycle {\n    prevent_destroy = true\n    postcondition {\n      condition = true\n      \
         error_message = \"\"\n    }\n  }\n}\nmodule \"m\" {\n  source = \"./m\"\n  \
         providers = []\n  lifecycle {}\n}\nprovider \"p\" {\n  count = 1\n  version = \"1\"\n}\n",
        expect![[r#"
            3:14 Invalid provider configuration reference: The provider argument requires a provider type name, optionally followed by a period and then a configuration alias.
            2:22 Quoted references are deprecated: In this context, references are expected literally rather than in quotes. Terraform 0.11 and earlier required quotes, but quoted references are now deprecated and will be removed in a future version of Terraform. Remove the quotes surrounding this reference to silence this warning.
            2:29 Invalid expression: A single static variable reference is required: only attribute access and indexing with constant keys. No calculations, function calls, template expressions, etc are allowed here.
            2:32 Invalid expression: A single static variable reference is required: only attribute access and indexing with constant keys. No calculations, function calls, template expressions, etc are allowed here.
            8:5 Unsupported argument: An argument named "foo" is not expected here.
            9:5 Unsupported block type: Blocks of type "bar" are not expected here.
            5:29 Variables not allowed: Variables may not be used here.
            5:29 Unsuitable value type: Unsuitable value: value must be known
            7:29 Invalid replace_triggered_by expression: Only references to resources, their instances and their attributes are allowed here.
            6:23 Invalid expression: A single static variable reference is required: only attribute access and indexing with constant keys. No calculations, function calls, template expressions, etc are allowed here.
            10:18 Missing required argument: The argument "condition" is required, but no definition was found.
            10:18 Missing required argument: The argument "error_message" is required, but no definition was found.
            13:3 Reserved block type name in resource block: The block type name "locals" is reserved for use by Terraform in a future version.
            16:16 Invalid expression: A static list expression is required.
            18:5 Invalid data resource lifecycle argument: The lifecycle argument "prevent_destroy" is defined only for managed resources ("resource" blocks), and is not valid for data resources.
            20:19 Invalid postcondition expression: The condition expression must refer to at least one object from elsewhere in the configuration, or else its result would not be checking anything.
            27:15 Invalid expression: A static map expression is required.
            28:3 Reserved block type name in module block: The block type name "lifecycle" is reserved for use by Terraform in a future version.
            32:13 Version constraints inside provider configuration blocks are deprecated: Terraform 0.13 and earlier allowed provider version constraints inside the provider configuration block, but that is now deprecated and will be removed in a future version of Terraform. To silence this warning, move the provider version constraint into the required_providers block.
            31:3 Reserved argument name in provider block: The provider argument name "count" is reserved for use by Terraform in a future version.
        "#]],
    );
}

#[test]
fn moves_and_checks() {
    check(
        "moved {\n  from = a.b\n}\nmoved {\n  from = a.b\n  to = module.x\n}\nmoved {\n  from = a\n  \
         to = \"a.b\"\n}\nmoved {\n  from = a.b.c\n  to = a.b[1.5]\n}\nremoved {\n  from = a.b[0]\n}\n\
         removed {\n  from = module.x[0]\n}\nremoved {\n  from = data.a.b\n}\nimport {\n  to = data.a.b\n  \
         id = 1\n}\nimport {\n  to = module.a\n  id = 1\n}\ncheck \"a\" {}\ncheck \"a\" {\n  \
         data \"a\" \"b\" {}\n  data \"a\" \"c\" {}\n  assert {\n    condition = true\n    \
         error_message = \"\"\n  }\n}\n",
        expect![[r#"
            1:7 Missing required argument: The argument "to" is required, but no definition was found.
            4:1 Invalid "moved" addresses: The "from" and "to" addresses must either both refer to resources or both refer to modules.
            9:10 Invalid address: Resource specification must include a resource type and name.
            10:8 Invalid expression: A single static variable reference is required: only attribute access and indexing with constant keys. No calculations, function calls, template expressions, etc are allowed here.
            13:13 Invalid address: Resource instance key must be given in square brackets.
            14:11 Invalid address: Resource instance key must be a whole number.
            17:13 Resource instance keys not allowed: Resource address must be a resource (e.g. "test_instance.foo"), not a resource instance (e.g. "test_instance.foo[1]").
            20:18 Module instance keys not allowed: Module address must be a module (e.g. "module.foo"), not a module instance (e.g. "module.foo[1]").
            23:10 Data source address not allowed: Data sources are never destroyed, so they are not valid targets of removed blocks. To remove the data source from state, remove the data source block from configuration.
            26:8 Invalid import address: Only managed resources can be imported.
            30:8 Invalid address: A resource instance address is required here. The module path must be followed by a resource instance specification.
            33:1 Zero assert blocks: Check blocks must have at least one assert block.
            36:3 Multiple data resource blocks: This check block already has a data resource defined.
            38:17 Invalid assert expression: The condition expression must refer to at least one object from elsewhere in the configuration, or else its result would not be checking anything.
            34:1 Zero assert blocks: Check blocks must have at least one assert block.
            34:1 Duplicate check "a" configuration: A check block named "a" was already declared. Check blocks must be unique within each module.
        "#]],
    );
}

#[test]
fn settings() {
    check(
        "terraform {\n  required_version = \"~~> 1\"\n  foo = 1\n  cloud {}\n  required_providers {\n    \
         b = { source = \"x/y\", versio = \"1\" }\n    c = { source = \"a/b/c/d\" }\n    D = {}\n    \
         e = 5\n    f = { version = \"x\" }\n    g = { configuration_aliases = [a, g.x, \"z\"] }\n    \
         h {}\n  }\n}\n",
        expect![[r#"
            3:3 Unsupported argument: An argument named "foo" is not expected here.
            2:22 Invalid version constraint: This string does not use correct version constraint syntax.
            4:3 HCP Terraform is not supported: The state of this configuration cannot be kept in HCP Terraform. Use a "backend" block instead.
            6:27 Invalid required_providers object: required_providers objects can only contain "version", "source" and "configuration_aliases" attributes. To configure a provider, use a "provider" block.
            7:20 Invalid provider source string: The "source" attribute must be in the format "[hostname/][namespace/]name"
            8:5 Invalid provider local name: Provider names must be normalized. Replace "D" with "d" to fix this error.
            9:9 Invalid required_providers object: required_providers entries must be strings or objects.
            10:21 Invalid version constraint: This string does not use correct version constraint syntax.
            11:36 Invalid configuration_aliases value: Configuration aliases can only contain references to local provider configuration names in the format of g.alias.
            11:44 Invalid expression: A single static variable reference is required: only attribute access and indexing with constant keys. No calculations, function calls, template expressions, etc are allowed here.
            12:5 Unexpected "h" block: Blocks are not allowed here.
        "#]],
    );
}

#[test]
fn override_files_change_what_other_files_declare() {
    let (module, said) = decoded(
        r#"
-- a_override.tf
terraform {
  required_version = ">= 1.1"
  backend "http" {}
  required_providers {
    b = { source = "x/c" }
    d = { source = "x/d" }
  }
}
locals { a = "a" }
variable "v" { default = 2 }
resource "r" "x" {
  input    = "a"
  for_each = {}
  new      = 1
  ports { n = 3 }
  lifecycle { prevent_destroy = true }
}
provider "p" {
  alias = "q"
  y     = 2
}
-- main.tf
terraform {
  required_version = ">= 1.0"
  backend "local" {}
  required_providers {
    b = { source = "x/b" }
  }
}
locals { a = "m" }
variable "v" {
  type    = number
  default = 1
}
resource "r" "x" {
  input = "m"
  count = 1
  ports { n = 1 }
  ports { n = 2 }
  volumes {}
  lifecycle { ignore_changes = [input] }
}
provider "p" { x = 1 }
provider "p" {
  alias = "q"
  x     = 1
}
-- override.tf
resource "r" "x" { input = "o" }
-- z_override.tf
resource "r" "y" {}
variable "w" {}
output "w" { value = 1 }
module "w" { source = "./w" }
locals { w = 1 }
moved {
  from = a.b
  to   = a.c
}
"#,
    );
    expect![[r#"
        1:1 Missing resource to override: There is no resource block named "y". An override file can only override a resource block defined in a primary configuration file.
        2:1 Missing base variable declaration to override: There is no variable named "w". An override file can only override a variable that was already declared in a primary configuration file.
        3:1 Missing base output definition to override: There is no output named "w". An override file can only override an output that was already defined in a primary configuration file.
        4:1 Missing module call to override: There is no module call named "w". An override file can only override a module call that was defined in a primary configuration file.
        5:10 Missing base local value definition to override: There is no local value named "w". An override file can only override a local value that was already defined in a primary configuration file.
        6:1 Cannot override 'moved' blocks: moved blocks can appear only in normal files, not in override files.
    "#]]
    .assert_eq(&said);
    let constraint = module.required_versions.iter().map(|it| &*it.0).collect::<Vec<_>>();
    assert_eq!(constraint, [">= 1.1"]);
    assert_eq!(module.backend.as_ref().map(|it| &*it.kind), Some("http"));
    let sources = module.required_providers.values().map(|it| it.source.as_deref());
    assert_eq!(sources.collect::<Vec<_>>(), [Some("x/c"), Some("x/d")]);
    let resource = module.resources.values().next().expect("one");
    assert!(matches!(resource.repeat, Repeat::ForEach(_)));
    assert!(resource.lifecycle.prevent_destroy);
    assert!(matches!(resource.lifecycle.ignore_changes, IgnoreChanges::Some(_)));
    assert_eq!(resource.body.blocks().filter(|it| &*it.kind.text == "ports").count(), 1);
    assert_eq!(resource.body.blocks().filter(|it| &*it.kind.text == "volumes").count(), 1);
    let text = |expr: &Expr| match &expr.kind {
        crate::syntax::ExprKind::String(it) | crate::syntax::ExprKind::Number(it) => it.to_string(),
        other => format!("{other:?}"),
    };
    assert_eq!(text(&resource.body.attribute("input").expect("set").expr), "o");
    assert_eq!(text(&module.locals["a"].expr), "a");
    assert_eq!(text(module.variables["v"].default.as_ref().expect("set")), "2");
    let arguments = module.providers.values().map(|it| it.body.attributes().count());
    assert_eq!(arguments.collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn assignments() {
    let text = "a = 1\nb = [\"x\", { c = var.d }]\nvariable \"e\" {}\nf {}\n";
    let parse = crate::syntax::parse(FileId::default(), text);
    let (found, said) = decode_assignments(parse.body);
    let names: Vec<&str> = found.iter().map(|it| &*it.name).collect();
    assert_eq!(names, ["a", "b"]);
    let said: Vec<&str> = said.iter().map(|it| &*it.summary).collect();
    let expected =
        ["Variables not allowed", "Variable declaration in .tfvars file", "Unexpected \"f\" block"];
    assert_eq!(said, expected);
}

#[test]
fn files_by_name() {
    for (name, module, over) in [
        ("main.tf", true, false),
        ("override.tf", true, true),
        ("x_override.tf", true, true),
        ("xoverride.tf", true, false),
        (".hidden.tf", false, false),
        ("main.tf~", false, false),
        ("main.tfvars", false, false),
    ] {
        assert_eq!((is_module_file(name), is_override(name)), (module, over), "{name}");
    }
}

#[test]
fn which_files_belong_to_a_module() {
    use super::{is_module_file, is_override};
    for name in ["main.tf", "lab.plumb.hcl", "override.tf"] {
        assert!(is_module_file(name), "{name}");
    }
    for name in [".hidden.tf", "#main.tf", "main.tf~", "main.hcl", "plumb.hcl", "main.tfvars"] {
        assert!(!is_module_file(name), "{name}");
    }
    assert!(is_override("a_override.tf") && is_override("override.plumb.hcl"));
    assert!(!is_override("overrides.tf"));
}
