//! What an expression or a body refers to, without evaluating anything.

use std::sync::Arc;

use crate::syntax::{
    Access, AccessStep, Block, Body, Call, Expr, ExprKind, For, Ident, Item, ObjectKey, Part,
    Traversal,
};

/// Every traversal of a name of the scope, in source order. Variables of `for` expressions and
/// directives are not among them.
pub fn references(expr: &Expr) -> Vec<&Traversal> {
    let mut found = Vec::new();
    Visitor::new(&mut |it| found.push(it)).expr(expr);
    found
}

/// Every traversal of a name of the scope in a body and in the blocks inside. Iterators of
/// `dynamic` blocks are not among them.
pub fn body_references(body: &Body) -> Vec<&Traversal> {
    let mut found = Vec::new();
    Visitor::new(&mut |it| found.push(it)).body(body);
    found
}

/// Every function call in an expression, outermost first.
pub fn calls(expr: &Expr) -> Vec<&Call> {
    let mut found = Vec::new();
    let mut ignore = |_| {};
    let mut visitor = Visitor::new(&mut ignore);
    visitor.calls = Some(&mut found);
    visitor.expr(expr);
    found
}

/// Walks over expressions; knows which names are bound inside.
pub(super) struct Visitor<'e, 'f> {
    bound: Vec<Arc<str>>,
    left: usize,
    found: &'f mut dyn FnMut(&'e Traversal),
    calls: Option<&'f mut Vec<&'e Call>>,
}

impl<'e, 'f> Visitor<'e, 'f> {
    pub(super) fn new(found: &'f mut dyn FnMut(&'e Traversal)) -> Visitor<'e, 'f> {
        Visitor::limited(usize::MAX, found)
    }

    /// Stops after so many.
    pub(super) fn limited(left: usize, found: &'f mut dyn FnMut(&'e Traversal)) -> Visitor<'e, 'f> {
        Visitor { bound: Vec::new(), left, found, calls: None }
    }

    pub(super) fn body(&mut self, body: &'e Body) {
        for item in &body.items {
            match item {
                Item::Attribute(attribute) => self.expr(&attribute.expr),
                Item::Block(block) if &*block.kind.text == "dynamic" => self.dynamic(block),
                Item::Block(block) => self.body(&block.body),
            }
        }
    }

    fn dynamic(&mut self, block: &'e Block) {
        let iterator = super::dynamic::iterator(block);
        for item in &block.body.items {
            match item {
                Item::Attribute(it) if &*it.name.text == "iterator" => {}
                Item::Attribute(it) if &*it.name.text == "for_each" => self.expr(&it.expr),
                Item::Attribute(it) => self.with(iterator.clone(), |me| me.expr(&it.expr)),
                Item::Block(it) => self.with(iterator.clone(), |me| me.body(&it.body)),
            }
        }
    }

    pub(super) fn expr(&mut self, expr: &'e Expr) {
        if self.left == 0 {
            return;
        }
        match &expr.kind {
            ExprKind::Invalid
            | ExprKind::Null
            | ExprKind::Bool(_)
            | ExprKind::Number(_)
            | ExprKind::String(_) => {}
            ExprKind::Template(template) => self.parts(&template.parts),
            ExprKind::Wrap(inner) | ExprKind::Paren(inner) => self.expr(inner),
            ExprKind::Traversal(traversal) => self.traversal(traversal),
            ExprKind::Access(access) => self.access(access),
            ExprKind::Call(call) => {
                if let Some(calls) = &mut self.calls {
                    calls.push(call);
                }
                call.args.iter().for_each(|it| self.expr(it));
            }
            ExprKind::Unary(unary) => self.expr(&unary.operand),
            ExprKind::Binary(binary) => {
                self.expr(&binary.first);
                binary.rest.iter().for_each(|it| self.expr(&it.operand));
            }
            ExprKind::Conditional(it) => {
                self.expr(&it.condition);
                self.expr(&it.yes);
                self.expr(&it.no);
            }
            ExprKind::Tuple(items) => items.iter().for_each(|it| self.expr(it)),
            ExprKind::Object(items) => {
                for item in items {
                    if let ObjectKey::Expr(key) = &item.key {
                        self.expr(key);
                    }
                    self.expr(&item.value);
                }
            }
            ExprKind::For(it) => self.for_expr(it),
        }
    }

    fn traversal(&mut self, traversal: &'e Traversal) {
        if self.left > 0 && !self.bound.contains(&traversal.root.text) {
            self.left -= 1;
            (self.found)(traversal);
        }
    }

    fn access(&mut self, access: &'e Access) {
        self.expr(&access.base);
        for step in &access.steps {
            if let AccessStep::Index { key, .. } = step {
                self.expr(key);
            }
        }
    }

    fn for_expr(&mut self, it: &'e For) {
        self.expr(&it.collection);
        self.with(names(&it.key_var, &it.value_var), |me| {
            [&it.key, &it.condition].into_iter().flatten().for_each(|it| me.expr(it));
            me.expr(&it.value);
        });
    }

    fn parts(&mut self, parts: &'e [Part]) {
        for part in parts {
            match part {
                Part::Literal { .. } => {}
                Part::Interpolation { expr, .. } => self.expr(expr),
                Part::If(it) => {
                    self.expr(&it.condition);
                    self.parts(&it.yes);
                    self.parts(&it.no);
                }
                Part::For(it) => {
                    self.expr(&it.collection);
                    self.with(names(&it.key_var, &it.value_var), |me| me.parts(&it.body));
                }
            }
        }
    }

    fn with(&mut self, names: Vec<Arc<str>>, inside: impl FnOnce(&mut Self)) {
        let outer = self.bound.len();
        self.bound.extend(names);
        inside(self);
        self.bound.truncate(outer);
    }
}

fn names(key: &Option<Ident>, value: &Ident) -> Vec<Arc<str>> {
    key.iter().chain([value]).map(|it| it.text.clone()).collect()
}
