//! What cannot be, said of a configuration before anything is done. What is not known yet is let
//! through; it is checked once more before the call.

use std::net::Ipv4Addr;

use plumb_model::schema::Problem;
use plumb_model::value::{Path, Value};
use plumb_netns::spec::Cidr;

use crate::text::{Words, address_or_cidr, bad_name, bytes, cidr, mac, meant, thousandths};

/// Arguments of one block, and what is wrong with them.
pub(crate) struct Check<'a> {
    object: &'a Value,
    at: Path,
    problems: Vec<Problem>,
}

impl<'a> Check<'a> {
    /// The problems of a configuration.
    pub(crate) fn of(config: &'a Value, check: impl FnOnce(&mut Check<'a>)) -> Vec<Problem> {
        let mut all = Check { object: config, at: Path::default(), problems: Vec::new() };
        check(&mut all);
        all.problems
    }

    /// The same of every nested block, however it is nested.
    pub(crate) fn each(&mut self, name: &str, mut check: impl FnMut(&mut Check<'a>)) {
        let Some(blocks) = self.object.get_attr(name).filter(|it| it.is_present()) else { return };
        let at = self.at.clone().attr(name);
        let single = [(None, blocks)];
        let items: Vec<_> = match blocks.as_slice() {
            Some(_) => blocks.elements().map(|(key, it)| (Some(key), it)).collect(),
            None => single.into(),
        };
        for (key, object) in items.into_iter().filter(|(_, it)| it.is_present()) {
            let at = key.map_or_else(|| at.clone(), |it| at.clone().index(it));
            let mut inner = Check { object, at, problems: Vec::new() };
            check(&mut inner);
            self.problems.append(&mut inner.problems);
        }
    }

    /// An argument is at fault.
    pub(crate) fn refuse(&mut self, name: &str, summary: &str, detail: impl Into<String>) {
        let (path, summary) = (self.at.clone().attr(name), summary.to_owned());
        self.problems.push(Problem { path, summary, detail: detail.into() });
    }

    /// The block is.
    pub(crate) fn refuse_all(&mut self, summary: &str, detail: &str) {
        let (path, summary) = (self.at.clone(), summary.to_owned());
        self.problems.push(Problem { path, summary, detail: detail.to_owned() });
    }

    fn known(&self, name: &str) -> Option<&'a Value> {
        self.object.get_attr(name).filter(|it| it.is_present())
    }

    /// Whether an argument is there and says something.
    pub(crate) fn given(&self, name: &str) -> bool {
        self.known(name).is_some_and(|it| it.as_slice().is_none_or(|it| !it.is_empty()))
    }

    /// Whether an argument is certain not to be there.
    pub(crate) fn left_out(&self, name: &str) -> bool {
        self.object.get_attr(name).is_none_or(Value::is_null)
    }

    /// A text, if it is known.
    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        self.known(name)?.as_str()
    }

    /// A name of an object.
    pub(crate) fn name(&mut self, name: &str) {
        if let Some((text, why)) = self.text(name).and_then(|it| Some((it, bad_name(it)?))) {
            self.refuse(name, "Invalid name", format!("{text:?} cannot be a name. {why}"));
        }
    }

    /// One of some words.
    pub(crate) fn word<T: Copy>(&mut self, name: &str, words: Words<T>) -> Option<T> {
        let text = self.text(name)?;
        let found = meant(words, text);
        if found.is_none() {
            let all: Vec<_> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
            let detail = format!("{text:?} is none of {}.", all.join(", "));
            self.refuse(name, &format!("Invalid {name}"), detail);
        }
        found
    }

    /// A number, whole or not.
    pub(crate) fn decimal(&self, name: &str) -> Option<f64> {
        Some(self.known(name)?.as_number()?.to_f64())
    }

    /// A whole number in a range.
    pub(crate) fn number(&mut self, name: &str, min: i64, max: i64) -> Option<i64> {
        let value = self.known(name)?.as_number()?;
        let fits = value.to_i64().filter(|it| (min..=max).contains(it));
        if fits.is_none() {
            let detail = format!("{value} is not a whole number from {min} to {max}.");
            self.refuse(name, &format!("Invalid {name}"), detail);
        }
        fits
    }

    /// An address.
    pub(crate) fn address(&mut self, name: &str) -> Option<Ipv4Addr> {
        let text = self.text(name)?;
        let found = text.parse().ok();
        if found.is_none() {
            let detail = format!("{text:?} is not an IPv4 address, such as 10.0.0.1.");
            self.refuse(name, "Invalid address", detail);
        }
        found
    }

    /// An address with its subnet.
    pub(crate) fn cidr(&mut self, name: &str) -> Option<Cidr> {
        let text = self.text(name)?;
        let found = cidr(text);
        if found.is_none() {
            let detail = format!(
                "{text:?} is not an IPv4 address with a prefix length, such as 10.0.0.0/24."
            );
            self.refuse(name, "Invalid CIDR", detail);
        }
        found
    }

    /// A subnet: no bit right of the prefix is set.
    pub(crate) fn subnet(&mut self, name: &str) -> Option<Cidr> {
        let found = self.cidr(name)?;
        if !found.is_subnet() {
            let detail = format!("{found} has bits set right of its prefix: {}.", found.network());
            self.refuse(name, "Not a subnet", detail);
            return None;
        }
        Some(found)
    }

    /// What a port and a host's interface have in common.
    pub(crate) fn place(&mut self) {
        self.address("address");
        if let Some(text) = self.text("mac").filter(|it| mac(it).is_none()) {
            let detail = format!(
                "{text:?} is not the hardware address of one card, such as 02:00:00:00:00:01; an odd first byte is a group's."
            );
            self.refuse("mac", "Invalid hardware address", detail);
        }
        for text in self.texts("allowed_addresses") {
            match address_or_cidr(text) {
                Some(it) if it.is_subnet() => {}
                Some(it) => {
                    let detail =
                        format!("{it} has bits set right of its prefix: {}.", it.network());
                    self.refuse("allowed_addresses", "Not a subnet", detail);
                }
                None => {
                    let detail = format!("{text:?} is neither an IPv4 address nor a subnet.");
                    self.refuse("allowed_addresses", "Invalid address", detail);
                }
            }
        }
    }

    fn texts(&self, name: &str) -> Vec<&'a str> {
        let items = self.known(name).into_iter().flat_map(Value::values);
        items.filter_map(Value::as_str).collect()
    }

    /// A program and its arguments.
    pub(crate) fn command(&mut self, name: &str, required: bool) {
        let Some(items) = self.known(name).and_then(Value::as_slice) else { return };
        let empty = |it: &Value| it.is_known() && it.as_str().is_none_or(str::is_empty);
        let no_program = items.first().map_or(required, empty);
        if no_program {
            self.refuse(name, "Empty command", "Its first element names the program.");
        }
        self.no_nul(name);
    }

    /// Names and values of an environment.
    pub(crate) fn environment(&mut self, name: &str) {
        let keys = self.known(name).and_then(Value::as_map).into_iter().flat_map(|it| it.keys());
        for key in keys.filter(|it| it.is_empty() || it.contains(['=', '\0'])) {
            let detail = format!("{:?} cannot be the name of a variable.", &**key);
            self.refuse(name, "Invalid environment", detail);
        }
        self.no_nul(name);
    }

    /// Paths of files, which stay inside.
    pub(crate) fn files(&mut self, name: &str) {
        let keys = self.known(name).and_then(Value::as_map).into_iter().flat_map(|it| it.keys());
        for key in keys {
            let inside = key.strip_prefix('/').is_some_and(|it| {
                it.split('/').all(|it| !matches!(it, "" | "." | "..")) && !it.contains('\0')
            });
            if !inside {
                let detail = format!(
                    "{:?} is not the path of a file: it starts at the host's own /, and has no empty part, `.` or `..`.",
                    &**key
                );
                self.refuse(name, "Invalid path", detail);
            }
        }
    }

    fn no_nul(&mut self, name: &str) {
        if self.texts(name).iter().any(|it| it.contains('\0')) {
            self.refuse(name, "Invalid text", "The kernel takes no NUL character here.");
        }
    }

    /// What a host may use.
    pub(crate) fn limits(&mut self) {
        if let Some(text) = self.text("memory").filter(|it| bytes(it).is_none()) {
            let detail = format!("{text:?} is not a size, such as 64m, 1g, or bytes.");
            self.refuse("memory", "Invalid size", detail);
        }
        self.number("pids", 1, 4_194_304);
        let cpu = self.known("cpu").and_then(Value::as_number);
        if let Some(it) = cpu.filter(|it| thousandths(it.to_f64()).is_none()) {
            let detail = format!("{it} is not a number of processors, such as 0.5.");
            self.refuse("cpu", "Invalid number of processors", detail);
        }
    }
}
