//! Trees to modules: what the blocks of one directory declare. Expressions stay trees.
//!
//! This module knows block types and meta-arguments. It does not know providers' schemas, other
//! modules, or values of references.

mod accept;
mod call;
mod constant;
mod content;
mod encryption;
mod module;
mod moves;
mod overrides;
mod provisioner;
mod reference;
mod resource;
mod terraform;
mod type_constraint;
mod variable;
pub mod version;
mod walk;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics, FileId, Span};
use plumb_model::addr::Mode;

use crate::syntax::{Body, Expr, Item, Parse};
use content::{Spec, content};

pub(crate) use content::extraneous_property;
pub use content::is_name;
pub use encryption::{Arguments, decode_encryption, part_arguments, part_ref};
pub use module::*;
pub use reference::target as target_of;

/// One file of a module directory.
#[derive(Clone, Debug)]
pub struct ModuleFile {
    /// What is in it.
    pub body: Body,
    /// Whether it changes what other files declare, see [`is_override`].
    pub overrides: bool,
    /// Whether it may hold what Terraform has no word for, see [`is_ours`].
    pub ours: bool,
}

/// Whether the file called `name` changes what other files declare: `override.tf`,
/// `*_override.tf`, and the same in JSON.
pub fn is_override(name: &str) -> bool {
    stem(name).is_some_and(|it| it == "override" || it.ends_with("_override"))
}

/// Whether the file called `name` belongs to the module in its directory. What Terraform has no
/// word for stands in `*.plumb.hcl`, which it does not read.
pub fn is_module_file(name: &str) -> bool {
    stem(name).is_some() && !name.starts_with(['.', '#']) && !name.ends_with('~')
}

/// `name`, or with so much before it that none of the files has it.
pub fn free_name<T>(name: &str, files: &[(Arc<str>, T)]) -> Arc<str> {
    let mut name = name.to_owned();
    while files.iter().any(|it| *it.0 == *name) {
        name.insert(0, '_');
    }
    name.into()
}

/// Whether only we read the file called `name`: it may hold blocks that Terraform does not know.
pub fn is_ours(name: &str) -> bool {
    name.ends_with(".plumb.hcl")
}

fn stem(name: &str) -> Option<&str> {
    [".tf", ".tf.json", ".plumb.hcl"].iter().find_map(|it| name.strip_suffix(it))
}

const TOP: Spec<'_> = Spec {
    arguments: &[],
    required: &[],
    blocks: &[
        ("terraform", &[]),
        ("provider", &["name"]),
        ("variable", &["name"]),
        ("locals", &[]),
        ("output", &["name"]),
        ("module", &["name"]),
        ("resource", &["type", "name"]),
        ("data", &["type", "name"]),
        ("ephemeral", &["type", "name"]),
        ("moved", &[]),
        ("removed", &[]),
        ("import", &[]),
        ("check", &["name"]),
    ],
};

/// What the files of one directory declare. Files come in the order of their names. Everything that
/// could be read is in the module, whatever the diagnostics say.
pub fn decode(files: Vec<ModuleFile>) -> (Module, Diagnostics) {
    let mut out = Diagnostics::new();
    let mut files = files;
    let accepts = accept::taken_from(&mut files);
    let (over, base): (Vec<ModuleFile>, Vec<ModuleFile>) =
        files.into_iter().partition(|it| it.overrides);
    let mut items: Vec<Item> = base.into_iter().flat_map(|it| it.body.items).collect();
    for file in over {
        overrides::merge(&mut items, file.body, &mut out);
    }
    let top = content(Body { items, span: Span::default() }, TOP, &mut out);
    let mut module = Module::default();
    accepts.into_iter().for_each(|it| accept::accept(it, &mut module, &mut out));
    let mut seen = terraform::Seen::default();
    for block in top.blocks {
        let module = &mut module;
        match &*block.kind.text {
            "terraform" => terraform::terraform(block, &mut seen, module, &mut out),
            "provider" => call::provider(block, module, &mut out),
            "variable" => variable::variable(block, module, &mut out),
            "locals" => variable::locals(block, module, &mut out),
            "output" => variable::output(block, module, &mut out),
            "module" => call::call(block, module, &mut out),
            "resource" => resource::resource(block, Mode::Managed, module, &mut out),
            "data" => resource::resource(block, Mode::Data, module, &mut out),
            "moved" => moves::moved(block, module, &mut out),
            "removed" => moves::removed(block, module, &mut out),
            "import" => moves::import(block, module, &mut out),
            "check" => resource::check(block, module, &mut out),
            _ => resource::ephemeral(block, module, &mut out),
        }
    }
    (module, out)
}

/// Reads and decodes the files of one directory, given as name, id and text in the order of names.
pub fn decode_texts<'a>(
    files: impl IntoIterator<Item = (&'a str, FileId, &'a str)>,
) -> (Module, Diagnostics) {
    let mut diagnostics = Diagnostics::new();
    let files = files
        .into_iter()
        .map(|(name, id, text)| {
            let (body, found) = if name.ends_with(".tf.json") {
                crate::json::parse(id, text)
            } else {
                let Parse { body, diagnostics, .. } = crate::syntax::parse(id, text);
                (body, diagnostics)
            };
            diagnostics.extend(found);
            ModuleFile { body, overrides: is_override(name), ours: is_ours(name) }
        })
        .collect();
    let (module, found) = decode(files);
    diagnostics.extend(found);
    (module, diagnostics)
}

/// A value given to a variable in a `.tfvars` file.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// The variable.
    pub name: Arc<str>,
    /// A constant expression.
    pub expr: Arc<Expr>,
    /// The whole line.
    pub span: Span,
}

/// What a `.tfvars` file assigns.
pub fn decode_assignments(body: Body) -> (Vec<Assignment>, Diagnostics) {
    let mut out = Diagnostics::new();
    let mut assignments = Vec::new();
    for item in body.items {
        match item {
            Item::Attribute(it) => {
                constant::check_constant(&it.expr, &mut out);
                let span = it.span();
                assignments.push(Assignment { name: it.name.text, expr: Arc::new(it.expr), span });
            }
            Item::Block(it) => {
                let name = it.labels.first().filter(|_| &*it.kind.text == "variable");
                let diagnostic = match name {
                    Some(name) => Diagnostic::error(
                        "Variable declaration in .tfvars file",
                        format!(
                            "A .tfvars file is used to assign values to variables that have \
                             already been declared in .tf files, not to declare new variables. To \
                             declare variable {:?}, place this block in one of your .tf files, \
                             such as variables.tf.\n\nTo set a value for this variable here, use \
                             the definition syntax instead:\n    {} = <value>",
                            &*name.text, name.text
                        ),
                    ),
                    None => Diagnostic::error(
                        format!("Unexpected {:?} block", &*it.kind.text),
                        "Blocks are not allowed here.",
                    ),
                };
                out.push(diagnostic.at(it.kind.span));
            }
        }
    }
    (assignments, out)
}
