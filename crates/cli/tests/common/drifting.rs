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

    /// The finding at an address.
    #[track_caller]
    pub(crate) fn at(&self, address: &str) -> &Value {
        let findings = self.report["findings"].as_array().unwrap();
        let found = findings.iter().find(|it| it["address"] == address);
        found.unwrap_or_else(|| panic!("nothing at {address} in {:#}", self.report))
    }

    /// Which attributes moved there.
    #[track_caller]
    pub(crate) fn moved(&self, address: &str) -> Vec<&str> {
        let attributes = self.at(address)["attributes"].as_array().unwrap();
        attributes.iter().map(|it| it["path"].as_str().unwrap()).collect()
    }

    /// The exit code, and the findings, all of which count: address and class. An object may have two.
    #[track_caller]
    pub(crate) fn counts(&self, code: i32, expected: &[(&str, &str)]) {
        let text = |it: &Value, name: &str| it[name].as_str().unwrap().to_owned();
        let findings = self.report["findings"].as_array().unwrap().iter();
        let loud: Vec<&Value> = findings.filter(|it| it["standing"] != "quiet").collect();
        assert!(loud.iter().all(|it| it["counts"] == true), "{:#}", self.report);
        let mut found: Vec<_> =
            loud.iter().map(|it| (text(it, "address"), text(it, "class"))).collect();
        found.sort();
        let mut expected: Vec<_> =
            expected.iter().map(|it| (it.0.to_owned(), it.1.to_owned())).collect();
        expected.sort();
        assert_eq!((self.code, found), (code, expected), "{:#}", self.report);
    }
}

/// One of [`Drift::found`].
pub(crate) fn finding(address: &str, class: &str, standing: &str) -> (String, (String, String)) {
    (address.to_owned(), (class.to_owned(), standing.to_owned()))
}
