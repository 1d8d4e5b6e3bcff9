//! Reads a block of settings: each by name and type, and whatever else stands there is an error.

use std::collections::BTreeSet;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_lang::eval::{self, Constants};
use plumb_lang::syntax::{Attribute, Block, Body};
use plumb_model::value::{Type, Value, convert};

/// A block that is being read.
pub(super) struct Settings<'a, 'f> {
    body: Option<&'a Body>,
    known: BTreeSet<&'static str>,
    found: &'f mut Diagnostics,
}

impl<'a, 'f> Settings<'a, 'f> {
    /// A block; one that is not there has nothing set.
    pub(super) fn new(body: Option<&'a Body>, found: &'f mut Diagnostics) -> Settings<'a, 'f> {
        Settings { body, known: BTreeSet::new(), found }
    }

    fn value(&mut self, name: &'static str) -> Option<(&'a Attribute, Value)> {
        self.known.insert(name);
        let attribute = self.body?.attribute(name)?;
        let value = eval::evaluate(&attribute.expr, &Constants, self.found);
        (!value.is_null() && value.as_unknown().is_none()).then_some((attribute, value))
    }

    fn wrong(&mut self, attribute: &Attribute, why: impl std::fmt::Display) {
        let name = &attribute.name.text;
        let detail = format!("The value of {name:?} cannot be used: {why}.");
        let span = attribute.expr.span;
        self.found.push(Diagnostic::error("Invalid value in gitops settings", detail).at(span));
    }

    /// A text.
    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        self.parsed(name, |it| Ok(it.to_owned()))
    }

    /// A text that has to be read.
    pub(super) fn parsed<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let (attribute, value) = self.value(name)?;
        let text = convert(&value, &Type::String).ok();
        let read = match text.as_ref().and_then(Value::as_str) {
            Some(text) => read(text),
            None => Err("it is not a text".to_owned()),
        };
        read.map_err(|why| self.wrong(attribute, why)).ok()
    }

    /// A list of texts that have to be read.
    pub(super) fn list<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let Some((attribute, value)) = self.value(name) else { return Vec::new() };
        let mut list = Vec::new();
        let Some(items) = value.as_slice() else {
            self.wrong(attribute, "it is not a list of texts");
            return list;
        };
        for item in items {
            match item
                .as_str()
                .ok_or_else(|| "it is not a list of texts".to_owned())
                .and_then(&read)
            {
                Ok(it) => list.push(it),
                Err(why) => self.wrong(attribute, why),
            }
        }
        list
    }

    /// A whole number, not below zero.
    pub(super) fn number(&mut self, name: &'static str) -> Option<u64> {
        let (attribute, value) = self.value(name)?;
        let number = value.as_number().and_then(plumb_model::value::Number::to_u64);
        if number.is_none() {
            self.wrong(attribute, "it is not a whole number");
        }
        number
    }

    /// Yes or no.
    pub(super) fn flag(&mut self, name: &'static str) -> Option<bool> {
        let (attribute, value) = self.value(name)?;
        if value.as_bool().is_none() {
            self.wrong(attribute, "it is neither true nor false");
        }
        value.as_bool()
    }

    /// The block of a kind, of which there may be one.
    pub(super) fn block(&mut self, kind: &'static str) -> Option<&'a Block> {
        self.known.insert(kind);
        let mut blocks = self.body?.blocks().filter(|it| &*it.kind.text == kind);
        let block = blocks.next()?;
        if let Some(second) = blocks.next() {
            let detail = format!("There may be one {kind:?} block only.");
            self.found.push(Diagnostic::error("Duplicate block", detail).at(second.kind.span));
        }
        Some(block)
    }

    /// What stands there besides.
    pub(super) fn end(self) {
        let Some(body) = self.body else { return };
        for it in body.attributes().filter(|it| !self.known.contains(&*it.name.text)) {
            let detail = format!("An argument named {:?} is not expected here.", &*it.name.text);
            self.found.push(Diagnostic::error("Unsupported argument", detail).at(it.name.span));
        }
        for it in body.blocks().filter(|it| !self.known.contains(&*it.kind.text)) {
            let detail = format!("Blocks of type {:?} are not expected here.", &*it.kind.text);
            self.found.push(Diagnostic::error("Unsupported block type", detail).at(it.kind.span));
        }
    }
}
