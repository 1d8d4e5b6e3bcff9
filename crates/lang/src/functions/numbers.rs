//! Functions of numbers.

use plumb_model::value::{Number, Type, Value};

use super::arguments::{any, int, int_blamed, num, number};
use super::{Function, Kind, Outcome, Returns, blame, fail};

const RESULT: Returns = Returns::Always(Kind::Number);

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("abs", &[number("num")], None, RESULT, |args| Ok(num(args, 0).abs().into())),
    Function::new("ceil", &[number("num")], None, RESULT, |args| Ok(num(args, 0).ceil().into())),
    Function::new("floor", &[number("num")], None, RESULT, |args| Ok(num(args, 0).floor().into())),
    Function::new("log", &[number("num"), number("base")], None, RESULT, log),
    Function::new("pow", &[number("num"), number("power")], None, RESULT, |args| {
        finite(num(args, 0).pow(num(args, 1)))
    }),
    Function::new("signum", &[number("num")], None, RESULT, |args| {
        Ok(Value::number(int(args, 0)?.signum()))
    }),
    Function::new("max", &[], Some(number("numbers")), RESULT, |args| extreme(args, Number::gt)),
    Function::new("min", &[], Some(number("numbers")), RESULT, |args| extreme(args, Number::lt)),
    Function::new("parseint", &[any("number"), number("base")], None, RESULT, parse_int),
    Function::new("sum", &[any("list").partial()], None, RESULT, sum),
    Function::new("range", &[], Some(number("params")), Returns::Always(Kind::Numbers), range),
];

fn log(args: &[Value]) -> Outcome {
    let ratio = num(args, 0).to_f64().ln() / num(args, 1).to_f64().ln();
    finite(Number::from_f64(ratio))
}

fn finite(number: Option<Number>) -> Outcome {
    match number {
        Some(number) => Ok(number.into()),
        None => fail("the result is not a number"),
    }
}

fn extreme(args: &[Value], better: fn(&Number, &Number) -> bool) -> Outcome {
    let mut numbers = (0..args.len()).map(|i| num(args, i));
    let Some(first) = numbers.next() else {
        return fail("must pass at least one number");
    };
    Ok(numbers.fold(first, |best, n| if better(n, best) { n } else { best }).clone().into())
}

fn parse_int(args: &[Value]) -> Outcome {
    let Some(text) = args[0].as_str() else {
        return blame(
            0,
            format!("first argument must be a string, not {}", args[0].ty().friendly_name()),
        );
    };
    let base = int_blamed(args, 1).ok().and_then(|base| u32::try_from(base).ok());
    match base {
        Some(base @ 2..=62) => match Number::parse_int(text, base) {
            Some(number) => Ok(number.into()),
            None => blame(0, format!("cannot parse {text:?} as a base {base} integer")),
        },
        _ => blame(1, "base must be a whole number between 2 and 62 inclusive"),
    }
}

fn sum(args: &[Value]) -> Outcome {
    let Some(items) = args[0].as_slice() else {
        let ty = args[0].ty().friendly_name();
        return blame(0, format!("argument must be list, set, or tuple. Received {ty}"));
    };
    if items.is_empty() {
        return blame(0, "cannot sum an empty list");
    }
    let mut total = Number::ZERO;
    let mut unknown = false;
    for item in items {
        match plumb_model::value::convert(item, &Type::Number) {
            Ok(item) if !item.is_known() => unknown = true,
            Ok(item) if item.as_number().is_some() => {
                total = item.as_number().map_or_else(|| total.clone(), |n| total.add(n));
            }
            _ => return blame(0, "argument must be list, set, or tuple of number values"),
        }
    }
    Ok(if unknown { Value::unknown(Type::Number).refine_not_null() } else { total.into() })
}

fn range(args: &[Value]) -> Outcome {
    let param = |i: usize| num(args, i).clone();
    let step_towards = |start: &Number, end: &Number| {
        if end < start { Number::from(-1) } else { Number::ONE }
    };
    let (start, end, step) = match args.len() {
        1 => {
            let end = param(0);
            let step = step_towards(&Number::ZERO, &end);
            (Number::ZERO, end, step)
        }
        2 => (param(0), param(1), step_towards(&param(0), &param(1))),
        3 => (param(0), param(1), param(2)),
        _ => return fail("must have one, two, or three arguments"),
    };
    let down = step.is_negative();
    if down && end > start {
        return blame(2, "end must be less than start when step is negative");
    }
    if !down && end < start {
        return blame(2, "end must be greater than start when step is positive");
    }
    let mut items = Vec::new();
    let mut at = start;
    while if down { at > end } else { at < end } {
        if items.len() >= 1024 {
            return fail(
                "more than 1024 values were generated; either decrease the difference between \
                 start and end or use a smaller step",
            );
        }
        items.push(at.clone().into());
        at = at.add(&step);
    }
    Ok(Value::list(Type::Number, items))
}
