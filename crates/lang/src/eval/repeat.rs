//! `count` and `for_each`: which instances there are.

use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_model::value::{Marks, Type, Value, convert};

use super::expr::{AsArc, Eval, Scope};
use super::{Names, message};
use crate::syntax::Expr;

/// Which instances a block has.
#[derive(Clone, Debug, PartialEq)]
pub enum Instances {
    /// One, without a key.
    One,
    /// So many, numbered from 0.
    Count(u64),
    /// One for each key, in the order of keys, with what `each.value` is.
    Each(Arc<[(Arc<str>, Value)]>),
    /// It cannot be told yet, or a mistake was reported.
    Unknown,
}

/// What to do when the instances depend on something unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenUnknown {
    /// Report it: planning needs to know.
    Refuse,
    /// Say [`Instances::Unknown`].
    Keep,
}

/// The instances that a `count` argument asks for.
pub fn count(
    expr: &Expr,
    names: &dyn Names,
    when_unknown: WhenUnknown,
    diagnostics: &mut Diagnostics,
) -> Instances {
    let mut problem = Problem { summary: "Invalid count argument", expr, names, diagnostics };
    let Some(value) = problem.value() else { return Instances::Unknown };
    let value = match convert(&value, &Type::Number) {
        Ok(value) => value,
        Err(error) => {
            problem.summary = "Incorrect value type";
            return problem.found(format!("Invalid expression value: {}.", message(&error)));
        }
    };
    if value.is_null() {
        return problem
            .found("The given \"count\" argument value is null. An integer is required.".into());
    }
    if value.has_mark(Marks::EPHEMERAL) {
        return problem.found(
            "The given \"count\" value is derived from an ephemeral value, which means that it \
             cannot be kept between planning and applying. Use only non-ephemeral values to \
             specify a resource's instance count."
                .into(),
        );
    }
    let Some(number) = value.as_number() else {
        return problem.unknown(
            when_unknown,
            "The \"count\" value depends on resource attributes that cannot be determined until \
             apply, so the number of instances cannot be predicted. To work around this, use the \
             -target argument to first apply only the resources that the count depends on.",
        );
    };
    if number.is_negative() {
        return problem.found(
            "The given \"count\" argument value is unsuitable: must be greater than or equal to \
             zero."
                .into(),
        );
    }
    match number.to_u64() {
        Some(count) => Instances::Count(count),
        None => problem.found(
            "The given \"count\" argument value is unsuitable: value must be a whole number, \
             between -9223372036854775808 and 9223372036854775807 inclusive."
                .into(),
        ),
    }
}

/// The instances that a `for_each` argument asks for.
pub fn for_each(
    expr: &Expr,
    names: &dyn Names,
    when_unknown: WhenUnknown,
    diagnostics: &mut Diagnostics,
) -> Instances {
    let mut problem = Problem { summary: "Invalid for_each argument", expr, names, diagnostics };
    let Some(value) = problem.value() else { return Instances::Unknown };
    if value.has_mark(Marks::EPHEMERAL) {
        return problem.found(
            "The given \"for_each\" value is derived from an ephemeral value, which means that it \
             cannot be kept between planning and applying. Use only non-ephemeral values to \
             specify a resource's instance keys."
                .into(),
        );
    }
    if value.has_mark(Marks::SENSITIVE) {
        return problem.found(
            "Sensitive values, or values derived from sensitive values, cannot be used as \
             for_each arguments. If used, the sensitive value could be exposed as a resource \
             instance key."
                .into(),
        );
    }
    let unsuitable = "The given \"for_each\" argument value is unsuitable: ";
    if value.is_null() {
        return problem.found(format!(
            "{unsuitable}the given \"for_each\" argument value is null. A map, or set of strings \
             is allowed."
        ));
    }
    let ty = value.ty();
    let is_set = matches!(ty, Type::Set(_));
    let unknown = if is_set { UNKNOWN_SET } else { UNKNOWN_MAP };
    if !matches!(ty, Type::Dynamic | Type::Set(_) | Type::Map(_) | Type::Object(_)) {
        return problem.found(format!(
            "{unsuitable}the \"for_each\" argument must be a map, or set of strings, and you have \
             provided a value of type {}.",
            ty.friendly_name()
        ));
    }
    if !value.is_known() {
        return problem.unknown(when_unknown, unknown);
    }
    if !is_set {
        let items = value.as_map().into_iter().flatten();
        return Instances::Each(items.map(|(key, value)| (key.clone(), value.clone())).collect());
    }
    if value.is_empty() {
        return Instances::Each([].into());
    }
    match ty.element() {
        Some(Type::String) => {}
        Some(Type::Dynamic) => return problem.unknown(when_unknown, unknown),
        elem => {
            problem.summary = "Invalid for_each set argument";
            let elem = elem.map_or_else(String::new, Type::friendly_name);
            return problem.found(format!(
                "{unsuitable}\"for_each\" supports maps and sets of strings, but you have \
                 provided a set containing type {elem}."
            ));
        }
    }
    if !value.is_wholly_known() {
        return problem.unknown(when_unknown, unknown);
    }
    if value.values().any(Value::is_null) {
        problem.summary = "Invalid for_each set argument";
        return problem
            .found(format!("{unsuitable}\"for_each\" sets must not contain null values."));
    }
    let keys = value.values().filter_map(|key| Some((key.as_arc()?, key.clone())));
    Instances::Each(keys.collect())
}

const UNKNOWN_SET: &str = "The \"for_each\" set includes values derived from resource attributes \
    that cannot be determined until apply, and so the full set of keys that will identify the \
    instances of this resource cannot be determined.\n\nWhen working with unknown values in \
    for_each, it's better to use a map value where the keys are defined statically in your \
    configuration and where only the values contain apply-time results.\n\nAlternatively, you \
    could use the -target planning option to first apply only the resources that the for_each \
    value depends on, and then apply a second time to fully converge.";

const UNKNOWN_MAP: &str = "The \"for_each\" map includes keys derived from resource attributes \
    that cannot be determined until apply, and so the full set of keys that will identify the \
    instances of this resource cannot be determined.\n\nWhen working with unknown values in \
    for_each, it's better to define the map keys statically in your configuration and place \
    apply-time results only in the map values.\n\nAlternatively, you could use the -target \
    planning option to first apply only the resources that the for_each value depends on, and \
    then apply a second time to fully converge.";

/// Somewhere to report to, about one argument.
struct Problem<'a> {
    summary: &'static str,
    expr: &'a Expr,
    names: &'a dyn Names,
    diagnostics: &'a mut Diagnostics,
}

impl Problem<'_> {
    fn value(&mut self) -> Option<Value> {
        let before = self.diagnostics.len();
        let mut eval = Eval::new(self.names, self.diagnostics);
        let value = eval.value(self.expr, Scope::NONE);
        (!eval.failed_since(before)).then_some(value)
    }

    fn found(&mut self, detail: String) -> Instances {
        let mut eval = Eval::new(self.names, self.diagnostics);
        let values = eval.values_of(&[self.expr], Scope::NONE, true);
        let diagnostic = Diagnostic::error(self.summary, detail).at(self.expr.span);
        self.diagnostics.push(Diagnostic { values, ..diagnostic });
        Instances::Unknown
    }

    fn unknown(&mut self, when: WhenUnknown, detail: &str) -> Instances {
        match when {
            WhenUnknown::Keep => Instances::Unknown,
            WhenUnknown::Refuse => self.found(detail.into()),
        }
    }
}
