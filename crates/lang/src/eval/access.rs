//! Steps into values: attributes, indices, splats.

use plumb_diag::{Diagnostic, Span};
use plumb_model::value::{Marks, Number, Type, Value, ValueKind, convert};

use super::expr::{Eval, Scope, literal};
use super::message;
use crate::syntax::{Access, AccessStep, Expr, NESTING_MAX, Step, StepKind};

/// A value, or what is wrong with the step.
type Stepped = Result<Value, Box<Diagnostic>>;

/// `value.name`, as the language has it, at `span`.
pub fn get_attr(value: &Value, name: &str, span: Span) -> Stepped {
    let marked = |it: Value| Ok(it.with_marks(value.marks()));
    let unsupported =
        |detail: String| Err(Box::new(Diagnostic::error("Unsupported attribute", detail).at(span)));
    let no_attribute =
        || unsupported(format!("This object does not have an attribute named {name:?}."));
    let missing = || {
        let detail = format!("This map does not have an element with the key {name:?}.");
        Err(Box::new(Diagnostic::error("Missing map element", detail).at(span)))
    };
    match value.kind() {
        ValueKind::Null(_) => Err(Box::new(
            Diagnostic::error(
                "Attempt to get attribute from null value",
                "This value is null, so it does not have any attributes.",
            )
            .at(span),
        )),
        ValueKind::Object(_) => match value.get_attr(name) {
            Some(it) => marked(it.clone()),
            None => no_attribute(),
        },
        ValueKind::Map(_) => match value.get_attr(name) {
            Some(it) => marked(it.clone()),
            None => missing(),
        },
        ValueKind::Unknown(unknown) => match &unknown.ty {
            Type::Dynamic => marked(Value::dynamic()),
            Type::Map(elem) => marked(Value::unknown((**elem).clone())),
            Type::Object(object) => match object.attrs.get(name) {
                Some(ty) => marked(Value::unknown(ty.clone())),
                None => no_attribute(),
            },
            ty => unsupported(no_attributes(ty, name)),
        },
        _ => unsupported(no_attributes(&value.ty(), name)),
    }
}

/// Why values of a type have no attribute.
fn no_attributes(ty: &Type, name: &str) -> String {
    let has = |elem: &Type| elem.attribute(name).is_some();
    match ty {
        Type::Bool | Type::Number | Type::String => {
            format!("Can't access attributes on a primitive-typed value ({}).", ty.friendly_name())
        }
        Type::List(elem) if has(elem) => format!(
            "Can't access attributes on a list of objects. Did you mean to access attribute \
             {name:?} for a specific element of the list, or across all elements of the list?"
        ),
        Type::List(elem) if matches!(**elem, Type::Object(_)) => "Can't access attributes on a \
             list of objects. Did you mean to access an attribute for a specific element of the \
             list, or across all elements of the list?"
            .into(),
        Type::Set(elem) if has(elem) => format!(
            "Can't access attributes on a set of objects. Did you mean to access attribute \
             {name:?} across all elements of the set?"
        ),
        Type::Set(elem) if matches!(**elem, Type::Object(_)) => "Can't access attributes on a set \
             of objects. Did you mean to access an attribute across all elements of the set?"
            .into(),
        _ => "This value does not have any attributes.".into(),
    }
}

/// `value[key]`, as the language has it, at `span`.
pub fn index(value: &Value, key: &Value, span: Span) -> Stepped {
    if value.is_null() {
        let detail = "This value is null, so it does not have any indices.";
        return Err(Box::new(Diagnostic::error("Attempt to index null value", detail).at(span)));
    }
    if key.is_null() {
        return invalid(span, "Can't use a null value as an indexing key.".into());
    }
    let marks = value.marks() | key.marks();
    let marked = |it: Value| Ok(it.with_marks(marks));
    // The common cases, without looking at types.
    match (value.kind(), key.kind()) {
        (ValueKind::List(_) | ValueKind::Tuple(_), ValueKind::Number(number)) => {
            if let Some(it) = number.to_usize().and_then(|at| value.get_index(at)) {
                return marked(it.clone());
            }
        }
        (ValueKind::Map(_) | ValueKind::Object(_), ValueKind::String(name)) => {
            if let Some(it) = value.get_attr(name) {
                return marked(it.clone());
            }
        }
        _ => {}
    }
    let key_unknown_type = key.as_unknown().is_some_and(|it| it.ty == Type::Dynamic);
    let ty = value.ty();
    let wanted = match &ty {
        Type::List(_) | Type::Tuple(_) => Type::Number,
        Type::Map(_) | Type::Object(_) => Type::String,
        Type::Dynamic => return marked(Value::dynamic()),
        _ if key_unknown_type => return marked(Value::dynamic()),
        Type::Set(_) => {
            let detail = "Elements of a set are identified only by their value and don't have any \
                separate index or key to select with, so it's only possible to perform operations \
                across all elements of the set.";
            return invalid(span, detail.into());
        }
        Type::Bool | Type::Number | Type::String => {
            return invalid(span, "This value does not have any indices.".into());
        }
    };
    if key_unknown_type {
        return marked(Value::dynamic());
    }
    let was_number = key.as_number().is_some();
    let key = match convert(key, &wanted) {
        Ok(key) => key,
        Err(error) => return invalid(span, format!("{NOTHING_THERE}: {}.", message(&error))),
    };
    match &ty {
        Type::List(elem) | Type::Map(elem) if !value.is_known() || !key.is_known() => {
            marked(Value::unknown((**elem).clone()))
        }
        _ if !key.is_known() => marked(Value::dynamic()),
        Type::Tuple(elems) if !value.is_known() => {
            match key.as_number().and_then(Number::to_usize).and_then(|at| elems.get(at)) {
                Some(elem) => marked(Value::unknown(elem.clone())),
                None => no_index(value, &key, span),
            }
        }
        Type::Object(object) if !value.is_known() => {
            match key.as_str().and_then(|name| object.attrs.get(name)) {
                Some(elem) => marked(Value::unknown(elem.clone())),
                None => no_key(was_number, span),
            }
        }
        Type::List(_) | Type::Tuple(_) => {
            match key.as_number().and_then(Number::to_usize).and_then(|at| value.get_index(at)) {
                Some(it) => marked(it.clone()),
                None => no_index(value, &key, span),
            }
        }
        Type::Object(_) => match key.as_str().and_then(|name| value.get_attr(name)) {
            Some(it) => marked(it.clone()),
            None => no_key(was_number, span),
        },
        _ => match key.as_str().and_then(|name| value.get_attr(name)) {
            Some(it) => marked(it.clone()),
            None => no_key(false, span),
        },
    }
}

const NOTHING_THERE: &str = "The given key does not identify an element in this collection value";

fn invalid(span: Span, detail: String) -> Stepped {
    Err(Box::new(Diagnostic::error("Invalid index", detail).at(span)))
}

fn no_key(was_number: bool, span: Span) -> Stepped {
    let more = if was_number {
        " An object only supports looking up attributes by name, not by numeric index."
    } else {
        ""
    };
    invalid(span, format!("{NOTHING_THERE}.{more}"))
}

fn no_index(value: &Value, key: &Value, span: Span) -> Stepped {
    let number = key.as_number();
    if number.is_some_and(|it| !it.is_integer()) {
        invalid(
            span,
            format!(
                "{NOTHING_THERE}: indexing a sequence requires a whole number, but the given index \
             has a fractional part."
            ),
        )
    } else if number.is_some_and(Number::is_negative) {
        invalid(
            span,
            format!("{NOTHING_THERE}: a negative number is not a valid index for a sequence."),
        )
    } else if value.is_empty() {
        invalid(span, format!("{NOTHING_THERE}: the collection has no elements."))
    } else {
        invalid(span, format!("{NOTHING_THERE}."))
    }
}

/// One constant step.
fn step(value: &Value, step: &Step) -> Stepped {
    match &step.kind {
        StepKind::Attr(name) => get_attr(value, name, step.span),
        StepKind::Key(key) => index(value, &literal(key), step.span),
        StepKind::Number(digits) | StepKind::Legacy(digits) => match Number::parse(digits) {
            Some(number) => index(value, &Value::number(number), step.span),
            None => invalid(step.span, format!("{NOTHING_THERE}.")),
        },
    }
}

/// Constant steps from a value.
pub(super) fn walk(mut value: Value, steps: &[Step]) -> Stepped {
    for it in steps {
        value = step(&value, it)?;
    }
    Ok(value)
}

/// Constant steps from a borrowed value: attributes are followed by reference as far as possible,
/// and only what is at the end is cloned.
pub(super) fn walk_local(start: &Value, steps: &[Step]) -> Stepped {
    let mut value = start;
    let mut marks = Marks::NONE;
    for (at, it) in steps.iter().enumerate() {
        let next = match &it.kind {
            StepKind::Attr(name) | StepKind::Key(name) => value.get_attr(name),
            StepKind::Number(_) | StepKind::Legacy(_) => None,
        };
        match next {
            Some(next) => {
                marks |= value.marks();
                value = next;
            }
            None => return walk(value.clone().with_marks(marks), &steps[at..]),
        }
    }
    Ok(value.clone().with_marks(marks))
}

impl Eval<'_> {
    /// Steps from any value.
    #[inline(never)]
    pub(super) fn access(&mut self, access: &Access, expr: &Expr, scope: Scope<'_>) -> Value {
        let splats = access.steps.iter().filter(|it| matches!(it, AccessStep::FullSplat { .. }));
        if splats.count() > NESTING_MAX {
            let detail = format!("At most {NESTING_MAX} splat operators can follow each other.");
            self.report(Diagnostic::error("Expression too deeply nested", detail).at(expr.span));
            return Value::dynamic();
        }
        let before = self.diagnostics.len();
        let base = self.value(&access.base, scope);
        if self.failed_since(before) {
            return Value::dynamic();
        }
        self.steps(base, &access.steps, access.base.span, expr, scope)
    }

    fn steps(
        &mut self,
        mut value: Value,
        steps: &[AccessStep],
        start: Span,
        expr: &Expr,
        scope: Scope<'_>,
    ) -> Value {
        let mut so_far = start;
        for (at, it) in steps.iter().enumerate() {
            let before = self.diagnostics.len();
            let result = match it {
                AccessStep::Step(it) => step(&value, it),
                AccessStep::Index { key, span } => {
                    let key = self.value(key, scope);
                    if self.failed_since(before) {
                        return Value::dynamic();
                    }
                    index(&value, &key, *span)
                }
                AccessStep::AttrSplat { each, span } => {
                    let source = so_far;
                    value = self.splat(value, source, *span, |eval, item, quiet| {
                        walk(item, each).unwrap_or_else(|diagnostic| {
                            eval.step_failed(*diagnostic, expr, scope, quiet)
                        })
                    });
                    if self.failed_since(before) {
                        return Value::dynamic();
                    }
                    so_far = start.to(it.span());
                    continue;
                }
                AccessStep::FullSplat { span } => {
                    let rest = &steps[at + 1..];
                    return self.splat(value, so_far, *span, |eval, item, _| {
                        if rest.is_empty() {
                            item
                        } else {
                            eval.steps(item, rest, *span, expr, scope)
                        }
                    });
                }
            };
            match result {
                Ok(next) => value = next,
                Err(diagnostic) => return self.step_failed(*diagnostic, expr, scope, false),
            }
            so_far = start.to(it.span());
        }
        value
    }

    fn step_failed(
        &mut self,
        diagnostic: Diagnostic,
        expr: &Expr,
        scope: Scope<'_>,
        quiet: bool,
    ) -> Value {
        if quiet {
            self.report(diagnostic);
        } else {
            self.fail(diagnostic, &[expr], scope);
        }
        Value::dynamic()
    }

    /// `value[*]` or `value.*`, with `each` applied to every element.
    fn splat(
        &mut self,
        value: Value,
        source: Span,
        marker: Span,
        mut each: impl FnMut(&mut Self, Value, bool) -> Value,
    ) -> Value {
        let (value, marks) = value.unmark();
        let sequence = match value.kind() {
            ValueKind::List(_) | ValueKind::Set(_) | ValueKind::Tuple(_) => true,
            ValueKind::Null(ty) => matches!(ty, Type::List(_) | Type::Set(_) | Type::Tuple(_)),
            ValueKind::Unknown(it) => match &it.ty {
                Type::Dynamic => return Value::dynamic().with_marks(marks),
                ty => matches!(ty, Type::List(_) | Type::Set(_) | Type::Tuple(_)),
            },
            _ => false,
        };
        if value.is_null() {
            if !sequence {
                return Value::tuple(Vec::new()).with_marks(marks);
            }
            let detail = "Splat expressions (with the * symbol) cannot be applied to null \
                sequences.";
            let place = source.to(marker);
            self.report(Diagnostic::error("Splat of null value", detail).at(source).within(place));
            return Value::dynamic();
        }
        if !sequence {
            // None of it, or one: nobody knows.
            if !value.is_known() && !value.is_definitely_not_null() {
                return Value::dynamic().with_marks(marks);
            }
            // Anything else stands for a tuple of itself. Its marks are its own.
            return Value::tuple(vec![each(self, value.with_marks(marks), false)]);
        }
        let elem = match value.kind() {
            ValueKind::Unknown(unknown) => match &unknown.ty {
                Type::Tuple(elems) => {
                    let items: Vec<Type> = (elems.iter())
                        .map(|ty| each(self, Value::unknown(ty.clone()), false).ty())
                        .collect();
                    return Value::unknown(Type::Tuple(items.into())).with_marks(marks);
                }
                Type::List(elem) | Type::Set(elem) => Some((**elem).clone()),
                _ => None,
            },
            ValueKind::List(_) | ValueKind::Set(_) => value.ty().element().cloned(),
            _ => None,
        };
        let Some(elem) = elem else {
            let items = value.values().map(|item| each(self, item.clone(), false)).collect();
            return Value::tuple(items).with_marks(marks);
        };
        if !value.is_known() {
            let item = each(self, Value::unknown(elem), false);
            return Value::unknown(Type::list(item.ty())).with_marks(marks);
        }
        // What becomes of an element whose value does not matter says the type of the list.
        let ty = match self.attempt(|eval| each(eval, Value::unknown(elem), true)) {
            Ok(item) => item.ty(),
            Err(_) => Type::Dynamic,
        };
        let items: Vec<Value> =
            value.values().map(|item| each(self, item.clone(), false)).collect();
        let uniform = !ty.has_dynamic()
            || items.first().is_some_and(|first| {
                let first = first.ty();
                items.iter().all(|item| item.ty() == first)
            });
        if items.is_empty() || uniform {
            Value::list(ty, items).with_marks(marks)
        } else {
            Value::tuple(items).with_marks(marks)
        }
    }
}
