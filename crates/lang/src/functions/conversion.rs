//! Explicit conversions, and putting marks on and off.

use plumb_model::value::{Marks, Type, Value, can_convert, convert};

use super::arguments::any;
use super::{Function, Kind, Outcome, Param, Returns, blame};

const VALUE: &[Param] = &[any("value").anything()];
const V: &[Param] = &[any("v").anything()];

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("tostring", V, None, Returns::Always(Kind::String), |a| to(a, &Type::String)),
    Function::new("tonumber", V, None, Returns::Always(Kind::Number), |a| to(a, &Type::Number)),
    Function::new("tobool", V, None, Returns::Always(Kind::Bool), |a| to(a, &Type::Bool)),
    Function::new("tolist", V, None, Returns::Always(Kind::List), |a| to(a, &Kind::List.ty())),
    Function::new("toset", V, None, Returns::Always(Kind::Set), |a| to(a, &Kind::Set.ty())),
    Function::new("tomap", V, None, Returns::From(|_| Type::map(Type::Dynamic)), |a| {
        to(a, &Type::map(Type::Dynamic))
    }),
    Function::new("sensitive", VALUE, None, Returns::From(|a| a[0].ty()), |a| {
        Ok(a[0].clone().sensitive())
    }),
    Function::new("nonsensitive", VALUE, None, Returns::From(|a| a[0].ty()), |a| {
        let (value, marks) = a[0].clone().unmark();
        Ok(value.with_marks(marks.without(Marks::SENSITIVE)))
    }),
    Function::new("issensitive", VALUE, None, Returns::Always(Kind::Bool), |a| {
        Ok(if a[0].has_mark(Marks::SENSITIVE) {
            Value::TRUE
        } else if a[0].is_known() {
            Value::FALSE
        } else {
            // It may become sensitive.
            Value::unknown(Type::Bool).refine_not_null()
        })
    }),
    Function::new("ephemeralasnull", VALUE, None, Returns::From(|a| a[0].ty()), |a| {
        Ok(ephemeral_as_null(&a[0]))
    }),
];

fn to(args: &[Value], ty: &Type) -> Outcome {
    let value = &args[0];
    let from = value.ty();
    let (from_name, to_name) = (from.friendly_name(), ty.friendly_name_for_constraint());
    if !can_convert(&from, ty) {
        return blame(0, format!("cannot convert {from_name} to {to_name}"));
    }
    convert(value, ty).or_else(|error| {
        let hidden = value.has_mark(Marks::SENSITIVE);
        let message = match (value.as_str(), ty) {
            (Some(_), Type::Bool) if hidden => {
                "cannot convert this sensitive string to bool".to_owned()
            }
            (Some(_), Type::Number) if hidden => {
                "cannot convert this sensitive string to number".to_owned()
            }
            (Some(text), Type::Bool) => format!(
                "cannot convert {text:?} to bool; only the strings \"true\" or \"false\" are allowed"
            ),
            (Some(text), Type::Number) => format!(
                "cannot convert {text:?} to number; given string must be a decimal representation of a number"
            ),
            _ => format!("cannot convert {from_name} to {to_name}: {}", error.message),
        };
        blame(0, message)
    })
}

fn ephemeral_as_null(value: &Value) -> Value {
    if value.has_mark(Marks::EPHEMERAL) {
        let kept = value.marks().without(Marks::EPHEMERAL);
        return Value::null(value.ty()).with_marks(kept);
    }
    if !value.has_mark_deep(Marks::EPHEMERAL) {
        return value.clone();
    }
    value.map_items(ephemeral_as_null)
}
