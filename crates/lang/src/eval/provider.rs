//! The functions of the built-in provider: `provider::terraform::encode_tfvars` and its kin.

use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics, FileId, SourceFile};
use plumb_model::value::{Marks, Refinements, Type, Value};

use super::call::{CallError, Signature, written_span};
use super::hcl::{is_identifier, write_attributes, write_value};
use super::{Constants, evaluate};
use crate::syntax::{Item, parse};

/// The functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ProviderFunction {
    DecodeTfvars,
    EncodeExpr,
    EncodeTfvars,
}

/// The function of that name, without the namespace.
pub(super) fn lookup(name: &str) -> Option<ProviderFunction> {
    match name {
        "decode_tfvars" => Some(ProviderFunction::DecodeTfvars),
        "encode_expr" => Some(ProviderFunction::EncodeExpr),
        "encode_tfvars" => Some(ProviderFunction::EncodeTfvars),
        _ => None,
    }
}

impl ProviderFunction {
    /// What it takes.
    pub(super) fn signature(self) -> Signature {
        let fixed: &'static [(&'static str, Type)] = match self {
            ProviderFunction::DecodeTfvars => &[("src", Type::String)],
            ProviderFunction::EncodeExpr | ProviderFunction::EncodeTfvars => {
                &[("value", Type::Dynamic)]
            }
        };
        Signature { fixed, variadic: None }
    }

    /// Calls it with converted arguments.
    pub(super) fn call(self, args: &[Value]) -> Result<Value, CallError> {
        let Some(arg) = args.first() else { return Ok(Value::dynamic()) };
        let marks: Marks = arg.marks_deep();
        if arg.is_null() {
            return Err(CallError::Arg(0, "argument must not be null".into()));
        }
        if !arg.is_wholly_known() {
            let later = match self {
                ProviderFunction::DecodeTfvars => Value::dynamic(),
                _ => Value::unknown_refined(Type::String, Refinements::not_null()),
            };
            return Ok(later.with_marks(marks));
        }
        let value = match self {
            ProviderFunction::DecodeTfvars => decode(arg.as_str().unwrap_or_default())?,
            ProviderFunction::EncodeExpr => {
                let mut out = String::new();
                write_value(arg, 0, &mut out);
                Value::from(out)
            }
            ProviderFunction::EncodeTfvars => encode(arg)?,
        };
        Ok(value.with_marks(marks))
    }
}

fn encode(value: &Value) -> Result<Value, CallError> {
    let Some(items) = value.as_map() else {
        return Err(CallError::Whole(
            "invalid value to encode: must be an object whose attribute names will become the \
             encoded variable names"
                .into(),
        ));
    };
    if let Some(name) = items.keys().find(|it| !is_identifier(it)) {
        return Err(CallError::Whole(format!(
            "invalid variable name {:?}: must be a valid identifier, per Terraform's rules for \
             input variable declarations",
            &**name
        )));
    }
    let mut out = String::new();
    write_attributes(value, 0, &mut out);
    Ok(Value::from(out))
}

fn decode(text: &str) -> Result<Value, CallError> {
    let file = SourceFile::new("<decode_tfvars argument>", text);
    let told = |what: &str, it: &Diagnostic| {
        let place = it.span.map_or_else(String::new, |it| written_span(&file, it));
        CallError::Whole(format!("{what}: {place}: {}; {}", it.summary, it.detail))
    };
    let parsed = parse(FileId::default(), text);
    if let Some(it) = parsed.diagnostics.iter().find(|it| it.is_error()) {
        return Err(told("invalid tfvars syntax", it));
    }
    let mut items: Vec<(Arc<str>, Value)> = Vec::new();
    for item in &parsed.body.items {
        let attribute = match item {
            Item::Attribute(it) => it,
            Item::Block(it) => {
                let summary = format!("Unexpected {:?} block", &*it.kind.text);
                let problem = Diagnostic::error(summary, "Blocks are not allowed here.");
                return Err(told("invalid tfvars content", &problem.at(it.kind.span)));
            }
        };
        let mut diagnostics = Diagnostics::new();
        let value = evaluate(&attribute.expr, &Constants, &mut diagnostics);
        if let Some(it) = diagnostics.iter().find(|it| it.is_error()) {
            let what = format!("invalid expression for variable {:?}", &*attribute.name.text);
            return Err(told(&what, it));
        }
        items.push((attribute.name.text.clone(), value));
    }
    Ok(Value::object(items))
}
