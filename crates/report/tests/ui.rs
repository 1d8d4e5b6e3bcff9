//! What is said while a command runs.

use std::time::Duration;

use plumb_model::addr::{Addr, DeposedKey, ObjectKey};
use plumb_model::plan::Plan;
use plumb_report::{
    Counts, Doing, Moment, Operation, Style, complete_text, progress_line, progress_text,
    refresh_line, refresh_text, seconds, summary_json_line, version_line,
};

fn key(addr: &str) -> ObjectKey {
    addr.parse::<Addr>().expect("an address").current()
}

const TIME: &str = "2026-11-23T22:36:51.341644Z";

/// Lines that Terraform wrote, with the time above.
#[test]
fn lines_for_machines() {
    let start = r#"{"@level":"info","@message":"terraform_data.b[1]: Creating...","@module":"terraform.ui","@timestamp":"2026-11-23T22:36:51.341644Z","hook":{"resource":{"addr":"terraform_data.b[1]","module":"","resource":"terraform_data.b[1]","implied_provider":"terraform","resource_type":"terraform_data","resource_name":"b","resource_key":1},"action":"create"},"type":"apply_start"}
"#;
    let ours =
        progress_line(&key("terraform_data.b[1]"), Doing::Create, Moment::Started, None, TIME);
    assert_eq!(ours, start);
    let done = r#"{"@level":"info","@message":"terraform_data.b[1]: Creation complete after 0s [id=a64c]","@module":"terraform.ui","@timestamp":"2026-11-23T22:36:51.341644Z","hook":{"resource":{"addr":"terraform_data.b[1]","module":"","resource":"terraform_data.b[1]","implied_provider":"terraform","resource_type":"terraform_data","resource_name":"b","resource_key":1},"action":"create","id_key":"id","id_value":"a64c","elapsed_seconds":0},"type":"apply_complete"}
"#;
    let moment = Moment::Done(Duration::from_millis(300));
    let ours =
        progress_line(&key("terraform_data.b[1]"), Doing::Create, moment, Some("a64c"), TIME);
    assert_eq!(ours, done);
    let running = r#"{"@level":"info","@message":"terraform_data.a: Still creating... [10s elapsed]","@module":"terraform.ui","@timestamp":"2026-11-23T22:36:51.341644Z","hook":{"resource":{"addr":"terraform_data.a","module":"","resource":"terraform_data.a","implied_provider":"terraform","resource_type":"terraform_data","resource_name":"a","resource_key":null},"action":"create","elapsed_seconds":10},"type":"apply_progress"}
"#;
    let moment = Moment::Running(Duration::from_secs(10));
    assert_eq!(progress_line(&key("terraform_data.a"), Doing::Create, moment, None, TIME), running);
    let read = r#"{"@level":"info","@message":"data.terraform_remote_state.r: Refresh complete after 0s","@module":"terraform.ui","@timestamp":"2026-11-23T22:36:51.341644Z","hook":{"resource":{"addr":"data.terraform_remote_state.r","module":"","resource":"data.terraform_remote_state.r","implied_provider":"terraform","resource_type":"terraform_remote_state","resource_name":"r","resource_key":null},"action":"read","elapsed_seconds":0},"type":"apply_complete"}
"#;
    let moment = Moment::Done(Duration::ZERO);
    let ours =
        progress_line(&key("data.terraform_remote_state.r"), Doing::Read, moment, None, TIME);
    assert_eq!(ours, read);
    let refreshed = r#"{"@level":"info","@message":"module.m[\"k\"].terraform_data.x: Refresh complete [id=1]","@module":"terraform.ui","@timestamp":"2026-11-23T22:36:51.341644Z","hook":{"resource":{"addr":"module.m[\"k\"].terraform_data.x","module":"module.m[\"k\"]","resource":"terraform_data.x","implied_provider":"terraform","resource_type":"terraform_data","resource_name":"x","resource_key":null},"id_key":"id","id_value":"1"},"type":"refresh_complete"}
"#;
    assert_eq!(refresh_line(&key("module.m[\"k\"].terraform_data.x"), "1", true, TIME), refreshed);
    let version = r#"{"@level":"info","@message":"Plumb 0.1.0","@module":"terraform.ui","@timestamp":"2026-11-23T22:36:51.341644Z","terraform":"0.1.0","type":"version","ui":"1.2"}
"#;
    assert_eq!(version_line("0.1.0", TIME), version);
    let summary = r#"{"@level":"info","@message":"Destroy complete! Resources: 4 destroyed.","@module":"terraform.ui","@timestamp":"2026-11-23T22:36:51.341644Z","changes":{"add":0,"change":0,"import":0,"remove":4,"operation":"destroy"},"type":"change_summary"}
"#;
    let counts = Counts { remove: 4, ..Counts::default() };
    assert_eq!(summary_json_line(counts, Operation::Destroy, &Plan::default(), TIME), summary);
}

#[test]
fn lines_for_people() {
    let a = key("box.a");
    let say = |doing, moment, id| progress_text(&a, doing, moment, id, Style::PLAIN);
    let ten = Duration::from_secs(10);
    let long = Duration::from_secs(3671);
    assert_eq!(say(Doing::Create, Moment::Started, None), "box.a: Creating...");
    assert_eq!(
        say(Doing::Create, Moment::Running(ten), None),
        "box.a: Still creating... [10s elapsed]"
    );
    assert_eq!(
        say(Doing::Create, Moment::Done(ten), Some("1")),
        "box.a: Creation complete after 10s [id=1]"
    );
    assert_eq!(say(Doing::Create, Moment::Failed(ten), None), "box.a: Creation errored after 10s");
    assert_eq!(say(Doing::Update, Moment::Started, Some("1")), "box.a: Modifying... [id=1]");
    assert_eq!(
        say(Doing::Update, Moment::Running(long), Some("1")),
        "box.a: Still modifying... [id=1, 1h1m11s elapsed]"
    );
    assert_eq!(say(Doing::Delete, Moment::Started, Some("1")), "box.a: Destroying... [id=1]");
    assert_eq!(
        say(Doing::Delete, Moment::Done(ten), Some("1")),
        "box.a: Destruction complete after 10s"
    );
    assert_eq!(say(Doing::Read, Moment::Started, None), "box.a: Reading...");
    assert_eq!(say(Doing::Read, Moment::Done(ten), None), "box.a: Read complete after 10s");
    assert_eq!(refresh_text(&a, "1", Style::PLAIN), "box.a: Refreshing state... [id=1]");
    let old = ObjectKey { deposed: Some(DeposedKey("0a1b2c3d".into())), ..a };
    assert_eq!(
        progress_text(&old, Doing::Delete, Moment::Started, Some("1"), Style::PLAIN),
        "box.a (deposed object 0a1b2c3d): Destroying... [id=1]"
    );
    assert_eq!(seconds(Duration::from_secs(60)), "1m0s");
}

#[test]
fn what_was_done() {
    let counts = Counts { add: 1, import: 2, ..Counts::default() };
    let text = complete_text(counts, Operation::Apply, Style::PLAIN);
    assert_eq!(text, "Apply complete! Resources: 2 imported, 1 added, 0 changed, 0 destroyed.");
    let counts = Counts { remove: 3, ..Counts::default() };
    let text = complete_text(counts, Operation::Destroy, Style::PLAIN);
    assert_eq!(text, "Destroy complete! Resources: 3 destroyed.");
}
