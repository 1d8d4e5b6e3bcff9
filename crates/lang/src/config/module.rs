//! What one module directory declares.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_diag::Span;
use plumb_model::Target;
use plumb_model::addr::{Addr, ConfigAddr, ModulePath, Resource};
use plumb_model::value::{Defaults, Type};

use crate::syntax::{Body, Expr, Traversal};

/// Everything the files of one directory declare.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// `variable`
    pub variables: BTreeMap<Arc<str>, Variable>,
    /// `locals`
    pub locals: BTreeMap<Arc<str>, Local>,
    /// `output`
    pub outputs: BTreeMap<Arc<str>, Output>,
    /// `resource` and `data`
    pub resources: BTreeMap<Resource, ResourceBlock>,
    /// `module`
    pub calls: BTreeMap<Arc<str>, ModuleCall>,
    /// `provider`
    pub providers: BTreeMap<ProviderName, ProviderBlock>,
    /// `terraform { required_providers {} }`
    pub required_providers: BTreeMap<Arc<str>, RequiredProvider>,
    /// `terraform { required_version }`
    pub required_versions: Vec<(Arc<str>, Span)>,
    /// `terraform { backend "type" {} }`
    pub backend: Option<Backend>,
    /// `terraform { encryption {} }`
    pub encryption: Option<Encryption>,
    /// `moved`
    pub moved: Vec<Moved>,
    /// `removed`
    pub removed: Vec<Removed>,
    /// `import`
    pub imports: Vec<Import>,
    /// `ephemeral`: type and name, and the header of the block.
    pub ephemerals: Vec<(Resource, Span)>,
    /// `check`
    pub checks: BTreeMap<Arc<str>, Check>,
    /// `accept`, in `*.plumb.hcl`
    pub accepts: Vec<Accept>,
}

/// `encryption {}`: parts, and what is made of them.
#[derive(Clone, Debug, Default)]
pub struct Encryption {
    /// `key_provider "type" "name" {}`
    pub key_providers: Vec<EncryptionPart>,
    /// `method "type" "name" {}`
    pub methods: Vec<EncryptionPart>,
    /// `state {}`
    pub state: Option<EncryptionTarget>,
    /// `plan {}`
    pub plan: Option<EncryptionTarget>,
    /// `remote_state_data_sources { default {} }`
    pub remote_default: Option<EncryptionTarget>,
    /// `remote_state_data_sources { remote_state_data_source "name" {} }`
    pub remote: Vec<(Arc<str>, EncryptionTarget)>,
    /// The header of the block.
    pub span: Span,
}

/// A key provider or a method.
#[derive(Clone, Debug)]
pub struct EncryptionPart {
    /// `pbkdf2`, `aes_gcm`
    pub kind: Arc<str>,
    /// What others call it.
    pub name: Arc<str>,
    /// Its arguments.
    pub body: Arc<Body>,
    /// The header of the block.
    pub span: Span,
}

/// What one kind of file is written with, and what else may open it.
#[derive(Clone, Debug)]
pub struct EncryptionTarget {
    /// `method`
    pub method: Option<PartRef>,
    /// `fallback {}`
    pub fallback: Option<Box<EncryptionTarget>>,
    /// `enforced`
    pub enforced: bool,
    /// The header of the block.
    pub span: Span,
}

/// `method.aes_gcm.name`, `key_provider.pbkdf2.name`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartRef {
    /// `aes_gcm`
    pub kind: Arc<str>,
    /// `name`
    pub name: Arc<str>,
    /// Where.
    pub span: Span,
}

/// `accept "address" {}`: drift that somebody knows of and lets be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accept {
    /// What moved: an address, or type and name of something foreign; `*` stands for anything.
    pub address: Arc<str>,
    /// `classes`: only such drift; empty: any.
    pub classes: Vec<Arc<str>>,
    /// `attributes`: only what moved there, as paths; empty: anywhere.
    pub attributes: Vec<Arc<str>>,
    /// `reason`
    pub reason: Arc<str>,
    /// `expires`: the last day of it, `2026-12-31`. None: for good.
    pub expires: Option<Arc<str>>,
    /// The header of the block.
    pub span: Span,
}

/// `variable "name" {}`
#[derive(Clone, Debug)]
pub struct Variable {
    /// Any type if left out.
    pub ty: Type,
    /// Whether it was written: `type = any` is not the same as nothing to who reads `-var`.
    pub has_type: bool,
    /// From `optional(type, default)`.
    pub defaults: Option<Arc<Defaults>>,
    /// A constant expression. Without one the variable is required.
    pub default: Option<Arc<Expr>>,
    /// For people.
    pub description: Option<Arc<str>>,
    /// Never shown.
    pub sensitive: bool,
    /// Never stored.
    pub ephemeral: bool,
    /// Whether null is a value (true unless said otherwise).
    pub nullable: bool,
    /// `validation {}`
    pub validations: Vec<Condition>,
    /// The header of the block.
    pub span: Span,
}

/// One name of a `locals` block.
#[derive(Clone, Debug)]
pub struct Local {
    /// Its value.
    pub expr: Arc<Expr>,
    /// The whole attribute.
    pub span: Span,
}

/// `output "name" {}`
#[derive(Clone, Debug)]
pub struct Output {
    /// Its value.
    pub expr: Arc<Expr>,
    /// For people.
    pub description: Option<Arc<str>>,
    /// Never shown.
    pub sensitive: bool,
    /// Never stored.
    pub ephemeral: bool,
    /// `depends_on`
    pub depends_on: Vec<Arc<Traversal>>,
    /// `precondition {}`
    pub preconditions: Vec<Condition>,
    /// The header of the block.
    pub span: Span,
}

/// `resource "type" "name" {}` or `data "type" "name" {}`
#[derive(Clone, Debug)]
pub struct ResourceBlock {
    /// How many instances.
    pub repeat: Repeat,
    /// `provider = docker.west`
    pub provider: Option<ProviderRef>,
    /// `depends_on`
    pub depends_on: Vec<Arc<Traversal>>,
    /// `lifecycle {}`
    pub lifecycle: Lifecycle,
    /// `provisioner {}` blocks, in order.
    pub provisioners: Vec<Provisioner>,
    /// `connection {}`, for all of them.
    pub connection: Option<Arc<Body>>,
    /// The provider's arguments and blocks: what is left when the meta-arguments are taken out.
    pub body: Arc<Body>,
    /// The `check` block that holds it; only that can refer to it.
    pub check: Option<Arc<str>>,
    /// The header of the block.
    pub span: Span,
}

/// `provisioner "kind" {}`
#[derive(Clone, Debug)]
pub struct Provisioner {
    /// `local-exec`
    pub kind: Arc<str>,
    /// `when`
    pub when: When,
    /// `on_failure`
    pub on_failure: OnFailure,
    /// Its arguments.
    pub body: Arc<Body>,
    /// `connection {}`
    pub connection: Option<Arc<Body>>,
    /// The header of the block.
    pub span: Span,
    /// The brace after it.
    pub open_span: Span,
}

/// When a provisioner runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// After the object was made.
    Create,
    /// Before it is deleted.
    Destroy,
}

/// What becomes of an object whose provisioner failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// It is tainted, or not deleted.
    Fail,
    /// As if nothing had happened.
    Continue,
}

/// `lifecycle {}`
#[derive(Clone, Debug, Default)]
pub struct Lifecycle {
    /// Make the new object before the old one is deleted. `None`: left out.
    pub create_before_destroy: Option<bool>,
    /// Refuse plans that delete the object.
    pub prevent_destroy: bool,
    /// Arguments whose changes are ignored.
    pub ignore_changes: IgnoreChanges,
    /// References whose change replaces the object: each a [`Traversal`] or an access.
    pub replace_triggered_by: Vec<Arc<Expr>>,
    /// Checked before the object is planned.
    pub preconditions: Vec<Condition>,
    /// Checked when the object is there.
    pub postconditions: Vec<Condition>,
}

/// `ignore_changes`
#[derive(Clone, Debug, Default)]
pub enum IgnoreChanges {
    /// No argument.
    #[default]
    None,
    /// Every argument.
    All,
    /// These: relative traversals whose root is an argument of the resource.
    Some(Vec<Arc<Traversal>>),
}

/// A condition and what to say when it does not hold.
#[derive(Clone, Debug)]
pub struct Condition {
    /// What must hold.
    pub condition: Arc<Expr>,
    /// Said if it does not.
    pub error_message: Arc<Expr>,
    /// The header of the block.
    pub span: Span,
}

/// How many instances a block has.
#[derive(Clone, Debug, Default)]
pub enum Repeat {
    /// One, without a key.
    #[default]
    One,
    /// `count`
    Count(Arc<Expr>),
    /// `for_each`
    ForEach(Arc<Expr>),
}

/// `module "name" {}`
#[derive(Clone, Debug)]
pub struct ModuleCall {
    /// Where it is: a local path such as `./net`, or something that is not supported yet.
    pub source: Arc<str>,
    /// Where that is written.
    pub source_span: Span,
    /// `version`, for sources that have any, and where it is written.
    pub version: Option<(Arc<str>, Span)>,
    /// How many instances.
    pub repeat: Repeat,
    /// `providers = { docker = docker.west }`
    pub providers: Vec<(ProviderRef, ProviderRef)>,
    /// `depends_on`
    pub depends_on: Vec<Arc<Traversal>>,
    /// The arguments: variables of the module.
    pub body: Arc<Body>,
    /// The header of the block.
    pub span: Span,
}

/// A provider configuration inside a module: local name and alias.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProviderName {
    /// The local name, `docker`.
    pub name: Arc<str>,
    /// The alias.
    pub alias: Option<Arc<str>>,
}

/// A [`ProviderName`] where it is written.
#[derive(Clone, Debug)]
pub struct ProviderRef {
    /// Which.
    pub name: ProviderName,
    /// Where.
    pub span: Span,
}

/// `provider "name" {}`
#[derive(Clone, Debug)]
pub struct ProviderBlock {
    /// Its arguments.
    pub body: Arc<Body>,
    /// The header of the block.
    pub span: Span,
}

/// One entry of `required_providers`.
#[derive(Clone, Debug)]
pub struct RequiredProvider {
    /// As written: `kreuzwerker/docker`. None: the local name in namespace hashicorp.
    pub source: Option<Arc<str>>,
    /// As written.
    pub version: Option<Arc<str>>,
    /// `configuration_aliases`
    pub aliases: Vec<ProviderName>,
    /// The entry.
    pub span: Span,
}

/// `backend "type" {}`
#[derive(Clone, Debug)]
pub struct Backend {
    /// `local`, `http`, …
    pub kind: Arc<str>,
    /// Its arguments.
    pub body: Arc<Body>,
    /// The header of the block.
    pub span: Span,
}

/// `moved {}`. Addresses are relative to the module.
#[derive(Clone, Debug)]
pub struct Moved {
    /// The old address.
    pub from: Target,
    /// The new one.
    pub to: Target,
    /// The header of the block.
    pub span: Span,
}

/// `removed {}`
#[derive(Clone, Debug)]
pub struct Removed {
    /// What: a block, or a module with all in it.
    pub from: RemovedFrom,
    /// Whether objects are deleted, too; else they are forgotten.
    pub destroy: bool,
    /// What runs before they are deleted.
    pub provisioners: Vec<Provisioner>,
    /// The header of the block.
    pub span: Span,
}

/// What a `removed` block names, relative to its module.
#[derive(Clone, Debug)]
pub enum RemovedFrom {
    /// A resource block.
    Resource(ConfigAddr),
    /// A module.
    Module(ModulePath),
}

/// `import {}`
#[derive(Clone, Debug)]
pub struct Import {
    /// Where to, when the address is constant.
    pub to: Option<Addr>,
    /// Where to, as written (its keys may refer to `each`).
    pub to_expr: Arc<Expr>,
    /// What: the remote id.
    pub id: Arc<Expr>,
    /// `for_each`
    pub for_each: Option<Arc<Expr>>,
    /// `provider`
    pub provider: Option<ProviderRef>,
    /// The header of the block.
    pub span: Span,
}

/// `check "name" {}`
#[derive(Clone, Debug)]
pub struct Check {
    /// A data source of its own, declared in [`Module::resources`].
    pub data: Option<Resource>,
    /// `assert {}`
    pub asserts: Vec<Condition>,
    /// The header of the block.
    pub span: Span,
}
