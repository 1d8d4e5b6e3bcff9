//! The folders: one for the root, one for each module inside, with calls that make their instances.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_model::addr::{ConfigAddr, InstanceKey, ModuleInstance, ModulePath};
use plumb_model::value::{Marks, Value};

use crate::compile::display;
use crate::config::{ProviderName, free_name};
use crate::generate::formatted;
use crate::generate::literal::{Links as Texts, literal, quoted};

use super::forms::{Form, Forms, Repeats};
use super::instances::{Wanted, repeat, resource};
use super::kept::Kept;
use super::links::Links;
use super::table::here;
use super::{Blocks, Restore};

/// The file with what was not in the configuration.
const FILE: &str = "restored.tf";

type Folders = BTreeMap<Arc<str>, Vec<(Arc<str>, String)>>;

pub(super) fn write(
    input: Restore<'_>,
    kept: &Kept,
    forms: &Forms,
    blocks: &Blocks<'_>,
    links: &Links<'_>,
) -> Folders {
    let mut texts: BTreeMap<ModulePath, String> = BTreeMap::new();
    texts.entry(ModulePath::default()).or_default();
    for (path, calls) in &forms.calls {
        for name in calls.keys() {
            texts.insert(path.child(name), kept.required.clone() + "variable \"at\" {}\n");
        }
    }
    for (block, objects) in blocks {
        let Ok(provider) = kept.name(&objects[0].1.provider) else { continue };
        let repeats = &forms.blocks[&(block.module.clone(), block.resource.clone())];
        let wanted = Wanted { input, block, objects, repeats, links, provider };
        *texts.entry(block.module.clone()).or_default() += &resource(&wanted);
    }
    let passed = passed(links);
    share(forms, links, &passed, &mut texts);
    let aliased: Vec<ProviderName> = kept.aliased().cloned().collect();
    for (path, calls) in &forms.calls {
        for (name, repeats) in calls {
            let inside = path.child(name);
            let text = call(path, name, repeats, &aliased, passed.get(&inside));
            *texts.entry(path.clone()).or_default() += &text;
        }
    }
    *texts.entry(ModulePath::default()).or_default() += &outputs(input, blocks, links);
    let mut folders = Folders::new();
    for (path, text) in texts {
        let mut files = if path.is_root() { kept.files.clone() } else { Vec::new() };
        files.push((free_name(FILE, &files), formatted(text)));
        folders.insert(folder(&path), files);
    }
    folders
}

/// Where a module is.
fn folder(path: &ModulePath) -> Arc<str> {
    match path.is_root() {
        true => ".".into(),
        false => path.0.join("/").into(),
    }
}

/// By module: the numbers of the blocks elsewhere that something in it, or further inside, needs.
fn passed(links: &Links<'_>) -> BTreeMap<ModulePath, BTreeSet<usize>> {
    let mut res: BTreeMap<ModulePath, BTreeSet<usize>> = BTreeMap::new();
    for (block, needs) in &links.needs {
        for need in needs.iter().filter(|it| it.module != block.module) {
            let Some(number) = links.shared.get(need) else { continue };
            for depth in 1..=block.module.0.len() {
                let path = ModulePath(block.module.0[..depth].into());
                res.entry(path).or_default().insert(*number);
            }
        }
    }
    res
}

/// Blocks that are needed elsewhere go up to the root as outputs, and down from there as variables.
fn share(
    forms: &Forms,
    links: &Links<'_>,
    passed: &BTreeMap<ModulePath, BTreeSet<usize>>,
    texts: &mut BTreeMap<ModulePath, String>,
) {
    for (block, number) in &links.shared {
        let mut whole = block.resource.to_string();
        for depth in (0..block.module.0.len()).rev() {
            let inner = ModulePath(block.module.0[..=depth].into());
            let output = format!("output \"o{number}\" {{\nvalue = {whole}\n}}\n");
            *texts.entry(inner).or_default() += &output;
            let outer = ModulePath(block.module.0[..depth].into());
            let name = &block.module.0[depth];
            whole = gathered(name, *number, &forms.calls[&outer][name]);
        }
        let local = format!("locals {{\no{number} = {whole}\n}}\n");
        *texts.entry(ModulePath::default()).or_default() += &local;
    }
    for (path, numbers) in passed {
        for number in numbers {
            *texts.entry(path.clone()).or_default() += &format!("variable \"o{number}\" {{}}\n");
        }
    }
}

/// An output of all instances of a call. Each is named, so that no other output comes along.
fn gathered(name: &str, number: usize, repeats: &Repeats) -> String {
    let one = |key: &InstanceKey| {
        let output = format!("module.{name}{key}.o{number}");
        if repeats.is_even() { output } else { format!("try({output}, null)") }
    };
    let keys = repeats.all_keys().into_iter().flatten();
    match repeats.form {
        Form::One => format!("module.{name}.o{number}"),
        Form::Count => format!("[{}]", keys.map(one).collect::<Vec<_>>().join(", ")),
        Form::Each => {
            let entry = |key: &InstanceKey| {
                let InstanceKey::Str(text) = key else { return String::new() };
                format!("{} = {}\n", quoted(text), one(key))
            };
            format!("{{\n{}}}", keys.map(entry).collect::<String>())
        }
    }
}

fn call(
    path: &ModulePath,
    name: &str,
    repeats: &Repeats,
    aliased: &[ProviderName],
    passed: Option<&BTreeSet<usize>>,
) -> String {
    let root = path.is_root();
    let mut out =
        format!("module {} {{\nsource = {}\n", quoted(name), quoted(&format!("./{name}")));
    out += &repeat(repeats, root);
    out += &format!("at = {}\n", here(root, repeats.form, true));
    let from = if root { "local" } else { "var" };
    for number in passed.into_iter().flatten() {
        out += &format!("o{number} = {from}.o{number}\n");
    }
    if !aliased.is_empty() {
        let pairs = aliased.iter().map(|it| format!("{0} = {0}\n", display(it)));
        out += &format!("providers = {{\n{}}}\n", pairs.collect::<String>());
    }
    out + "}\n"
}

/// The outputs as they were. One that was what an object was called is what it will be called.
fn outputs(input: Restore<'_>, blocks: &Blocks<'_>, links: &Links<'_>) -> String {
    let mut out = String::new();
    let root = ModuleInstance::default();
    let known: BTreeSet<ConfigAddr> = blocks
        .keys()
        .filter(|it| it.module.is_root() || links.shared.contains_key(*it))
        .cloned()
        .collect();
    let link = |text: &str| links.expression(&root, &known, text);
    for (name, value) in &input.snapshot.outputs {
        let plain: Value = value.unmark_deep();
        out += &format!("output {} {{\nvalue = {}\n", quoted(name), literal(&plain, Texts(&link)));
        if value.has_mark_deep(Marks::SENSITIVE) {
            out += "sensitive = true\n";
        }
        out += "}\n";
    }
    out
}
