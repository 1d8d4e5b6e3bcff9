//! The terminal: what is written where and how it may look, and what a person is asked.

use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::Mutex;

use plumb_diag::{Diagnostic, Diagnostics, Sources};
use plumb_report::{
    Style, diagnostic_line, diagnostic_text, diagnostics_text_compact, version_line,
};

use crate::VERSION;
use crate::args::ViewFlags;
use crate::reports::EventFile;

/// Standard output, standard error and standard input.
#[derive(Debug)]
pub(crate) struct Ui {
    /// How standard output may look.
    pub(crate) out: Style,
    err: Style,
    /// Whether everything is written as lines of JSON.
    pub(crate) json: bool,
    compact: bool,
    /// A report takes the place of what people read on standard output.
    muted: bool,
    /// Where the lines of JSON go besides.
    events: Option<EventFile>,
    sources: Mutex<Sources>,
    said: Mutex<Diagnostics>,
}

/// Now, as lines of JSON say it.
pub(crate) fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}

impl Ui {
    /// A view as the options ask for.
    pub(crate) fn new(view: &ViewFlags, json: bool) -> Ui {
        let plain = view.no_color || std::env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty());
        let style = |terminal: bool, size: Option<(u16, u16)>| {
            let width = size.map_or(Style::PLAIN.width, |it| usize::from(it.1).clamp(41, 200) - 1);
            let base = if plain || !terminal { Style::PLAIN } else { Style::COLOUR };
            // Frames are for people, colours or not.
            Style { width, frame: !view.no_color, ..base }
        };
        let (out, err) = (console::Term::stdout(), console::Term::stderr());
        Ui {
            out: style(io::stdout().is_terminal(), out.size_checked()),
            err: style(io::stderr().is_terminal(), err.size_checked()),
            json,
            compact: view.compact_warnings,
            muted: false,
            events: None,
            sources: Mutex::default(),
            said: Mutex::default(),
        }
    }

    /// From now on lines of JSON go to a file besides, and nothing for people to standard output if
    /// a report goes there.
    pub(crate) fn beside(&mut self, events: Option<EventFile>, muted: bool) {
        self.events = events;
        self.muted = muted;
        if muted {
            self.out = Style::PLAIN;
        }
    }

    /// What was said, and the texts that it points into.
    pub(crate) fn said(&self) -> (Diagnostics, Sources) {
        let said = self.said.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        (said, self.lock().clone())
    }

    /// Keeps diagnostics for reports that were shown in another way.
    pub(crate) fn remember(&self, diagnostics: &[Diagnostic]) {
        let mut said = self.said.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        said.extend(diagnostics.iter().cloned());
    }

    /// Writes lines of JSON to where they go, if they go anywhere.
    pub(crate) fn event(&self, lines: impl FnOnce() -> String) {
        if !self.json && self.events.is_none() {
            return;
        }
        let lines = lines();
        if self.json {
            self.print(&lines);
        }
        if let Some(events) = &self.events {
            events.write(&lines);
        }
    }

    /// Whether all lines of JSON came to where they were to go.
    pub(crate) fn close_events(&self) -> Result<(), Diagnostics> {
        self.events.as_ref().map_or(Ok(()), EventFile::close)
    }

    /// Writes a report to standard output.
    pub(crate) fn deliver(&self, report: &str) {
        let mut out = io::stdout().lock();
        let _ = out.write_all(report.as_bytes()).and_then(|()| out.flush());
    }

    /// Tells the runner of a pipeline, which reads both outputs, on the one that no program parses.
    pub(crate) fn command(&self, commands: &str) {
        let _ = io::stderr().lock().write_all(commands.as_bytes());
    }

    /// Texts that diagnostics show from now on.
    pub(crate) fn show_from(&self, sources: &Sources) {
        *self.lock() = sources.clone();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Sources> {
        self.sources.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Writes to standard output as it is.
    pub(crate) fn print(&self, text: &str) {
        if !self.muted {
            // Whoever reads may have gone; there is nobody left to tell.
            self.deliver(text);
        }
    }

    /// Writes a line for people; nothing when machines listen.
    pub(crate) fn say(&self, line: &str) {
        if !self.json {
            self.print(&format!("{line}\n"));
        }
    }

    /// Shows diagnostics: errors on standard error, warnings on standard output.
    pub(crate) fn diagnostics(&self, diagnostics: &[Diagnostic]) {
        self.remember(diagnostics);
        let sources = self.lock();
        self.event(|| diagnostics.iter().map(|it| diagnostic_line(it, &sources, &now())).collect());
        if self.json {
            return;
        }
        let (errors, warnings): (Vec<_>, Vec<_>) =
            diagnostics.iter().cloned().partition(Diagnostic::is_error);
        if self.compact && errors.is_empty() && !warnings.is_empty() {
            self.warn(&diagnostics_text_compact(&warnings, &sources, self.out));
        } else {
            warnings.iter().for_each(|it| self.warn(&diagnostic_text(it, &sources, self.out)));
        }
        let text: String =
            errors.iter().map(|it| diagnostic_text(it, &sources, self.err)).collect();
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// A warning goes where people read.
    fn warn(&self, text: &str) {
        if self.muted { self.command(text) } else { self.print(text) }
    }

    /// The first line of `-json` output.
    pub(crate) fn begin_json(&self) {
        self.event(|| version_line(VERSION, &now()));
    }

    /// Asks for one line. None: there is nobody, or nothing more to read.
    pub(crate) fn ask(&self, question: &str, secret: bool) -> Option<String> {
        let prompt = format!("{question}\n\n  Enter a value: ");
        self.warn(&prompt);
        let answer = if secret && io::stdin().is_terminal() {
            console::Term::stdout().read_secure_line().ok()
        } else {
            let mut line = String::new();
            match io::stdin().lock().read_line(&mut line) {
                Ok(0) | Err(_) => None,
                Ok(_) => Some(line),
            }
        };
        self.print("\n");
        answer.map(|it| it.trim_end_matches(['\r', '\n']).to_owned())
    }
}
