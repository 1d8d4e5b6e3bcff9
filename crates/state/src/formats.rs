//! What we write, against the JSON schemas in `state/`, and the samples there read back.
//!
//! The checker knows just the keywords that those schemas use, and refuses any other.

use expect_test::expect_file;
use plumb_model::state::State;
use serde_json::Value as Json;

use crate::journal::{self, Folding, Header, Tail};
use crate::lock::LockInfo;
use crate::testing::{life, schemas};
use crate::v4;

/// A schema of the folder `state/`.
pub(crate) struct Schema(Json);

impl Schema {
    pub(crate) fn load(name: &str) -> Schema {
        let path = format!("{}/../../state/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).expect("it is there");
        Schema(serde_json::from_str(&text).expect("JSON"))
    }

    pub(crate) fn check(&self, json: &str) {
        let value: Json = serde_json::from_str(json).expect("JSON");
        if let Err(why) = self.fits(&self.0, &value, "") {
            panic!("{why}\n{json}");
        }
    }

    fn fits(&self, schema: &Json, value: &Json, at: &str) -> Result<(), String> {
        let rules = schema.as_object().ok_or("a schema is an object")?;
        for (rule, wanted) in rules {
            match rule.as_str() {
                "$schema" | "$defs" | "title" | "description" => {}
                "$ref" => {
                    let path = wanted.as_str().and_then(|it| it.strip_prefix('#')).expect("local");
                    self.fits(self.0.pointer(path).expect("defined"), value, at)?;
                }
                "type" => {
                    let one = std::slice::from_ref(wanted);
                    let names = wanted.as_array().map_or(one, |it| it.as_slice());
                    if !names.iter().any(|it| it.as_str().is_some_and(|it| is(value, it))) {
                        return Err(format!("{at}: not of type {wanted}"));
                    }
                }
                "enum" => {
                    if !wanted.as_array().expect("a list").contains(value) {
                        return Err(format!("{at}: not among {wanted}"));
                    }
                }
                "required" => {
                    for name in wanted.as_array().expect("a list") {
                        if value.get(name.as_str().expect("a name")).is_none() {
                            return Err(format!("{at}: {name} is missing"));
                        }
                    }
                }
                "properties" | "additionalProperties" => {}
                "items" => {
                    for (i, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.fits(wanted, item, &format!("{at}[{i}]"))?;
                    }
                }
                "oneOf" => {
                    let all = wanted.as_array().expect("a list").iter();
                    let (fit, why): (Vec<_>, Vec<_>) =
                        all.map(|it| self.fits(it, value, at)).partition(Result::is_ok);
                    if fit.len() != 1 {
                        return Err(format!("{at}: {} of these fit: {why:?}", fit.len()));
                    }
                }
                rule => panic!("the checker does not know \"{rule}\""),
            }
        }
        let properties = rules.get("properties").and_then(Json::as_object);
        for (name, item) in value.as_object().into_iter().flatten() {
            let inner = format!("{at}.{name}");
            match (properties.and_then(|it| it.get(name)), rules.get("additionalProperties")) {
                (Some(schema), _) => self.fits(schema, item, &inner)?,
                (None, Some(Json::Bool(false))) => return Err(format!("{inner}: not known")),
                (None, Some(schema)) => self.fits(schema, item, &inner)?,
                (None, None) => {}
            }
        }
        Ok(())
    }
}

fn is(value: &Json, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        name => panic!("the checker does not know the type \"{name}\""),
    }
}

fn journal_of(seed: u64, length: usize) -> String {
    let events = life(seed, length, &mut State::default());
    let (mut text, mut tail) = (String::new(), Tail::default());
    let lineage = "5ed2d6a8-e341-420d-9d2a-8ea652a25297".into();
    tail.header(&Header { lineage, serial: 3 }, &mut text);
    tail.events(0, &events[..1], &mut text);
    for batch in events[1..].chunks(2) {
        tail.events(tail.next, batch, &mut text);
    }
    tail.folding(Folding { serial: 4, bytes: 1234, crc: 0x00ab_cdef }, &mut text);
    text
}

#[test]
fn journals_are_as_their_schema_says() {
    let schema = Schema::load("journal-v1");
    for seed in 0..30 {
        journal_of(seed, 40).lines().for_each(|line| schema.check(line));
    }
}

#[test]
fn the_sample_journal_is_still_what_we_write_and_read() {
    let text = journal_of(7, 60);
    expect_file!["../../../state/samples/plumb-0.1.0/journal.jsonl"].assert_eq(&text);
    let contents = journal::read(text.as_bytes()).expect("whole");
    assert_eq!(contents.events, life(7, 60, &mut State::default()));
}

#[test]
fn states_are_as_their_schema_says() {
    let schema = Schema::load("tfstate-v4");
    for seed in 0..30 {
        let mut state = State { lineage: "l".into(), ..State::default() };
        life(seed, 60, &mut state);
        let bytes = v4::write(&state, &schemas());
        schema.check(std::str::from_utf8(&bytes).expect("text"));
        let again = v4::read(&bytes, &schemas()).expect("our own");
        state.in_doubt.clear();
        assert_eq!(again, state, "seed {seed}");
    }
    for writer in ["terraform-1.11.4", "plumb-0.1.0"] {
        for (_, bytes) in v4::tests::samples(writer) {
            schema.check(std::str::from_utf8(&bytes).expect("text"));
        }
    }
}

#[test]
fn lock_notes_are_as_their_schema_says() {
    let note = serde_json::to_string(&LockInfo::new("OperationTypeApply")).expect("JSON");
    Schema::load("lock-info").check(&note);
}

#[test]
#[should_panic(expected = "not known")]
fn the_checker_notices() {
    Schema::load("lock-info").check(
        r#"{"ID":"","Operation":"","Info":"","Who":"","Version":"","Created":"","Path":"","X":1}"#,
    );
}
