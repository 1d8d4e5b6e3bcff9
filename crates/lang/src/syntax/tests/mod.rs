//! The syntax, seen from outside.

mod diagnostics;
mod expressions;
mod print;
mod properties;
mod templates;

use expect_test::Expect;
use plumb_diag::{FileId, Sources};

use super::*;

/// The tree and then the diagnostics of `text`.
fn body_text(text: &str) -> String {
    let mut sources = Sources::default();
    let file = sources.add("main.tf", text);
    let parse = parse(file, text);
    let mut out = String::new();
    print::body(&parse.body, 0, &mut out);
    out + &diagnostics_text(&sources, &parse.diagnostics)
}

/// Summaries and where they point.
fn diagnostics_text(sources: &Sources, all: &Diagnostics) -> String {
    all.iter()
        .map(|it| {
            let (start, end) = sources.range(it.span.expect("a place")).expect("in this text");
            let (line, column) = (start.line, start.column);
            format!("! {line}:{column}-{}:{} {}\n", end.line, end.column, it.summary)
        })
        .collect()
}

fn check(text: &str, expect: Expect) {
    expect.assert_eq(&body_text(text));
}

/// Every line of `text` is an expression.
fn check_lines(text: &str, expect: Expect) {
    let mut out = String::new();
    for line in text.lines().map(str::trim).filter(|it| !it.is_empty()) {
        let mut sources = Sources::default();
        let file = sources.add("main.tf", line);
        let parse = parse_expression(file, line, 0);
        out += &print::expr(&parse.expr);
        out += "\n";
        out += &diagnostics_text(&sources, &parse.diagnostics);
    }
    expect.assert_eq(&out);
}

#[test]
fn bodies() {
    check(
        "\u{feff}# first\na = 1 // one\n/* two */ b = 2\r\n\r\n\
         block \"l\\\"1\" l2 {\n  c = 3\n  empty {}\n  one { d = 4 }\n  # last\n}\n",
        expect_test::expect![[r#"
            a = 1
            b = 2
            block "l\"1" l2:
              c = 3
              empty:
              one:
                d = 4
        "#]],
    );
    check("", expect_test::expect![""]);
    check(
        "a = 1",
        expect_test::expect![[r#"
        a = 1
    "#]],
    );
    check(
        "b {}",
        expect_test::expect![[r#"
        b:
    "#]],
    );
}

#[test]
fn line_breaks_mean_nothing_in_brackets() {
    check(
        "a = (\n1\n+\n2\n)\nb = [\n1 # x\n,\n2,\n]\nc = f(\n1,\n2\n)\nd = x[\n0\n]\n\
         e = {\n\n a = 1\n b = 2, c = 3\n\n d = (\n4\n)\n}\nf = [\nfor x in y :\nx\n]\n\
         g = {\nfor k, v in y :\nk => v...\nif v\n}\n",
        expect_test::expect![[r#"
            a = paren((1 + 2))
            b = [1, 2]
            c = f(1, 2)
            d = x[0]
            e = {a = 1, b = 2, c = 3, d = paren(4)}
            f = for(x in y: x)
            g = for(k, v in y: k => v... if v)
        "#]],
    );
}

#[test]
fn spans_cover_what_they_name() {
    let text = "r \"a\" b {\n  x = foo(1, [y.z[0], \"s${t}\"]) + -u.*.v[*]\n}\n";
    let parse = parse(FileId::default(), text);
    let Item::Block(block) = &parse.body.items[0] else { panic!("a block") };
    let slice = |it: Span| &text[it.start as usize..it.end as usize];
    assert_eq!(slice(block.header_span()), "r \"a\" b");
    assert_eq!(slice(block.span()), text.trim_end());
    assert_eq!(slice(block.body.span), &text[8..text.len() - 1]);
    let attribute = block.body.attribute("x").expect("x");
    assert_eq!(slice(attribute.span()), "x = foo(1, [y.z[0], \"s${t}\"]) + -u.*.v[*]");
    let ExprKind::Binary(sum) = &attribute.expr.kind else { panic!("a sum") };
    assert_eq!(slice(sum.first.span), "foo(1, [y.z[0], \"s${t}\"])");
    let ExprKind::Call(call) = &sum.first.kind else { panic!("a call") };
    assert_eq!(slice(call.args[1].span), "[y.z[0], \"s${t}\"]");
    assert_eq!(slice(sum.rest[0].operand.span), "-u.*.v[*]");
}

#[test]
fn traversals() {
    let read = |text: &str| {
        let (found, diagnostics) = parse_traversal(FileId::default(), text);
        match found {
            Some(it) => {
                assert!(diagnostics.is_empty(), "{text}");
                let kind = ExprKind::Traversal(Box::new(it));
                print::expr(&Expr { kind, span: Span::default() })
            }
            None => diagnostics[0].summary.clone(),
        }
    };
    assert_eq!(read("module.a[\"k\"].b.c[0].1"), "module.a[\"k\"].b.c[0].[1]");
    assert_eq!(read(""), "Variable name required");
    assert_eq!(read("a."), "Attribute name required");
    assert_eq!(read("a[b]"), "Index value required");
    assert_eq!(read("a[\"${b}\"]"), "Index value required");
    assert_eq!(read("a[0"), "Unclosed index brackets");
    assert_eq!(read("a b"), "Invalid character");
    assert_eq!(read("a[*]"), "Index value required");
}
