//! Tables: expression, and what it is. Names are a few fixed ones.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use expect_test::{Expect, expect};
use plumb_diag::{Diagnostic, Diagnostics, Sources};
use plumb_model::schema::{self, NestedBlock, Nesting, OnChange, Presence};
use plumb_model::value::{Refinements, Type, Value};

use super::*;
use crate::syntax::{parse, parse_expression};

struct Fixed(BTreeMap<&'static str, Value>);

impl Names for Fixed {
    fn resolve(&self, traversal: &Traversal) -> Result<(Value, usize), Box<Diagnostic>> {
        self.0
            .get(&*traversal.root.text)
            .map(|it| (it.clone(), 0))
            .ok_or_else(|| Box::new(Diagnostic::error("Unknown variable", "").at(traversal.span())))
    }
}

fn names() -> Fixed {
    let unknown = |ty| Value::unknown_refined(ty, Refinements::not_null());
    Fixed(BTreeMap::from([
        ("text", unknown(Type::String)),
        ("list", unknown(Type::list(Type::String))),
        ("flag", unknown(Type::Bool)),
        ("size", unknown(Type::Number)),
        ("any", Value::dynamic()),
        ("secret", Value::from("s3cr3t").sensitive()),
        (
            "o",
            Value::object([
                ("a", Value::from(1)),
                ("b", Value::object([("c", Value::from("x"))])),
                ("s", Value::from("hidden").sensitive()),
            ]),
        ),
        (
            "objects",
            Value::list(
                Type::Dynamic,
                vec![
                    Value::object([("id", Value::from("i1"))]),
                    Value::object([("id", Value::from("i2"))]),
                ],
            ),
        ),
        ("set", Value::set(Type::String, vec!["b".into(), "a".into()])),
        ("map", Value::map(Type::Number, [("x", Value::from(1)), ("y", Value::from(2))])),
        ("none", Value::null(Type::list(Type::String))),
    ]))
}

/// Every line evaluated: the value, then what was reported.
fn check(exprs: &str, expected: Expect) {
    let mut out = String::new();
    for line in exprs.lines().map(str::trim).filter(|it| !it.is_empty()) {
        let file = Sources::default().add("main.tf", line);
        let parsed = parse_expression(file, line, 0);
        let mut diagnostics = parsed.diagnostics;
        let value = evaluate(&parsed.expr, &names(), &mut diagnostics);
        if diagnostics.is_empty() {
            let _ = writeln!(out, "{line} => {value:?}");
        } else {
            let _ = writeln!(out, "{line}");
        }
        report(&diagnostics, line, &mut out);
    }
    expected.assert_eq(&out);
}

fn report(diagnostics: &[Diagnostic], text: &str, out: &mut String) {
    for it in diagnostics {
        let span = it.span.expect("every mistake has a place");
        let at = &text[span.start as usize..span.end as usize];
        let _ = write!(out, "    {} `{at}`: {}", it.summary, it.detail);
        if let Some(hint) = &it.hint {
            let _ = write!(out, " {hint}");
        }
        if !it.values.is_empty() {
            let _ = write!(out, " {:?}", it.values);
        }
        out.push('\n');
    }
}

#[test]
fn operators() {
    check(
        r#"
        1 + 2 * 3 - 4
        "5" + 1
        7 / 2
        -10 % 3
        5 % 0
        1 / 0
        0 / 0
        true + 1
        null + 1
        "a" < "b"
        "true" && false
        !"false"
        true || null
        true && "x"
        flag && false
        size + 1
        text == "x"
        text == null
        secret == "x"
        (flag ? 1 : 5) > 0
        1 == "1"
        [1] == [1]
        any + 1
        o.nope + o.a
        "#,
        expect![[r#"
            1 + 2 * 3 - 4 => 3
            "5" + 1 => 6
            7 / 2 => 3.5
            -10 % 3 => -1
            5 % 0 => 5
            1 / 0 => +Inf
            0 / 0
                Operation failed `0 / 0`: Error during operation: can't divide zero by zero or infinity by infinity.
            true + 1
                Invalid operand `true`: Unsuitable value for left operand: number required.
            null + 1
                Operation failed `null + 1`: Error during operation: argument must not be null.
            "a" < "b"
                Invalid operand `"a"`: Unsuitable value for left operand: a number is required.
                Invalid operand `"b"`: Unsuitable value for right operand: a number is required.
            "true" && false => false
            !"false" => true
            true || null
                Operation failed `true || null`: Error during operation: argument must not be null.
            true && "x"
                Invalid operand `"x"`: Unsuitable value for right operand: a bool is required.
            flag && false => unknown(bool, not null)
            size + 1 => unknown(number, not null)
            text == "x" => unknown(bool, not null)
            text == null => false
            secret == "x" => sensitive(false)
            (flag ? 1 : 5) > 0 => true
            1 == "1" => false
            [1] == [1] => true
            any + 1 => unknown(number, not null)
            o.nope + o.a
                Unsupported attribute `.nope`: This object does not have an attribute named "nope".
        "#]],
    );
}

#[test]
fn conditionals() {
    check(
        r#"
        true ? 1 : o.nope
        true ? "a" : 1
        false ? null : 5
        flag ? 1 : 1
        flag ? "a" : "b"
        null ? 1 : 2
        "x" ? 1 : 2
        any ? 1 : 2
        true ? [1] : {}
        true ? { a = 1 } : { b = "x", c = [] }
        secret == "x" ? 1 : 2
        true ? secret : "b"
        "#,
        expect![[r#"
            true ? 1 : o.nope => 1
            true ? "a" : 1 => "a"
            false ? null : 5 => 5
            flag ? 1 : 1 => 1
            flag ? "a" : "b" => unknown(string, not null)
            null ? 1 : 2
                Null condition `null`: The condition value is null. Conditions must either be true or false.
            "x" ? 1 : 2
                Incorrect condition type `"x"`: The condition expression must be of type bool.
            any ? 1 : 2 => unknown(number, not null, >= 1, <= 2)
            true ? [1] : {}
                Inconsistent conditional result types `[1] : {}`: The true and false result expressions must have consistent types. The 'true' value is tuple, but the 'false' value is object.
            true ? { a = 1 } : { b = "x", c = [] }
                Inconsistent conditional result types `{ a = 1 } : { b = "x", c = [] }`: The true and false result expressions must have consistent types. The 'true' value includes object attribute "a", which is absent in the 'false' value.
            secret == "x" ? 1 : 2 => sensitive(2)
            true ? secret : "b" => sensitive("s3cr3t")
        "#]],
    );
}

#[test]
fn steps() {
    check(
        r#"
        o.b.c
        o["b"].c
        o["b"]["c"]
        o[1]
        o.s
        o.nope
        map.x
        map.z
        map["z"]
        objects.id
        objects[0].id
        objects.1.id
        objects[5]
        objects[-1]
        objects[0.5]
        objects[*].id
        objects.*.id
        objects[*].nope
        [[{ a = [1, 2] }], []][*][*].a[0]
        o[*].a
        none[*]
        null[*]
        null.a
        none[0]
        set[0]
        set[*]
        "a".b
        "a"[0]
        text.a
        list[0]
        list[*]
        text[*]
        any.a.b[0]
        any[*].x
        o[text]
        [1, 2][size]
        [1][null]
        [][0]
        { "1" = "x" }[1]
        "#,
        expect![[r#"
            o.b.c => "x"
            o["b"].c => "x"
            o["b"]["c"] => "x"
            o[1]
                Invalid index `[1]`: The given key does not identify an element in this collection value. An object only supports looking up attributes by name, not by numeric index.
            o.s => sensitive("hidden")
            o.nope
                Unsupported attribute `.nope`: This object does not have an attribute named "nope".
            map.x => 1
            map.z
                Missing map element `.z`: This map does not have an element with the key "z".
            map["z"]
                Invalid index `["z"]`: The given key does not identify an element in this collection value.
            objects.id
                Unsupported attribute `.id`: Can't access attributes on a list of objects. Did you mean to access attribute "id" for a specific element of the list, or across all elements of the list?
            objects[0].id => "i1"
            objects.1.id => "i2"
            objects[5]
                Invalid index `[5]`: The given key does not identify an element in this collection value.
            objects[-1]
                Invalid index `[-1]`: The given key does not identify an element in this collection value: a negative number is not a valid index for a sequence.
            objects[0.5]
                Invalid index `[0.5]`: The given key does not identify an element in this collection value: indexing a sequence requires a whole number, but the given index has a fractional part.
            objects[*].id => list["i1", "i2"]
            objects.*.id => list["i1", "i2"]
            objects[*].nope
                Unsupported attribute `.nope`: This object does not have an attribute named "nope".
                Unsupported attribute `.nope`: This object does not have an attribute named "nope".
            [[{ a = [1, 2] }], []][*][*].a[0] => [[1], []]
            o[*].a => [1]
            none[*]
                Splat of null value `none`: Splat expressions (with the * symbol) cannot be applied to null sequences.
            null[*] => []
            null.a
                Attempt to get attribute from null value `.a`: This value is null, so it does not have any attributes.
            none[0]
                Attempt to index null value `[0]`: This value is null, so it does not have any indices.
            set[0]
                Invalid index `[0]`: Elements of a set are identified only by their value and don't have any separate index or key to select with, so it's only possible to perform operations across all elements of the set.
            set[*] => list["a", "b"]
            "a".b
                Unsupported attribute `.b`: Can't access attributes on a primitive-typed value (string).
            "a"[0]
                Invalid index `[0]`: This value does not have any indices.
            text.a
                Unsupported attribute `.a`: Can't access attributes on a primitive-typed value (string).
            list[0] => unknown(string)
            list[*] => unknown(list(string))
            text[*] => [unknown(string, not null)]
            any.a.b[0] => unknown(any)
            any[*].x => unknown(any)
            o[text] => unknown(any)
            [1, 2][size] => unknown(any)
            [1][null]
                Invalid index `[null]`: Can't use a null value as an indexing key.
            [][0]
                Invalid index `[0]`: The given key does not identify an element in this collection value: the collection has no elements.
            { "1" = "x" }[1] => "x"
        "#]],
    );
}

#[test]
fn loops_and_objects() {
    check(
        r#"
        [for x in [1, 2, 3] : x * 2 if x != 2]
        [for k, v in map : "${k}=${v}"]
        [for k, v in set : k == v]
        [for i, v in ["a"] : i]
        { for x in ["a", "b"] : x => x }
        { for x in ["a", "a"] : x => x }
        { for x in ["a", "a"] : x => x... }
        { for x in [1] : null => x }
        { for x in [1] : {} => x }
        [for x in null : x]
        [for x in "abc" : x]
        [for x in [1] : x if null]
        [for x in [1, 2] : x if "x"]
        [for x in [1, 2] : x.a]
        [for x in list : x]
        [for x in text : x]
        [for x in any : x]
        { for x in [text] : x => 1 }
        [for x in ["a"] : x if secret == "x"]
        [for o in [{ a = 5 }] : [for x in [1] : o.a + x]]
        { a = 1, "b" = 2, (secret) = 3, 4 = 5 }
        { (null) = 1 }
        { ([]) = 1 }
        { o.a = 1 }
        { (text) = 1 }
        { a = 1, a = 2 }
        "#,
        expect![[r#"
            [for x in [1, 2, 3] : x * 2 if x != 2] => [2, 6]
            [for k, v in map : "${k}=${v}"] => ["x=1", "y=2"]
            [for k, v in set : k == v] => [true, true]
            [for i, v in ["a"] : i] => [0]
            { for x in ["a", "b"] : x => x } => {a = "a", b = "b"}
            { for x in ["a", "a"] : x => x }
                Duplicate object key `x`: Two different items produced the key "a" in this 'for' expression. If duplicates are expected, use the ellipsis (...) after the value expression to enable grouping by key.
            { for x in ["a", "a"] : x => x... } => {a = ["a", "a"]}
            { for x in [1] : null => x }
                Invalid object key `null`: Key expression in 'for' expression must not produce a null value.
            { for x in [1] : {} => x }
                Invalid object key `{}`: The key expression produced an invalid result: string required.
            [for x in null : x]
                Iteration over null value `null`: A null value cannot be used as the collection in a 'for' expression.
            [for x in "abc" : x]
                Iteration over non-iterable value `"abc"`: A value of type string cannot be used as the collection in a 'for' expression.
            [for x in [1] : x if null]
                Condition is null `null`: The value of the 'if' clause must not be null.
            [for x in [1, 2] : x if "x"]
                Invalid 'for' condition `"x"`: The 'if' clause value is invalid: a bool is required.
            [for x in [1, 2] : x.a]
                Unsupported attribute `.a`: Can't access attributes on a primitive-typed value (number).
                Unsupported attribute `.a`: Can't access attributes on a primitive-typed value (number).
            [for x in list : x] => unknown(any)
            [for x in text : x]
                Iteration over non-iterable value `text`: A value of type string cannot be used as the collection in a 'for' expression.
            [for x in any : x] => unknown(any)
            { for x in [text] : x => 1 } => unknown(any)
            [for x in ["a"] : x if secret == "x"] => sensitive([])
            [for o in [{ a = 5 }] : [for x in [1] : o.a + x]] => [[6]]
            { a = 1, "b" = 2, (secret) = 3, 4 = 5 } => sensitive({4 = 5, a = 1, b = 2, s3cr3t = 3})
            { (null) = 1 }
                Null value as key `(null)`: Can't use a null value as a key.
            { ([]) = 1 }
                Incorrect key type `([])`: Can't use this value as a key: string required.
            { o.a = 1 }
                Ambiguous attribute key `o.a`: If this expression is intended to be a reference, wrap it in parentheses. If it's instead intended as a literal name containing periods, wrap it in quotes to create a string literal.
            { (text) = 1 } => unknown(any)
            { a = 1, a = 2 } => {a = 2}
        "#]],
    );
}

#[test]
fn templates() {
    check(
        r#"
        "a${1}b"
        "${[1]}"
        "a${[1]}"
        "a${null}"
        "pre-${text}-post"
        "a${secret}"
        "%{ if true }yes%{ else }no%{ endif }"
        "%{ if null }yes%{ endif }"
        "%{ for x in [1, 2] }${x},%{ endfor }"
        "%{ for k, v in map }${k}${v}%{ endfor }"
        "%{ for x in null }x%{ endfor }"
        "%{ if flag }a%{ endif }b"
        "#,
        expect![[r#"
            "a${1}b" => "a1b"
            "${[1]}" => [1]
            "a${[1]}"
                Invalid template interpolation value `[1]`: Cannot include the given value in a string template: string required.
            "a${null}"
                Invalid template interpolation value `null`: The expression result is null. Cannot include a null value in a string template.
            "pre-${text}-post" => unknown(string, not null, "pre-"…)
            "a${secret}" => sensitive("as3cr3t")
            "%{ if true }yes%{ else }no%{ endif }" => "yes"
            "%{ if null }yes%{ endif }"
                Null condition `null`: The condition value is null. Conditions must either be true or false.
            "%{ for x in [1, 2] }${x},%{ endfor }" => "1,2,"
            "%{ for k, v in map }${k}${v}%{ endfor }" => "x1y2"
            "%{ for x in null }x%{ endfor }"
                Iteration over null value `null`: A null value cannot be used as the collection in a 'for' expression.
            "%{ if flag }a%{ endif }b" => unknown(string, not null)
        "#]],
    );
}

#[test]
fn lazy_calls() {
    check(
        r#"
        try(o.nope, "x")
        try(o.a, "x")
        try(any, "x")
        try(text.nope, "x")
        try(o.nope, o.b.d)
        try()
        can(o.nope)
        can(o.a)
        can(text)
        can()
        can(1, 2)
        nope(1)
        tyr(1)
        a::b()
        provider::x::f()
        file(null)
        file()
        file("a", "b")
        file([])
        file(["a"]...)
        file(null...)
        timestamp()
        uuid()
        core::pathexpand("a")
        templatestring("x", {})
        templatestring(o.b.c, {})
        templatestring(o.b.c, [])
        "#,
        expect![[r#"
            try(o.nope, "x") => "x"
            try(o.a, "x") => 1
            try(any, "x") => unknown(any)
            try(text.nope, "x") => "x"
            try(o.nope, o.b.d)
                Error in function call `try(`: Call to function "try" failed: no expression succeeded:
            - Unsupported attribute
              This object does not have an attribute named "nope".
            - Unsupported attribute
              This object does not have an attribute named "d".

            At least one expression must produce a successful result. [("o.b", "is object with 1 attribute \"c\"")]
            try()
                Error in function call `try(`: Call to function "try" failed: at least one argument is required.
            can(o.nope) => false
            can(o.a) => true
            can(text) => unknown(bool, not null)
            can()
                Not enough function arguments `)`: Function "can" expects 1 argument(s). Missing value for "expression".
            can(1, 2)
                Too many function arguments `2`: Function "can" expects only 1 argument(s).
            nope(1)
                Call to unknown function `nope`: There is no function named "nope". Did you mean "one"?
            tyr(1)
                Call to unknown function `tyr`: There is no function named "tyr". Did you mean "try"?
            a::b()
                Unknown provider function `a::b`: The function namespace "a" is not valid. Provider function calls must use the "provider::" namespace prefix.
            provider::x::f()
                Unknown provider function `provider::x::f`: There is no function named "provider::x::f". Ensure that provider name "x" is declared in this module's required_providers block, and that this provider offers a function named "f".
            file(null)
                Invalid function argument `null`: Invalid value for "path" parameter: argument must not be null.
            file()
                Not enough function arguments `)`: Function "file" expects 1 argument(s). Missing value for "path".
            file("a", "b")
                Too many function arguments `"b"`: Function "file" expects only 1 argument(s).
            file([])
                Invalid function argument `[]`: Invalid value for "path" parameter: string required.
            file(["a"]...) => unknown(string, not null)
            file(null...)
                Invalid expanding argument value `null`: The expanding argument (indicated by ...) must not be null.
            timestamp() => unknown(string, not null)
            uuid() => unknown(string, not null)
            core::pathexpand("a") => "a"
            templatestring("x", {})
                Invalid function argument `"x"`: Invalid value for "template" parameter: invalid template expression: templatestring is only for rendering templates retrieved dynamically from elsewhere, and so does not support providing a literal template; consider using a template string expression instead.
            templatestring(o.b.c, {}) => "x"
            templatestring(o.b.c, [])
                Invalid function argument `[]`: Invalid value for "vars" parameter: invalid vars value: must be a map.
        "#]],
    );
}

#[test]
fn references_are_those_of_the_scope() {
    let text = r#"[for k, v in var.m : k + v.a + local.x[v.b].c if f(each.key)] + "${a.b}%{ for x in y.z }${x.q}${w}%{ endfor }""#;
    let file = Sources::default().add("main.tf", text);
    let parsed = parse_expression(file, text, 0);
    let found: Vec<String> = references(&parsed.expr)
        .into_iter()
        .map(|it| describe::written(it, it.steps.len()))
        .collect();
    assert_eq!(found, ["var.m", "each.key", "local.x", "a.b", "y.z", "w"]);
    let calls: Vec<_> = calls(&parsed.expr).iter().map(|it| it.name.text.clone()).collect();
    assert_eq!(calls, ["f".into()] as [Arc<str>; 1]);
}

fn attribute(ty: Type, presence: Presence) -> schema::Attribute {
    schema::Attribute::new(ty, presence)
}

fn block_of(
    attributes: &[(&str, schema::Attribute)],
    blocks: &[(&str, NestedBlock)],
) -> schema::Block {
    schema::Block::new(
        attributes.iter().map(|(name, it)| ((*name).into(), it.clone())).collect(),
        blocks.iter().map(|(name, it)| ((*name).into(), it.clone())).collect(),
    )
}

fn container() -> schema::Block {
    let nested = |nesting, min, max, attributes: &[(&str, schema::Attribute)]| NestedBlock {
        nesting,
        block: block_of(attributes, &[]),
        min,
        max,
        on_change: OnChange::Update,
    };
    let number = || attribute(Type::Number, Presence::Optional);
    block_of(
        &[
            ("id", attribute(Type::String, Presence::Computed)),
            ("image", attribute(Type::String, Presence::Required)),
            ("env", attribute(Type::set(Type::String), Presence::Optional)),
        ],
        &[
            (
                "ports",
                nested(
                    Nesting::List,
                    0,
                    2,
                    &[
                        ("internal", attribute(Type::Number, Presence::Required)),
                        ("external", number()),
                    ],
                ),
            ),
            ("labels", nested(Nesting::Set, 0, 0, &[("n", number())])),
            ("health", nested(Nesting::Single, 0, 1, &[("n", number())])),
            ("mount", nested(Nesting::Map, 0, 0, &[("n", number())])),
        ],
    )
}

/// A body checked, then evaluated.
fn check_body(text: &str, expected: Expect) {
    let file = Sources::default().add("main.tf", text);
    let parsed = parse(file, text);
    let mut diagnostics: Diagnostics = parsed.diagnostics;
    let schema = container();
    super::check(&parsed.body, &schema, &mut diagnostics);
    let value = body(&parsed.body, &schema, &names(), &mut diagnostics);
    let mut out = format!("{value:?}\n");
    report(&diagnostics, text, &mut out);
    expected.assert_eq(&out);
}

#[test]
fn bodies() {
    check_body(
        r#"
        image = "a"
        env   = ["X=1", text, 2]
        ports {
          internal = "80"
        }
        health {}
        mount "k" {
          n = 1
        }
        dynamic "ports" {
          for_each = [o.a]
          iterator = it
          content {
            internal = it.value
            external = it.key
          }
        }
        dynamic "labels" {
          for_each = map
          content {
            n = labels.value
          }
        }
        dynamic "mount" {
          for_each = map
          labels   = [mount.key]
          content {
            n = mount.value
          }
        }
        "#,
        expect![[r#"
            {env = set["2", "X=1", unknown(string, not null)], health = {n = null(number)}, id = null(string), image = "a", labels = set[{n = 1}, {n = 2}], mount = map{k = {n = 1}, x = {n = 1}, y = {n = 2}}, ports = list[{external = null(number), internal = 80}, {external = 0, internal = 1}]}
        "#]],
    );
}

#[test]
fn bodies_with_unknown_blocks() {
    check_body(
        r#"
        image = any
        dynamic "ports" {
          for_each = list
          content {
            internal = ports.key
          }
        }
        "#,
        expect![[r#"
            {env = null(set(string)), health = null(object({n=number})), id = null(string), image = unknown(string), labels = set[], mount = map{}, ports = unknown(list(object({external=number,internal=number})))}
        "#]],
    );
}

#[test]
fn wrong_bodies() {
    check_body(
        r#"
        imge = "a"
        id   = "x"
        env  = { a = 1 }
        port {}
        image {}
        ports "x" {
          internal = null
        }
        ports { internal = [] }
        ports { internal = 1 }
        health {}
        health {}
        mount {}
        dynamic "nope" {}
        dynamic "labels" {
          content {
            m = 1
          }
        }
        dynamic "labels" {
          for_each = null
          content {}
        }
        dynamic "ports" {
          for_each = [1, 2, 3]
          content { internal = 1 }
        }
        "#,
        expect![[r#"
            {env = unknown(set(string)), health = {n = null(number)}, id = "x", image = null(string), labels = unknown(set(object({n=number}))), mount = map{}, ports = list[{external = null(number), internal = null(number)}, {external = null(number), internal = unknown(number)}, {external = null(number), internal = 1}, {external = null(number), internal = 1}, {external = null(number), internal = 1}, {external = null(number), internal = 1}]}
                Unsupported argument `imge`: An argument named "imge" is not expected here. Did you mean "image"?
                Value for unconfigurable attribute `id`: Can't configure a value for "id": its value will be decided automatically based on the result of applying this configuration.
                Unsupported block type `port`: Blocks of type "port" are not expected here. Did you mean "ports"?
                Unsupported block type `image`: Blocks of type "image" are not expected here. Did you mean to define argument "image"? If so, use the equals sign to assign it a value.
                Extraneous label for ports `"x"`: No labels are expected for ports blocks.
                Missing key for mount `{`: All mount blocks must have 1 labels (key).
                Unsupported block type `"nope"`: Blocks of type "nope" are not expected here.
                Missing required argument ``: The argument "for_each" is required, but no definition was found.
                Unsupported argument `m`: An argument named "m" is not expected here. Did you mean "n"?
                Missing required argument ``: The argument "image" is required, but no definition was found.
                Duplicate health block `health`: Only one block of type "health" is allowed.
                Too many ports blocks `ports`: No more than 2 "ports" blocks are allowed
                Incorrect attribute value type `{ a = 1 }`: Inappropriate value for attribute "env": set of string required.
                Invalid dynamic for_each value `null`: Cannot use a null value in for_each.
                Missing required argument `null`: The argument "internal" is required, but no definition was found.
                Incorrect attribute value type `[]`: Inappropriate value for attribute "internal": number required.
                Too many ports blocks `dynamic "ports"`: No more than 2 "ports" blocks are allowed
        "#]],
    );
}

#[test]
fn repetition() {
    let mut out = String::new();
    for line in ["3", "\"2\"", "null", "-1", "1.5", "size", "secret", "[]", "o.nope"] {
        let parsed = parse_expression(Sources::default().add("main.tf", line), line, 0);
        let mut diagnostics = Diagnostics::new();
        let it = count(&parsed.expr, &names(), WhenUnknown::Refuse, &mut diagnostics);
        let _ = writeln!(out, "count = {line} => {it:?}");
        report(&diagnostics, line, &mut out);
    }
    let each = [
        "map",
        "set",
        "o",
        "{}",
        "null",
        "[]",
        "text",
        "any",
        "list",
        "secret",
        "{ for x in list : x => 1 }",
        "{ a = text }",
    ];
    for line in each {
        let parsed = parse_expression(Sources::default().add("main.tf", line), line, 0);
        let mut diagnostics = Diagnostics::new();
        let it = for_each(&parsed.expr, &names(), WhenUnknown::Refuse, &mut diagnostics);
        let _ = writeln!(out, "for_each = {line} => {it:?}");
        report(&diagnostics, line, &mut out);
    }
    expect![[r#"
        count = 3 => Count(3)
        count = "2" => Count(2)
        count = null => Unknown
            Invalid count argument `null`: The given "count" argument value is null. An integer is required.
        count = -1 => Unknown
            Invalid count argument `-1`: The given "count" argument value is unsuitable: must be greater than or equal to zero.
        count = 1.5 => Unknown
            Invalid count argument `1.5`: The given "count" argument value is unsuitable: value must be a whole number, between -9223372036854775808 and 9223372036854775807 inclusive.
        count = size => Unknown
            Invalid count argument `size`: The "count" value depends on resource attributes that cannot be determined until apply, so the number of instances cannot be predicted. To work around this, use the -target argument to first apply only the resources that the count depends on.
        count = secret => Unknown
            Incorrect value type `secret`: Invalid expression value: a number is required.
        count = [] => Unknown
            Incorrect value type `[]`: Invalid expression value: number required.
        count = o.nope => Unknown
            Unsupported attribute `.nope`: This object does not have an attribute named "nope".
        for_each = map => Each([("x", 1), ("y", 2)])
        for_each = set => Each([("a", "a"), ("b", "b")])
        for_each = o => Each([("a", 1), ("b", {c = "x"}), ("s", sensitive("hidden"))])
        for_each = {} => Each([])
        for_each = null => Unknown
            Invalid for_each argument `null`: The given "for_each" argument value is unsuitable: the given "for_each" argument value is null. A map, or set of strings is allowed.
        for_each = [] => Unknown
            Invalid for_each argument `[]`: The given "for_each" argument value is unsuitable: the "for_each" argument must be a map, or set of strings, and you have provided a value of type tuple.
        for_each = text => Unknown
            Invalid for_each argument `text`: The given "for_each" argument value is unsuitable: the "for_each" argument must be a map, or set of strings, and you have provided a value of type string.
        for_each = any => Unknown
            Invalid for_each argument `any`: The "for_each" map includes keys derived from resource attributes that cannot be determined until apply, and so the full set of keys that will identify the instances of this resource cannot be determined.

        When working with unknown values in for_each, it's better to define the map keys statically in your configuration and place apply-time results only in the map values.

        Alternatively, you could use the -target planning option to first apply only the resources that the for_each value depends on, and then apply a second time to fully converge.
        for_each = list => Unknown
            Invalid for_each argument `list`: The given "for_each" argument value is unsuitable: the "for_each" argument must be a map, or set of strings, and you have provided a value of type list of string.
        for_each = secret => Unknown
            Invalid for_each argument `secret`: Sensitive values, or values derived from sensitive values, cannot be used as for_each arguments. If used, the sensitive value could be exposed as a resource instance key.
        for_each = { for x in list : x => 1 } => Unknown
            Invalid for_each argument `{ for x in list : x => 1 }`: The "for_each" map includes keys derived from resource attributes that cannot be determined until apply, and so the full set of keys that will identify the instances of this resource cannot be determined.

        When working with unknown values in for_each, it's better to define the map keys statically in your configuration and place apply-time results only in the map values.

        Alternatively, you could use the -target planning option to first apply only the resources that the for_each value depends on, and then apply a second time to fully converge.
        for_each = { a = text } => Each([("a", unknown(string, not null))])
    "#]].assert_eq(&out);
}

#[test]
fn long_chains_are_loops() {
    let n = 100_000;
    let sum = format!("1{}", " + 1".repeat(n));
    let deep = format!("any{}", ".a".repeat(n));
    let mixed = format!("any[size]{}", ".a".repeat(n));
    let all = format!("[{}]", "1,".repeat(n));
    for text in [&sum, &deep, &mixed, &format!("[for x in {all} : x + 1 if x > 0]")] {
        let parsed = parse_expression(Sources::default().add("main.tf", text.as_str()), text, 0);
        assert_eq!(parsed.diagnostics, []);
        let mut diagnostics = Diagnostics::new();
        let value = evaluate(&parsed.expr, &names(), &mut diagnostics);
        assert_eq!(diagnostics, []);
        match value.len() {
            Some(len) => assert_eq!(len, n),
            None => assert!(value.as_i64() == Some(n as i64 + 1) || !value.is_known()),
        }
    }
}

#[test]
fn nesting_fits_the_stack() {
    let n = crate::syntax::NESTING_MAX - 20;
    for (open, close) in [("(", ")"), ("[", "]"), ("try(", ")"), ("-(", ")"), ("\"${", "}\"")] {
        let text = format!("{}1{}", open.repeat(n / open.len()), close.repeat(n / open.len()));
        let parsed = parse_expression(Sources::default().add("main.tf", text.as_str()), &text, 0);
        assert_eq!(parsed.diagnostics, []);
        let mut diagnostics = Diagnostics::new();
        evaluate(&parsed.expr, &names(), &mut diagnostics);
        assert_eq!(diagnostics, []);
    }
}
