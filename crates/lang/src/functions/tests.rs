use std::fmt::Write as _;

use expect_test::expect;
use plumb_model::value::{Marks, Number, Refinements, Type, Value};
use proptest::prelude::*;

use super::*;

/// A function on values that expressions alone do not produce: the call, and what it gives.
fn check(calls: &[(&str, &[Value])]) -> String {
    let mut out = String::new();
    for (name, args) in calls {
        let function = lookup(name).unwrap_or_else(|| panic!("{name}"));
        let _ = match function.call(args) {
            Ok(value) => writeln!(out, "{name}{args:?} = {value:?}"),
            Err(error) => writeln!(out, "{name}{args:?}: {}: {}", error.summary, error.detail),
        };
    }
    out
}

fn s(text: &str) -> Value {
    Value::from(text)
}

fn n(int: i64) -> Value {
    Value::from(int)
}

fn unknown(ty: Type) -> Value {
    Value::unknown(ty)
}

fn tuple<const N: usize>(items: [Value; N]) -> Value {
    Value::tuple(items.into())
}

#[test]
fn unknown_arguments_give_what_can_be_said() {
    let some = || unknown(Type::String);
    let list = || Value::list(Type::String, vec![s("a"), some()]);
    let object = || Value::object([("a", n(1)), ("b", some())]);
    let set = || Value::set(Type::String, vec![s("a"), some(), s("b")]);
    let dynamic = Value::dynamic;
    let refined = Value::unknown_refined(
        Type::list(Type::String),
        Refinements { len_min: Some(2), len_max: Some(5), ..Refinements::not_null() },
    );
    let out = check(&[
        ("upper", &[some()]),
        ("upper", &[dynamic()]),
        ("length", &[list()]),
        ("length", &[set()]),
        ("length", &[refined]),
        ("length", &[unknown(Type::tuple([Type::Bool]))]),
        ("length", &[dynamic()]),
        ("keys", &[object()]),
        ("keys", &[unknown(Type::map(Type::Bool))]),
        ("values", &[object()]),
        ("lookup", &[object(), s("a"), n(7)]),
        ("lookup", &[unknown(Type::map(Type::Bool)), s("a")]),
        ("element", &[list(), n(3)]),
        ("concat", &[list(), list()]),
        ("concat", &[list(), unknown(Type::list(Type::String))]),
        ("concat", &[tuple([some()]), list()]),
        ("merge", &[object(), Value::object([("c", n(2))])]),
        ("merge", &[object(), dynamic()]),
        ("merge", &[unknown(Type::map(Type::Bool)), Value::map(Type::Bool, [("a", Value::TRUE)])]),
        ("flatten", &[tuple([list(), tuple([n(1)])])]),
        ("flatten", &[tuple([list(), dynamic()])]),
        ("contains", &[list(), s("a")]),
        ("contains", &[list(), s("z")]),
        ("index", &[list(), s("a")]),
        ("distinct", &[list()]),
        ("toset", &[tuple([s("b"), s("a"), some()])]),
        ("join", &[s(","), list()]),
        ("format", &[s("%s-%s"), s("x"), some()]),
        ("formatlist", &[s("%s!"), list()]),
        ("coalesce", &[Value::NULL, some(), s("x")]),
        ("coalesce", &[s("x"), some()]),
        ("coalescelist", &[tuple([]), list()]),
        ("zipmap", &[tuple([s("k")]), tuple([some()])]),
        ("setproduct", &[list(), tuple([n(1)])]),
        ("setproduct", &[set(), tuple([n(1)])]),
        ("setunion", &[set(), tuple([s("c")])]),
        ("setintersection", &[set(), tuple([s("a")])]),
        ("alltrue", &[tuple([Value::FALSE, unknown(Type::Bool)])]),
        ("alltrue", &[tuple([Value::TRUE, unknown(Type::Bool)])]),
        ("anytrue", &[tuple([unknown(Type::Bool), Value::TRUE])]),
        ("one", &[list()]),
        ("one", &[tuple([some()])]),
        ("slice", &[list(), n(1), n(2)]),
        ("reverse", &[list()]),
        ("chunklist", &[list(), n(1)]),
        ("sum", &[tuple([n(1), unknown(Type::Number)])]),
        ("max", &[n(1), unknown(Type::Number)]),
        ("jsonencode", &[object()]),
        ("jsondecode", &[some()]),
        ("tostring", &[unknown(Type::Number)]),
        ("tonumber", &[dynamic()]),
        ("regex", &[s("(a)(b)"), some()]),
        ("regexall", &[s("(?P<x>a)"), some()]),
        ("startswith", &[some(), s("a")]),
        ("cidrsubnets", &[some(), n(1)]),
    ]);
    expect![[r#"
        upper[unknown(string)] = unknown(string, not null)
        upper[unknown(any)] = unknown(string, not null)
        length[list["a", unknown(string)]] = 2
        length[set["a", "b", unknown(string)]] = unknown(number, not null, >= 1, <= 3)
        length[unknown(list(string), not null, length 2..5)] = unknown(number, not null, >= 2, <= 5)
        length[unknown(tuple([bool]))] = 1
        length[unknown(any)] = unknown(number, not null, >= 0)
        keys[{a = 1, b = unknown(string)}] = ["a", "b"]
        keys[unknown(map(bool))] = unknown(list(string), not null)
        values[{a = 1, b = unknown(string)}] = [1, unknown(string)]
        lookup[{a = 1, b = unknown(string)}, "a", 7] = 1
        lookup[unknown(map(bool)), "a"] = unknown(bool)
        element[list["a", unknown(string)], 3] = unknown(string)
        concat[list["a", unknown(string)], list["a", unknown(string)]] = list["a", unknown(string), "a", unknown(string)]
        concat[list["a", unknown(string)], unknown(list(string))] = unknown(list(string), not null)
        concat[[unknown(string)], list["a", unknown(string)]] = [unknown(string), "a", unknown(string)]
        merge[{a = 1, b = unknown(string)}, {c = 2}] = {a = 1, b = unknown(string), c = 2}
        merge[{a = 1, b = unknown(string)}, unknown(any)] = unknown(any)
        merge[unknown(map(bool)), map{a = true}] = unknown(map(bool), not null)
        flatten[[list["a", unknown(string)], [1]]] = ["a", unknown(string), 1]
        flatten[[list["a", unknown(string)], unknown(any)]] = unknown(any)
        contains[list["a", unknown(string)], "a"] = true
        contains[list["a", unknown(string)], "z"] = unknown(bool, not null)
        index[list["a", unknown(string)], "a"] = 0
        distinct[list["a", unknown(string)]] = unknown(list(string), not null)
        toset[["b", "a", unknown(string)]] = set["a", "b", unknown(string)]
        join[",", list["a", unknown(string)]] = unknown(string, not null)
        format["%s-%s", "x", unknown(string)] = unknown(string, not null)
        formatlist["%s!", list["a", unknown(string)]] = list["a!", unknown(string, not null)]
        coalesce[null, unknown(string), "x"] = unknown(string, not null)
        coalesce["x", unknown(string)] = "x"
        coalescelist[[], list["a", unknown(string)]] = list["a", unknown(string)]
        zipmap[["k"], [unknown(string)]] = {k = unknown(string)}
        setproduct[list["a", unknown(string)], [1]] = list[["a", 1], [unknown(string), 1]]
        setproduct[set["a", "b", unknown(string)], [1]] = unknown(set(tuple([string,number])), not null)
        setunion[set["a", "b", unknown(string)], ["c"]] = set["a", "b", "c", unknown(string)]
        setintersection[set["a", "b", unknown(string)], ["a"]] = unknown(set(string), not null)
        alltrue[[false, unknown(bool)]] = false
        alltrue[[true, unknown(bool)]] = unknown(bool, not null)
        anytrue[[unknown(bool), true]] = true
        one[list["a", unknown(string)]]: Invalid function argument: Invalid value for "list" parameter: must be a list, set, or tuple value with either zero or one elements.
        one[[unknown(string)]] = unknown(string)
        slice[list["a", unknown(string)], 1, 2] = list[unknown(string)]
        reverse[list["a", unknown(string)]] = list[unknown(string), "a"]
        chunklist[list["a", unknown(string)], 1] = list[list["a"], list[unknown(string)]]
        sum[[1, unknown(number)]] = unknown(number, not null)
        max[1, unknown(number)] = unknown(number, not null)
        jsonencode[{a = 1, b = unknown(string)}] = unknown(string, not null, "{"…)
        jsondecode[unknown(string)] = unknown(any)
        tostring[unknown(number)] = unknown(string)
        tonumber[unknown(any)] = unknown(number)
        regex["(a)(b)", unknown(string)] = unknown(tuple([string,string]), not null)
        regexall["(?P<x>a)", unknown(string)] = unknown(list(object({x=string})), not null)
        startswith[unknown(string), "a"] = unknown(bool, not null)
        cidrsubnets[unknown(string), 1] = unknown(list(string), not null)
    "#]].assert_eq(&out);
}

#[test]
fn marks_go_where_they_belong() {
    let secret = || s("x").sensitive();
    let ephemeral = || s("e").with_marks(Marks::EPHEMERAL);
    let inside = || Value::object([("a", n(1)), ("b", secret())]);
    let list = || tuple([s("a"), secret()]);
    let out = check(&[
        ("upper", &[secret()]),
        ("join", &[s(","), list()]),
        ("length", &[list()]),
        ("length", &[list().sensitive()]),
        ("keys", &[inside()]),
        ("keys", &[inside().sensitive()]),
        ("values", &[inside()]),
        ("lookup", &[inside(), s("a"), n(7)]),
        ("lookup", &[inside(), s("b"), n(7)]),
        ("lookup", &[inside(), s("c"), secret()]),
        ("merge", &[inside(), Value::object([("c", n(2))]).sensitive()]),
        ("concat", &[list(), tuple([n(1)])]),
        ("element", &[list(), n(0)]),
        ("element", &[list(), n(1)]),
        ("zipmap", &[tuple([s("k"), secret()]), tuple([n(1), n(2)])]),
        ("flatten", &[tuple([list(), tuple([n(1)]).sensitive()])]),
        ("toset", &[list()]),
        ("tolist", &[list()]),
        ("reverse", &[list()]),
        ("jsonencode", &[inside()]),
        ("coalesce", &[Value::null(Type::String).sensitive(), s("y")]),
        ("upper", &[unknown(Type::String).sensitive()]),
        ("sensitive", &[n(1)]),
        ("nonsensitive", &[secret().with_marks(Marks::EPHEMERAL)]),
        ("issensitive", &[secret()]),
        ("issensitive", &[inside()]),
        ("issensitive", &[unknown(Type::String)]),
        ("ephemeralasnull", &[Value::object([("a", ephemeral()), ("b", n(1))])]),
        ("tonumber", &[secret()]),
        ("tobool", &[secret()]),
    ]);
    expect![[r#"
        upper[sensitive("x")] = sensitive("X")
        join[",", ["a", sensitive("x")]] = sensitive("a,x")
        length[["a", sensitive("x")]] = 2
        length[sensitive(["a", sensitive("x")])] = sensitive(2)
        keys[{a = 1, b = sensitive("x")}] = ["a", "b"]
        keys[sensitive({a = 1, b = sensitive("x")})] = sensitive(["a", "b"])
        values[{a = 1, b = sensitive("x")}] = [1, sensitive("x")]
        lookup[{a = 1, b = sensitive("x")}, "a", 7] = 1
        lookup[{a = 1, b = sensitive("x")}, "b", 7] = sensitive("x")
        lookup[{a = 1, b = sensitive("x")}, "c", sensitive("x")] = sensitive("x")
        merge[{a = 1, b = sensitive("x")}, sensitive({c = 2})] = sensitive({a = 1, b = sensitive("x"), c = 2})
        concat[["a", sensitive("x")], [1]] = ["a", sensitive("x"), 1]
        element[["a", sensitive("x")], 0] = "a"
        element[["a", sensitive("x")], 1] = sensitive("x")
        zipmap[["k", sensitive("x")], [1, 2]] = sensitive({k = 1, x = 2})
        flatten[[["a", sensitive("x")], sensitive([1])]] = sensitive(["a", sensitive("x"), 1])
        toset[["a", sensitive("x")]] = sensitive(set["a", "x"])
        tolist[["a", sensitive("x")]] = list["a", sensitive("x")]
        reverse[["a", sensitive("x")]] = [sensitive("x"), "a"]
        jsonencode[{a = 1, b = sensitive("x")}] = sensitive("{\"a\":1,\"b\":\"x\"}")
        coalesce[sensitive(null(string)), "y"] = sensitive("y")
        upper[sensitive(unknown(string))] = sensitive(unknown(string, not null))
        sensitive[1] = sensitive(1)
        nonsensitive[sensitive+ephemeral("x")] = ephemeral("x")
        issensitive[sensitive("x")] = true
        issensitive[{a = 1, b = sensitive("x")}] = false
        issensitive[unknown(string)] = unknown(bool, not null)
        ephemeralasnull[{a = ephemeral("e"), b = 1}] = {a = null(string), b = 1}
        tonumber[sensitive("x")]: Invalid function argument: Invalid value for "v" parameter: cannot convert this sensitive string to number.
        tobool[sensitive("x")]: Invalid function argument: Invalid value for "v" parameter: cannot convert this sensitive string to bool.
    "#]].assert_eq(&out);
}

#[test]
fn calls_are_checked() {
    let out = check(&[
        ("upper", &[]),
        ("upper", &[s("a"), s("b")]),
        ("join", &[]),
        ("upper", &[Value::null(Type::String)]),
        ("upper", &[Value::NULL]),
        ("upper", &[tuple([])]),
        ("core::upper", &[s("a")]),
    ]);
    expect![[r#"
        upper[]: Not enough function arguments: Function "upper" expects 1 argument(s). Missing value for "str".
        upper["a", "b"]: Too many function arguments: Function "upper" expects only 1 argument(s).
        join[]: Not enough function arguments: Function "join" expects at least 1 argument(s). Missing value for "separator".
        upper[null(string)]: Invalid function argument: Invalid value for "str" parameter: argument must not be null.
        upper[null]: Invalid function argument: Invalid value for "str" parameter: argument must not be null.
        upper[[]]: Invalid function argument: Invalid value for "str" parameter: string required.
        core::upper["a"] = "A"
    "#]].assert_eq(&out);
    assert!(lookup("nosuch").is_none());
}

/// Values of every shape, to throw at functions.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::NULL),
        Just(Value::dynamic()),
        Just(unknown(Type::String)),
        any::<bool>().prop_map(Value::bool),
        (-40i64..300).prop_map(Value::number),
        prop_oneof![Just("1e30"), Just("-0.5"), Just("Inf"), Just("-9223372036854775808")]
            .prop_map(|text| Value::number(Number::parse(text).unwrap())),
        "[ -~]{0,6}|[éß👍\n\t]{1,3}|%[-+#0-9.\\[\\]]{0,4}[a-zA-Z]|/[(a.)*?\\[]{1,4}/"
            .prop_map(Value::from),
        prop_oneof![
            Just("10.0.0.0/8"),
            Just("fd00::/64"),
            Just("2020-02-29T23:59:59Z"),
            Just("1h"),
            Just("YYYY-MM"),
            Just("[1, {\"a\": null}]"),
            Just("a: [b, *c]"),
            Just("a,b\n1,2\n"),
        ]
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::tuple),
            prop::collection::btree_map("[a-c]", inner.clone(), 0..3).prop_map(Value::object),
            inner.prop_map(Value::sensitive),
            prop::collection::vec("[a-c]{0,2}".prop_map(Value::from), 0..4)
                .prop_map(|items| Value::list(Type::String, items)),
            prop::collection::vec((0i64..4).prop_map(Value::number), 0..4)
                .prop_map(|items| Value::set(Type::Number, items)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_arguments_make_a_function_panic(args in prop::collection::vec(values(), 0..4)) {
        for name in names() {
            let function = lookup(name).unwrap();
            // Also exactly as many as it takes, or hardly any call would get past the count.
            let exact: Vec<Value> =
                args.iter().cycle().take(if args.is_empty() { 0 } else { function.params.len() }).cloned().collect();
            for args in [&args, &exact] {
                if let Ok(result) = function.call(args)
                    && name != "issensitive"
                {
                    let plain: Vec<Value> = args.iter().map(Value::unmark_deep).collect();
                    let again = function.call(&plain);
                    prop_assert_eq!(
                        again.map(|it| it.unmark_deep()), Ok(result.unmark_deep()),
                        "marks change the result of {}{:?}", name, args
                    );
                }
            }
        }
    }
}
