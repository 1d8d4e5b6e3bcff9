//! One run of `plumb drift -json`, and what it found.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

pub(crate) struct Drift {
    pub(crate) code: i32,
    pub(crate) report: Value,
}

impl Drift {
    /// Of a command that writes the report to its standard output.
    #[track_caller]
    pub(crate) fn of(command: &mut Command) -> Drift {
        let done = command.output().unwrap();
        let report = serde_json::from_slice(&done.stdout).unwrap_or_else(|error| {
            let said = [done.stdout, done.stderr].concat();
            panic!("{error}: {}", String::from_utf8_lossy(&said))
        });
        Drift { code: done.status.code().unwrap(), report }
    }

    /// Class and standing by address.
    pub(crate) fn found(&self) -> BTreeMap<String, (String, String)> {
        let text = |it: &Value| it.as_str().unwrap().to_owned();
        let findings = self.report["findings"].as_array().unwrap().iter();
        findings
            .map(|it| (text(&it["address"]), (text(&it["class"]), text(&it["standing"]))))
            .collect()
    }

    /// The first finding at an address that is not quiet.
    #[track_caller]
    pub(crate) fn at(&self, address: &str) -> &Value {
        let findings = self.report["findings"].as_array().unwrap();
        let mut loud = findings.iter().filter(|it| it["standing"] != "quiet");
        let found = loud.find(|it| it["address"] == address);
        found.unwrap_or_else(|| panic!("nothing at {address} in {:#}", self.report))
    }

    /// Which attributes moved there.
    #[track_caller]
    pub(crate) fn moved(&self, address: &str) -> Vec<&str> {
        let attributes = self.at(address)["attributes"].as_array().unwrap();
        attributes.iter().map(|it| it["path"].as_str().unwrap()).collect()
    }

    /// The exit code, and the findings, which all count: address and class. An object may have two.
    #[track_caller]
    pub(crate) fn counts(&self, code: i32, expected: &[(&str, &str)]) {
        self.stands(code, "counts", expected);
    }

    /// The same where all findings but quiet ones have this standing.
    #[track_caller]
    pub(crate) fn stands(&self, code: i32, standing: &str, expected: &[(&str, &str)]) {
        let findings = self.report["findings"].as_array().unwrap().iter();
        let text = |it: &Value, name: &str| it[name].as_str().unwrap().to_owned();
        let mut found: Vec<_> = findings
            .filter(|it| it["standing"] != "quiet")
            .map(|it| (text(it, "address"), text(it, "class"), text(it, "standing")))
            .collect();
        found.sort();
        let own = |it: &(&str, &str)| (it.0.to_owned(), it.1.to_owned(), standing.to_owned());
        let mut expected: Vec<_> = expected.iter().map(own).collect();
        expected.sort();
        assert_eq!((self.code, found), (code, expected), "{:#}", self.report);
    }
}

/// One of [`Drift::found`].
pub(crate) fn finding(address: &str, class: &str, standing: &str) -> (String, (String, String)) {
    (address.to_owned(), (class.to_owned(), standing.to_owned()))
}
