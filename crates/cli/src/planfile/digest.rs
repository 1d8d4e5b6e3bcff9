//! Tells one plan from another, and one state from another.

use std::fmt::Write;
use std::hash::{Hash, Hasher};

use plumb_model::plan::{Action, Plan};
use plumb_model::state::State;
use plumb_model::value::Value;
use sha2::{Digest, Sha256};

/// SHA-256 of what is hashed. Not for other machines: numbers are written as this one has them.
#[derive(Default)]
struct Sum(Sha256);

impl Hasher for Sum {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        unreachable!("only the whole sum is asked for")
    }
}

impl Sum {
    fn text(&mut self, text: &str) {
        self.write(&(text.len() as u64).to_le_bytes());
        self.write(text.as_bytes());
    }

    fn debug(&mut self, it: &dyn std::fmt::Debug) {
        let mut text = String::new();
        let _ = write!(text, "{it:?}");
        self.text(&text);
    }

    fn value(&mut self, value: Option<&Value>) {
        value.hash(self);
    }

    fn hex(self) -> String {
        self.0.finalize().iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// Of what a plan does, and of the state that it starts from.
pub(crate) fn digest(plan: &Plan, state: &State) -> String {
    let mut sum = Sum::default();
    sum.text(&of_state(state));
    sum.write_u64(plan.run);
    for (key, change) in &plan.changes {
        sum.text(&key.to_string());
        let plain = change.moved_from.is_none() && change.importing.is_none();
        if change.action == Action::Keep && plain {
            // Most of a plan: what it is now is in the state, which is summed up already.
            sum.value(change.after.as_ref());
            continue;
        }
        sum.debug(&(change.action, change.reason, &change.replace_paths));
        sum.debug(&(&change.moved_from, &change.importing, &change.provider));
        sum.value(change.before.as_ref());
        sum.value(change.after.as_ref());
    }
    for (name, change) in &plan.outputs {
        sum.text(name);
        sum.value(change.before.as_ref());
        sum.value(change.after.as_ref());
    }
    for step in &plan.steps {
        sum.debug(&step.op);
        step.after.iter().for_each(|it| sum.write_u32(it.0));
    }
    sum.write_u64(plan.refresh.len() as u64);
    sum.hex()
}

/// Of what a state remembers, apart from its lineage and serial.
pub(crate) fn of_state(state: &State) -> String {
    let mut sum = Sum::default();
    for (key, object) in &state.objects {
        sum.text(&key.to_string());
        sum.value(Some(&object.attrs));
        object.private.hash(&mut sum);
        sum.write_u64(object.schema_version);
        sum.write_u8(u8::from(object.tainted));
        sum.write_u8(u8::from(object.create_before_destroy));
    }
    for (token, intent) in &state.in_doubt {
        sum.debug(&(token, &intent.action));
    }
    for (name, value) in &state.outputs {
        sum.text(name);
        sum.value(Some(value));
    }
    sum.hex()
}
