//! A tree as text, for tests.

use std::fmt::Write;

use super::super::*;

/// A body, an item a line.
pub(super) fn body(body: &Body, indent: usize, out: &mut String) {
    for item in &body.items {
        let _ = write!(out, "{:indent$}", "");
        match item {
            Item::Attribute(it) => {
                let _ = writeln!(out, "{} = {}", it.name.text, expr(&it.expr));
            }
            Item::Block(it) => {
                out.push_str(&it.kind.text);
                for label in &it.labels {
                    let _ = match label.quoted {
                        true => write!(out, " {:?}", &*label.text),
                        false => write!(out, " {}", label.text),
                    };
                }
                out.push_str(":\n");
                self::body(&it.body, indent + 2, out);
            }
        }
    }
}

/// An expression with every nesting in parentheses.
pub(super) fn expr(it: &Expr) -> String {
    match &it.kind {
        ExprKind::Invalid => "INVALID".to_owned(),
        ExprKind::Null => "null".to_owned(),
        ExprKind::Bool(it) => it.to_string(),
        ExprKind::Number(it) => it.to_string(),
        ExprKind::String(it) => format!("{it:?}"),
        ExprKind::Template(it) => format!("template({})", parts(&it.parts)),
        ExprKind::Wrap(it) => format!("wrap({})", expr(it)),
        ExprKind::Traversal(it) => format!("{}{}", it.root.text, steps(&it.steps)),
        ExprKind::Access(it) => {
            let mut out = format!("({})", expr(&it.base));
            for step in &it.steps {
                out += &match step {
                    AccessStep::Step(it) => steps(std::slice::from_ref(it)),
                    AccessStep::Index { key, .. } => format!("[({})]", expr(key)),
                    AccessStep::AttrSplat { each, .. } => format!(".*({})", steps(each)),
                    AccessStep::FullSplat { .. } => "[*]".to_owned(),
                };
            }
            out
        }
        ExprKind::Call(it) => {
            let expand = if it.expand { "..." } else { "" };
            format!("{}({}{expand})", it.name.text, list(&it.args))
        }
        ExprKind::Paren(it) => format!("paren({})", expr(it)),
        ExprKind::Unary(it) => format!("({}{})", it.op.symbol(), expr(&it.operand)),
        ExprKind::Binary(it) => {
            let mut out = format!("({}", expr(&it.first));
            for it in &it.rest {
                let _ = write!(out, " {} {}", it.op.symbol(), expr(&it.operand));
            }
            out + ")"
        }
        ExprKind::Conditional(it) => {
            format!("({} ? {} : {})", expr(&it.condition), expr(&it.yes), expr(&it.no))
        }
        ExprKind::Tuple(it) => format!("[{}]", list(it)),
        ExprKind::Object(items) => {
            let items = items.iter().map(|it| {
                let key = match &it.key {
                    ObjectKey::Name(name) => name.text.to_string(),
                    ObjectKey::Expr(key) => format!("({})", expr(key)),
                };
                format!("{key} = {}", expr(&it.value))
            });
            format!("{{{}}}", items.collect::<Vec<_>>().join(", "))
        }
        ExprKind::For(it) => {
            let key_var = it.key_var.iter().map(|it| format!("{}, ", it.text)).collect::<String>();
            let key = it.key.iter().map(|it| format!("{} => ", expr(it))).collect::<String>();
            let group = if it.group { "..." } else { "" };
            let condition = it.condition.iter().map(|it| format!(" if {}", expr(it)));
            format!(
                "for({key_var}{} in {}: {key}{}{group}{})",
                it.value_var.text,
                expr(&it.collection),
                expr(&it.value),
                condition.collect::<String>()
            )
        }
    }
}

fn list(all: &[Expr]) -> String {
    all.iter().map(expr).collect::<Vec<_>>().join(", ")
}

fn steps(all: &[Step]) -> String {
    let one = |it: &Step| match &it.kind {
        StepKind::Attr(it) => format!(".{it}"),
        StepKind::Key(it) => format!("[{it:?}]"),
        StepKind::Number(it) => format!("[{it}]"),
        StepKind::Legacy(it) => format!(".[{it}]"),
    };
    all.iter().map(one).collect()
}

fn parts(all: &[Part]) -> String {
    let one = |it: &Part| match it {
        Part::Literal { text, .. } => format!("{text:?}"),
        Part::Interpolation { expr: it, .. } => expr(it),
        Part::If(it) => {
            format!("if {} {{{}}} else {{{}}}", expr(&it.condition), parts(&it.yes), parts(&it.no))
        }
        Part::For(it) => {
            let key_var = it.key_var.iter().map(|it| format!("{}, ", it.text)).collect::<String>();
            format!(
                "for {key_var}{} in {} {{{}}}",
                it.value_var.text,
                expr(&it.collection),
                parts(&it.body)
            )
        }
    };
    all.iter().map(one).collect::<Vec<_>>().join(" ")
}
