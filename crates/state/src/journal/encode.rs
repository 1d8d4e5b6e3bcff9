//! Events as JSON. Fields that say nothing (false, none) are left out.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use plumb_model::addr::{ConfigAddr, ObjectKey};
use plumb_model::event::{Effect, Event, Intended, Intent, Remote};
use plumb_model::state::{CheckResult, CheckStatus, Object};
use plumb_model::value::Value;
use plumb_model::value::json::write_string;
use plumb_model::value::tagged::write_tagged;

use super::{FORMAT, Folding, Header};

pub(super) fn header(header: &Header, out: &mut String) {
    let _ = write!(out, "{{\"plumb_journal\":{FORMAT},\"lineage\":");
    write_string(&header.lineage, out);
    let _ = write!(out, ",\"serial\":{}", header.serial);
}

pub(super) fn folding(folding: Folding, out: &mut String) {
    let Folding { serial, bytes, crc } = folding;
    let _ = write!(
        out,
        ",\"folding\":{{\"serial\":{serial},\"bytes\":{bytes},\"crc32\":\"{crc:08x}\"}}"
    );
}

/// An object, field by field. The names are ours: they need no escapes.
struct Fields<'a> {
    out: &'a mut String,
    first: bool,
}

fn fields(out: &mut String, write: impl FnOnce(&mut Fields<'_>)) {
    out.push('{');
    let mut fields = Fields { out, first: true };
    write(&mut fields);
    fields.out.push('}');
}

impl Fields<'_> {
    fn name(&mut self, name: &str) -> &mut String {
        if !std::mem::take(&mut self.first) {
            self.out.push(',');
        }
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
        self.out
    }

    fn text(&mut self, name: &str, text: &str) {
        write_string(text, self.name(name));
    }

    fn shown(&mut self, name: &str, shown: impl std::fmt::Display) {
        self.text(name, &shown.to_string());
    }

    fn number(&mut self, name: &str, number: u64) {
        let _ = write!(self.name(name), "{number}");
    }

    fn flag(&mut self, name: &str, set: bool) {
        if set {
            self.name(name).push_str("true");
        }
    }

    fn value(&mut self, name: &str, value: &Value) {
        write_tagged(value, self.name(name));
    }

    fn inner(&mut self, name: &str, write: impl FnOnce(&mut Fields<'_>)) {
        fields(self.name(name), write);
    }

    fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(T, &mut String),
    ) {
        let out = self.name(name);
        out.push('[');
        for (i, item) in items.into_iter().enumerate() {
            out.push_str(if i > 0 { "," } else { "" });
            write(item, out);
        }
        out.push(']');
    }

    fn key(&mut self, key: &ObjectKey) {
        self.shown("addr", &key.addr);
        if let Some(deposed) = &key.deposed {
            self.text("deposed", &deposed.0);
        }
    }

    fn private(&mut self, private: Option<&[u8]>) {
        if let Some(private) = private {
            let out = self.name("private");
            out.push('"');
            STANDARD.encode_string(private, out);
            out.push('"');
        }
    }

    fn needs(&mut self, needs: &[ConfigAddr]) {
        if !needs.is_empty() {
            self.list("needs", needs, |it, out| write_string(&it.to_string(), out));
        }
    }
}

pub(super) fn event(event: &Event, out: &mut String) {
    fields(out, |it| match event {
        Event::RunStarted { run } => {
            it.inner("run_started", |it| it.shown("run", format_args!("{run:016x}")));
        }
        Event::Moved { from, to } => it.inner("moved", |it| {
            it.shown("from", from);
            it.shown("to", to);
        }),
        Event::Drifted { key, attrs } => it.inner("drifted", |it| {
            it.key(key);
            it.value("attrs", attrs);
        }),
        Event::Seen { key, unmanaged } => it.inner("seen", |it| {
            it.key(key);
            if let Some(unmanaged) = unmanaged {
                it.value("unmanaged", unmanaged);
            }
        }),
        Event::Vanished { key } => it.inner("vanished", |it| it.key(key)),
        Event::Settled { token, left } => it.inner("settled", |it| {
            it.shown("token", token);
            effect(left, it.name("left"));
        }),
        Event::Started { token, intent } => it.inner("started", |it| {
            it.shown("token", token);
            it.inner("intent", |it| self::intent(intent, it));
        }),
        Event::Finished { token, left } => it.inner("finished", |it| {
            it.shown("token", token);
            effect(left, it.name("left"));
        }),
        Event::Recorded { key, object } => it.inner("recorded", |it| {
            it.key(key);
            it.inner("object", |it| self::object(object, it));
        }),
        Event::Forgotten { key } => it.inner("forgotten", |it| it.key(key)),
        Event::Output { name, value } => it.inner("output", |it| {
            it.text("name", name);
            if let Some(value) = value {
                it.value("value", value);
            }
        }),
        Event::Checked { results } => it.inner("checked", |it| {
            it.list("results", results, check);
        }),
    });
}

fn effect(effect: &Effect, out: &mut String) {
    match effect {
        Effect::Nothing => out.push_str("\"nothing\""),
        Effect::Deleted => out.push_str("\"deleted\""),
        Effect::Made(Remote { attrs, private, complete }) => fields(out, |it| {
            it.inner("made", |it| {
                it.value("attrs", attrs);
                it.private(private.as_deref());
                it.flag("complete", *complete);
            });
        }),
    }
}

fn intent(intent: &Intent, it: &mut Fields<'_>) {
    it.inner("action", |it| match &intent.action {
        Intended::Create { addr, retire } => it.inner("create", |it| {
            it.shown("addr", addr);
            if let Some(key) = retire {
                it.text("retire", &key.0);
            }
        }),
        Intended::Update { addr } => it.inner("update", |it| it.shown("addr", addr)),
        Intended::Delete { key } => it.inner("delete", |it| it.key(key)),
    });
    it.shown("provider", &intent.provider);
    it.value("planned", &intent.planned);
    it.number("schema_version", intent.schema_version);
    it.needs(&intent.needs);
    it.flag("create_before_destroy", intent.create_before_destroy);
}

fn object(object: &Object, it: &mut Fields<'_>) {
    it.value("attrs", &object.attrs);
    it.private(object.private.as_deref());
    it.number("schema_version", object.schema_version);
    it.shown("provider", &object.provider);
    it.needs(&object.needs);
    it.flag("tainted", object.tainted);
    it.flag("create_before_destroy", object.create_before_destroy);
    if let Some(unmanaged) = &object.unmanaged {
        it.value("unmanaged", unmanaged);
    }
}

fn check(check: &CheckResult, out: &mut String) {
    fields(out, |it| {
        it.text("object_kind", check.object_kind);
        it.text("config_addr", &check.config_addr);
        it.text("status", status(check.status));
        it.list("objects", &check.objects, |(addr, outcome, messages), out| {
            fields(out, |it| {
                it.text("addr", addr);
                it.text("status", status(*outcome));
                if !messages.is_empty() {
                    it.list("messages", messages, |text, out| write_string(text, out));
                }
            });
        });
    });
}

fn status(status: CheckStatus) -> &'static str {
    match status {
        CheckStatus::Pass => "pass",
        CheckStatus::Fail => "fail",
        CheckStatus::Error => "error",
        CheckStatus::Unknown => "unknown",
    }
}
