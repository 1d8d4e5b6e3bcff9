use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::json::{from_json_implied, from_json_typed, to_json, to_json_typed};
use super::tagged::{from_tagged, to_tagged};
use super::*;

fn v(json: &str) -> Value {
    from_json_implied(json).unwrap_or_else(|e| panic!("{json}: {e}"))
}

fn t(json: &str) -> Type {
    Type::from_json(json).unwrap_or_else(|e| panic!("{json}: {e}"))
}

#[test]
fn conversions() {
    let mut out = String::new();
    for (value, ty) in [
        ("1", "\"string\""),
        ("1.50", "\"string\""),
        ("true", "\"string\""),
        ("\"007\"", "\"number\""),
        ("\"x\"", "\"number\""),
        ("true", "\"number\""),
        ("\"1\"", "\"bool\""),
        ("\"True\"", "\"bool\""),
        ("[]", "\"string\""),
        ("[1,\"a\",true]", "[\"list\",\"dynamic\"]"),
        ("[1,{\"a\":1}]", "[\"list\",\"dynamic\"]"),
        ("[1,{\"a\":1}]", "[\"list\",\"string\"]"),
        ("[\"b\",\"a\",\"b\"]", "[\"set\",\"string\"]"),
        ("[null,\"a\"]", "[\"list\",\"dynamic\"]"),
        ("[[1],null]", "[\"list\",\"dynamic\"]"),
        ("[{\"a\":1},{\"b\":\"x\"}]", "[\"list\",\"dynamic\"]"),
        ("[{\"a\":null},{\"a\":1}]", "[\"list\",\"dynamic\"]"),
        ("[[],[\"a\"]]", "[\"list\",\"dynamic\"]"),
        ("[{},{\"a\":1}]", "[\"list\",\"dynamic\"]"),
        ("{\"a\":1,\"b\":[1]}", "[\"map\",\"dynamic\"]"),
        ("{\"a\":1,\"b\":\"x\"}", "[\"map\",\"dynamic\"]"),
        ("{\"a\":1,\"b\":2}", "[\"object\",{\"a\":\"string\"}]"),
        ("{\"b\":2}", "[\"object\",{\"a\":\"string\"}]"),
        ("{}", "[\"object\",{\"a\":\"string\",\"b\":\"bool\",\"c\":\"bool\"}]"),
        ("{}", "[\"object\",{\"a\":\"string\"},[\"a\"]]"),
        ("{\"a\":[]}", "[\"object\",{\"a\":\"string\"}]"),
        ("[{\"n\":\"x\"}]", "[\"list\",[\"object\",{\"n\":\"number\"}]]"),
        ("[1,2]", "[\"tuple\",[\"string\",\"number\"]]"),
        ("[1]", "[\"tuple\",[\"string\",\"number\"]]"),
        ("null", "[\"list\",\"string\"]"),
    ] {
        let result = match convert(&v(value), &t(ty)) {
            Ok(value) => format!("{value:?} : {}", value.ty()),
            Err(e) => format!("error{}: {e}", e.path),
        };
        out.push_str(&format!("{value} -> {}  =  {result}\n", t(ty)));
    }
    expect![[r#"
        1 -> string  =  "1" : string
        1.50 -> string  =  "1.5" : string
        true -> string  =  "true" : string
        "007" -> number  =  7 : number
        "x" -> number  =  error: a number is required
        true -> number  =  error: number required
        "1" -> bool  =  true : bool
        "True" -> bool  =  error: a bool is required; to convert from string, use lowercase "true"
        [] -> string  =  error: string required
        [1,"a",true] -> list(any)  =  list["1", "a", "true"] : list(string)
        [1,{"a":1}] -> list(any)  =  error: all list elements must have the same type
        [1,{"a":1}] -> list(string)  =  error: element 1: string required
        ["b","a","b"] -> set(string)  =  set["a", "b"] : set(string)
        [null,"a"] -> list(any)  =  list[null(string), "a"] : list(string)
        [[1],null] -> list(any)  =  error: all list elements must have the same type
        [{"a":1},{"b":"x"}] -> list(any)  =  list[map{a = "1"}, map{b = "x"}] : list(map(string))
        [{"a":null},{"a":1}] -> list(any)  =  list[{a = null(number)}, {a = 1}] : list(object({a=number}))
        [[],["a"]] -> list(any)  =  list[list[], list["a"]] : list(list(string))
        [{},{"a":1}] -> list(any)  =  list[map{}, map{a = 1}] : list(map(number))
        {"a":1,"b":[1]} -> map(any)  =  error: all map elements must have the same type
        {"a":1,"b":"x"} -> map(any)  =  map{a = "1", b = "x"} : map(string)
        {"a":1,"b":2} -> object({a=string})  =  {a = "1"} : object({a=string})
        {"b":2} -> object({a=string})  =  error: attribute "a" is required
        {} -> object({a=string,b=bool,c=bool})  =  error: attributes "a", "b", and "c" are required
        {} -> object({a=optional(string)})  =  {a = null(string)} : object({a=string})
        {"a":[]} -> object({a=string})  =  error: attribute "a": string required
        [{"n":"x"}] -> list(object({n=number}))  =  error[0].n: a number is required
        [1,2] -> tuple([string,number])  =  ["1", 2] : tuple([string,number])
        [1] -> tuple([string,number])  =  error: tuple required
        null -> list(string)  =  null(list(string)) : list(string)
    "#]].assert_eq(&out);
}

#[test]
fn maps_and_objects_convert_both_ways() {
    let map = Value::map(Type::String, [("a", Value::from("1"))]);
    let object = t("[\"object\",{\"a\":\"number\",\"b\":\"bool\"},[\"b\"]]");
    assert_eq!(format!("{:?}", convert(&map, &object).unwrap()), "{a = 1, b = null(bool)}");
    let missing = t("[\"object\",{\"z\":\"number\"}]");
    assert!(convert(&map, &missing).is_err());
}

#[test]
fn unknowns_and_marks_survive_conversion() {
    let value = Value::tuple(vec![
        Value::unknown_refined(Type::Number, Refinements::not_null()),
        Value::from("x").sensitive(),
    ]);
    let list = convert(&value, &Type::list(Type::String)).unwrap();
    assert_eq!(format!("{list:?}"), "list[unknown(string, not null), sensitive(\"x\")]");
    let set = convert(&value, &Type::set(Type::String)).unwrap();
    assert_eq!(format!("{set:?}"), "sensitive(set[\"x\", unknown(string, not null)])");
    let dynamic = convert(&Value::dynamic(), &Type::list(Type::Dynamic)).unwrap();
    assert_eq!(format!("{dynamic:?}"), "unknown(list(any))");
}

#[test]
fn unification() {
    let mut out = String::new();
    for types in [
        "[\"number\",\"string\"]",
        "[\"number\",\"bool\"]",
        "[\"dynamic\",\"bool\"]",
        "[[\"object\",{\"a\":\"number\"}],[\"object\",{\"b\":\"string\"}]]",
        "[[\"object\",{\"a\":\"number\"}],[\"object\",{\"a\":\"string\"}]]",
        "[[\"object\",{\"a\":\"number\"}],[\"object\",{}]]",
        "[[\"object\",{\"a\":\"number\"}],\"dynamic\"]",
        "[[\"tuple\",[\"number\"]],[\"tuple\",[\"string\"]]]",
        "[[\"tuple\",[\"number\"]],[\"tuple\",[]]]",
        "[[\"tuple\",[\"number\"]],[\"object\",{}]]",
        "[[\"list\",\"number\"],[\"tuple\",[\"string\",\"bool\"]]]",
        "[[\"list\",\"number\"],[\"tuple\",[]]]",
        "[[\"map\",\"number\"],[\"object\",{\"b\":\"string\"}]]",
        "[[\"map\",\"number\"],[\"object\",{\"b\":[\"list\",\"string\"]}]]",
        "[[\"set\",\"string\"],[\"list\",\"string\"]]",
        "[[\"set\",\"string\"],[\"tuple\",[\"string\"]]]",
        "[\"number\",[\"list\",\"number\"]]",
    ] {
        let Type::Tuple(parts) = t(&format!("[\"tuple\",{types}]")) else { panic!("{types}") };
        let common = unify(&parts).map_or("none".into(), |ty| ty.to_string());
        let shown: Vec<String> = parts.iter().map(ToString::to_string).collect();
        out.push_str(&format!("{}  =  {common}\n", shown.join(" | ")));
    }
    expect![[r#"
        number | string  =  string
        number | bool  =  none
        any | bool  =  bool
        object({a=number}) | object({b=string})  =  map(string)
        object({a=number}) | object({a=string})  =  object({a=string})
        object({a=number}) | object({})  =  map(number)
        object({a=number}) | any  =  any
        tuple([number]) | tuple([string])  =  tuple([string])
        tuple([number]) | tuple([])  =  list(number)
        tuple([number]) | object({})  =  none
        list(number) | tuple([string,bool])  =  list(string)
        list(number) | tuple([])  =  list(number)
        map(number) | object({b=string})  =  map(string)
        map(number) | object({b=list(string)})  =  none
        set(string) | list(string)  =  list(string)
        set(string) | tuple([string])  =  set(string)
        number | list(number)  =  none
    "#]]
    .assert_eq(&out);
}

#[test]
fn equality_is_the_languages() {
    let unknown = Value::unknown(Type::String);
    let prefixed = Value::unknown_refined(Type::String, Refinements::prefixed("ab"));
    for (a, b, want) in [
        (v("1"), v("\"1\""), "false"),
        (v("[1]"), Value::list(Type::Number, vec![v("1")]), "false"),
        (Value::NULL, Value::null(Type::String), "true"),
        (Value::NULL, v("1"), "false"),
        (unknown.clone(), v("\"a\""), "unknown(bool, not null)"),
        (prefixed.clone(), v("\"b\""), "false"),
        (v("null"), prefixed.clone(), "false"),
        (Value::tuple(vec![unknown.clone(), v("1")]), v("[\"a\",2]"), "unknown(bool, not null)"),
        (Value::tuple(vec![v("1"), unknown]), v("[2,\"a\"]"), "false"),
        (v("1").sensitive(), v("1"), "sensitive(true)"),
        (v("{\"a\":1.0}"), v("{\"a\":1}"), "true"),
        (v("{\"a\":1}"), v("{\"b\":1}"), "false"),
        (
            Value::set(Type::Number, vec![v("2"), v("1")]),
            Value::set(Type::Number, vec![v("1"), v("2"), v("1")]),
            "true",
        ),
        (Value::list(Type::Number, vec![]), Value::list(Type::String, vec![]), "false"),
    ] {
        assert_eq!(format!("{:?}", equals(&a, &b)), want, "{a:?} == {b:?}");
    }
}

#[test]
fn marks_have_places() {
    let value = Value::object([
        ("a", Value::tuple(vec![Value::from("x").sensitive(), Value::from(1)])),
        ("b", Value::map(Type::Bool, [("k", Value::TRUE.with_marks(Marks::EPHEMERAL))])),
    ]);
    assert!(value.marks().is_empty() && value.has_mark_deep(Marks::SENSITIVE));
    let (plain, paths) = value.unmark_deep_with_paths();
    assert!(plain.marks_deep().is_empty());
    let shown: Vec<String> =
        paths.iter().map(|(path, marks)| format!("{path} {marks:?}")).collect();
    assert_eq!(shown, [".a[0] sensitive", ".b[\"k\"] ephemeral"]);
    let again = plain.mark_with_paths(paths.iter().map(|(path, marks)| (path, *marks)));
    assert_eq!(again, value);
    let lost = Path::default().attr("a").index(7).attr("z");
    let marked = plain.mark_with_paths([(&lost, Marks::SENSITIVE)]);
    assert_eq!(format!("{marked:?}"), "{a = sensitive([\"x\", 1]), b = map{k = true}}");
}

#[test]
fn sets_iterate_in_canonical_order() {
    let check = |items: &str, want: &str| {
        let Some(items) = v(items).as_slice().map(<[Value]>::to_vec) else { panic!("{items}") };
        assert_eq!(format!("{:?}", Value::set(Type::Dynamic, items)), want);
    };
    check("[\"b\",\"a\",\"B\",\"b\"]", "set[\"B\", \"a\", \"b\"]");
    check("[10,9,1e0]", "set[1, 9, 10]");
    check("[[2,1],[1,3]]", "set[[1, 3], [2, 1]]");
    check(
        "[{\"a\":\"z\",\"b\":\"a\"},{\"a\":\"a\",\"b\":\"z\"}]",
        "set[{a = \"a\", b = \"z\"}, {a = \"z\", b = \"a\"}]",
    );
}

#[test]
fn defaults_fill_in() {
    let inner = Defaults { attrs: [("n".into(), Value::from(7))].into(), ..Defaults::default() };
    let defaults = Defaults {
        attrs: [("name".into(), Value::from("x")), ("o".into(), v("{}"))].into(),
        children: [("o".into(), inner.clone())].into(),
    };
    let all = Defaults { children: [("".into(), defaults)].into(), ..Defaults::default() };
    let out = all.apply(&v("[{}, {\"name\":null,\"o\":{\"n\":1}}, {\"name\":\"y\",\"o\":null}]"));
    expect![[
        r#"[{name = "x", o = {n = 7}}, {name = "x", o = {n = 1}}, {name = "y", o = {n = 7}}]"#
    ]]
    .assert_eq(&format!("{out:?}"));
}

#[test]
fn json_is_terraforms() {
    let check = |json: &str, want: Expect| want.assert_eq(&to_json(&v(json)));
    check(
        r#"{"b": 1.50, "a": "<>&\u2028\u007f\b\f\n\t\"\\\/é😀", "c": [null, true, 1e21]}"#,
        expect![[
            r#"{"a":"\u003c\u003e\u0026\u2028\b\f\n\t\"\\/é😀","b":1.5,"c":[null,true,1000000000000000000000]}"#
        ]],
    );
    check("\"e\\u0301 \\ud83d\\ude00 \\ud83d\"", expect![[r#""é 😀 �""#]]);
    for bad in [
        "",
        "{",
        "[1,]",
        "{\"a\" 1}",
        "01",
        "1.",
        "\"\u{1}\"",
        "nul",
        "[1] 2",
        "'a'",
        "\"\\x\"",
        &"[".repeat(100_000),
    ] {
        assert!(from_json_implied(bad).is_err(), "{bad}");
    }
}

#[test]
fn deep_values_fit_the_stack() {
    let text = format!("{}1{}", "[{\"a\":".repeat(100), "}]".repeat(100));
    let value = v(&text);
    assert_eq!(to_json(&value), text);
    assert_eq!(from_json_typed(&text, &value.ty()).unwrap(), value);
    assert_eq!(from_tagged(&to_tagged(&value)).unwrap(), value);
    let open = to_json_typed(&value, &Type::Dynamic);
    assert_eq!(from_json_typed(&open, &Type::Dynamic).unwrap(), value);
    assert!(convert(&value, &Type::list(Type::map(Type::Dynamic))).is_ok());
    assert_eq!(value.clone().sensitive().unmark_deep(), value);
    assert!(!format!("{value:?}").is_empty());
    let deepest = format!("{}{}", "[".repeat(499), "]".repeat(499));
    assert!(from_tagged(&deepest).is_ok() && from_json_implied(&deepest).is_err());
}

#[test]
fn typed_json_carries_what_the_type_leaves_open() {
    let ty = t("[\"object\",{\"any\":\"dynamic\",\"n\":\"number\"}]");
    let value = Value::object([("any", v("[1,\"x\"]")), ("n", v("1"))]);
    let json = to_json_typed(&value, &ty);
    expect![[r#"{"any":{"value":[1,"x"],"type":["tuple",["number","string"]]},"n":1}"#]]
        .assert_eq(&json);
    assert_eq!(from_json_typed(&json, &ty).unwrap(), value);
    let wrong = from_json_typed("{\"any\":1}", &ty).unwrap_err();
    assert_eq!(wrong.message, "a value of any type needs both `value` and `type`");
    assert!(from_json_typed("{\"n\":1,\"x\":2}", &ty).is_err());
}

#[test]
fn values_sit_in_derived_types() {
    #[derive(serde::Serialize, serde::Deserialize, PartialEq, Debug)]
    #[serde(tag = "kind")]
    enum Event {
        Made { attrs: Value, ty: Type },
    }
    let event = Event::Made {
        attrs: Value::object([("a", v("1.5").sensitive()), ("b", Value::dynamic())]),
        ty: Type::list(Type::Bool),
    };
    let text = serde_json::to_string(&event).unwrap();
    expect![[r#"{"kind":"Made","attrs":{"a":{"$!":["s",{"$n":"1.5"}]},"b":{"$u":["dynamic"]}},"ty":["list","bool"]}"#]]
        .assert_eq(&text);
    assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
}

#[test]
fn types_have_names() {
    let ty = t("[\"object\",{\"a\":[\"list\",\"dynamic\"],\"b\":[\"tuple\",[\"bool\"]]},[\"a\"]]");
    assert_eq!(ty.to_string(), "object({a=optional(list(any)),b=tuple([bool])})");
    assert_eq!(Type::from_json(&ty.to_json()).unwrap(), ty);
    assert_eq!(t("[\"list\",[\"map\",\"string\"]]").friendly_name(), "list of map of string");
    assert_eq!(
        t("[\"list\",\"dynamic\"]").friendly_name_for_constraint(),
        "list of any single type"
    );
}

#[test]
fn strings_are_normalized() {
    assert_eq!(Value::string("e\u{301}"), Value::string("é"));
}

fn types() -> impl Strategy<Value = Type> {
    let leaf = prop_oneof![Just(Type::Bool), Just(Type::Number), Just(Type::String)];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(Type::list),
            inner.clone().prop_map(Type::set),
            inner.clone().prop_map(Type::map),
            prop::collection::vec(inner.clone(), 0..3).prop_map(Type::tuple),
            prop::collection::btree_map("[a-c$]{1,2}", inner, 0..3).prop_map(Type::object),
        ]
    })
}

fn value_of(ty: Type, known: bool) -> BoxedStrategy<Value> {
    let null = Value::null(ty.clone());
    let unknown = Value::unknown_refined(ty.clone(), Refinements::not_null());
    let present = match ty {
        Type::Dynamic => Just(Value::NULL).boxed(),
        Type::Bool => any::<bool>().prop_map(Value::bool).boxed(),
        Type::Number => prop_oneof![
            any::<i64>().prop_map(Value::number),
            (-999i64..999, 1i64..50)
                .prop_map(|(a, b)| Value::number(Number::from(a).div(&Number::from(b)).unwrap())),
        ]
        .boxed(),
        Type::String => "[a-z<&\"\\\\éα\n]{0,4}".prop_map(Value::string).boxed(),
        Type::List(elem) => prop::collection::vec(value_of((*elem).clone(), known), 0..3)
            .prop_map(move |items| Value::list((*elem).clone(), items))
            .boxed(),
        Type::Set(elem) => prop::collection::vec(value_of((*elem).clone(), known), 0..3)
            .prop_map(move |items| Value::set((*elem).clone(), items))
            .boxed(),
        Type::Map(elem) => {
            prop::collection::btree_map("[a-c$]{1,2}", value_of((*elem).clone(), known), 0..3)
                .prop_map(move |items| Value::map((*elem).clone(), items))
                .boxed()
        }
        Type::Tuple(elems) => elems
            .iter()
            .map(|ty| value_of(ty.clone(), known))
            .collect::<Vec<_>>()
            .prop_map(Value::tuple)
            .boxed(),
        Type::Object(object) => {
            let names: Vec<Arc<str>> = object.attrs.keys().cloned().collect();
            object
                .attrs
                .values()
                .map(|ty| value_of(ty.clone(), known))
                .collect::<Vec<_>>()
                .prop_map(move |items| Value::object(names.clone().into_iter().zip(items)))
                .boxed()
        }
    };
    if known {
        prop_oneof![9 => present, 1 => Just(null)].boxed()
    } else {
        let marked = present.clone().prop_map(Value::sensitive);
        prop_oneof![7 => present, 1 => Just(null), 1 => Just(unknown), 1 => marked].boxed()
    }
}

proptest! {
    #[test]
    fn tagged_loses_nothing(value in types().prop_flat_map(|ty| value_of(ty, false))) {
        let text = to_tagged(&value);
        prop_assert_eq!(from_tagged(&text).unwrap(), value.clone(), "{}", text);
        let through_serde: Value = serde_json::from_str(&serde_json::to_string(&value).unwrap()).unwrap();
        prop_assert_eq!(through_serde, value);
    }

    #[test]
    fn typed_json_reads_back(value in types().prop_flat_map(|ty| value_of(ty, true))) {
        let ty = value.ty();
        prop_assert_eq!(from_json_typed(&to_json_typed(&value, &ty), &ty).unwrap(), value.clone());
        let open = to_json_typed(&value, &Type::Dynamic);
        prop_assert_eq!(from_json_typed(&open, &Type::Dynamic).unwrap(), value);
    }

    #[test]
    fn converted_values_have_the_type(
        value in types().prop_flat_map(|ty| value_of(ty, false)),
        to in types(),
    ) {
        prop_assert_eq!(&convert(&value, &value.ty()).unwrap(), &value);
        match convert(&value, &to) {
            Ok(converted) => {
                prop_assert!(can_convert(&value.ty(), &to), "{:?} -> {}", value, to);
                prop_assert_eq!(converted.ty(), to.clone());
                prop_assert!(value.marks_deep().contains(converted.marks_deep()));
                prop_assert_eq!(convert(&converted, &to).unwrap(), converted);
            }
            Err(error) => prop_assert!(!error.message.is_empty()),
        }
    }

    #[test]
    fn both_types_convert_to_their_common_type(a in types(), b in types()) {
        if let Some(common) = unify(&[a.clone(), b.clone()]) {
            prop_assert!(can_convert(&a, &common) && can_convert(&b, &common), "{} {} {}", a, b, common);
        }
        prop_assert_eq!(unify(&[a.clone(), a.clone()]), Some(a));
    }

    #[test]
    fn json_reader_never_panics(text in "[\\[\\]{}:,\"\\\\u0-9a-e.+ -]{0,30}") {
        let _ = from_json_implied(&text);
        let _ = from_tagged(&text);
        let _ = Type::from_json(&text);
    }
}
