//! What says whether a report is what its readers take.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// Holds JSON against a schema of the repository.
pub(crate) fn json_schema(schema: &str, json: &str) {
    let value: serde_json::Value = serde_json::from_str(json).expect("JSON");
    let mut schemas = boon::Schemas::new();
    let mut compiler = boon::Compiler::new();
    compiler.enable_format_assertions();
    let text = std::fs::read_to_string(repository(schema)).expect("the schema is there");
    let document = serde_json::from_str(&text).expect("JSON");
    compiler.add_resource("file:///schema.json", document).expect("a schema");
    let index = compiler.compile("file:///schema.json", &mut schemas).expect("a schema");
    if let Err(why) = schemas.validate(&value, index) {
        panic!("{why:#}\n{json}");
    }
}

/// Holds a JUnit report against the schema that Jenkins goes by.
pub(crate) fn junit(xml: &str) {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    std::io::Write::write_all(&mut file, xml.as_bytes()).expect("room");
    let output = Command::new("xmllint")
        .args(["--nonet", "--noout", "--schema"])
        .arg(repository("tests/schemas/junit-10.xsd"))
        .arg(file.path())
        .output()
        .expect("xmllint is there: .ci/setup installs it (libxml2-utils)");
    assert!(output.status.success(), "{}\n{xml}", String::from_utf8_lossy(&output.stderr));
}

/// A sample of the text format: name, labels, value.
pub(crate) type Series = BTreeMap<(String, BTreeMap<String, String>), f64>;

/// Reads Prometheus' text format, strictly: each metric once, with help and type before its
/// samples, each series once, nothing that a lenient parser would let pass. Beside that, names as
/// `promtool check metrics` wants them.
pub(crate) fn prometheus(text: &str) -> Series {
    assert!(text.ends_with('\n'), "the last line ends");
    let mut series = Series::new();
    let (mut helped, mut typed) = (BTreeSet::new(), BTreeSet::new());
    let mut current = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a help");
            assert!(!help.is_empty() && helped.insert(name.to_owned()), "{line}");
            current = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            assert!(name == current && typed.insert(name.to_owned()), "{line}");
            assert!(matches!(kind, "gauge" | "counter"), "{line}");
            assert_eq!(name.ends_with("_total"), kind == "counter", "{line}");
        } else {
            let (name, labels, value) = sample(line);
            assert_eq!(name, current, "samples of a metric stand together");
            let valid = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_';
            assert!(typed.contains(&name) && name.chars().all(valid), "{line}");
            let double = series.insert((name, labels), value);
            assert!(double.is_none(), "twice: {line}");
        }
    }
    series
}

fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let mut chars = line.chars().peekable();
    let mut word = |until: &[char]| {
        let mut out = String::new();
        for c in chars.by_ref() {
            if until.contains(&c) {
                return (out, Some(c));
            }
            out.push(c);
        }
        (out, None)
    };
    let (name, mut next) = word(&['{', ' ']);
    let mut labels = BTreeMap::new();
    while matches!(next, Some('{' | ',')) {
        let (label, _) = word(&['=']);
        assert_eq!(word(&['"']).0, "", "{line}");
        let mut value = String::new();
        loop {
            let (part, end) = word(&['"', '\\']);
            value += &part;
            match end {
                Some('"') => break,
                Some('\\') => match word(&['\\', '"', 'n']).1 {
                    Some('n') => value.push('\n'),
                    Some(c) => value.push(c),
                    None => panic!("an escape without end: {line}"),
                },
                _ => panic!("a value without end: {line}"),
            }
        }
        assert!(labels.insert(label, value).is_none(), "a label twice: {line}");
        next = word(&[',', '}']).1;
    }
    if next == Some('}') {
        assert_eq!(word(&[' ']).0, "", "{line}");
    }
    let value = word(&[]).0.parse().expect("a number");
    (name, labels, value)
}
