//! The terminal: what is written where and how it may look, and what a person is asked.

use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

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
    /// What was said, if reports are to be made of it.
    said: Option<Mutex<Said>>,
}

/// Diagnostics that were shown, and the texts that they point into.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said {
    pub(crate) diagnostics: Diagnostics,
    pub(crate) sources: Sources,
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
            said: None,
        }
    }

    /// From now on lines of JSON go to a file besides, nothing for people to standard output if a
    /// report goes there, and what is said is kept if a report is made of it.
    pub(crate) fn beside(&mut self, events: Option<EventFile>, muted: bool, kept: bool) {
        self.events = events;
        self.muted = muted;
        self.said = kept.then(Mutex::default);
        if muted {
            self.out = Style::PLAIN;
        }
    }

    /// What was said so far. The texts that are shown now are among those of it.
    pub(crate) fn said(&self) -> Said {
        let mut said = self.said.as_ref().map(|it| locked(it).clone()).unwrap_or_default();
        said.sources.extend(&locked(&self.sources));
        said
    }

    /// Keeps diagnostics for reports that were shown in another way.
    pub(crate) fn remember(&self, diagnostics: &[Diagnostic]) {
        let Some(said) = &self.said else { return };
        let (mut said, sources) = (locked(said), locked(&self.sources));
        for it in diagnostics {
            let spans = it.span.into_iter().chain(it.related.iter().map(|it| it.span));
            for id in spans.map(|it| it.file) {
                if let Some(file) = sources.file(id) {
                    said.sources.keep(id, file.clone());
                }
            }
            said.diagnostics.push(it.clone());
        }
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

    /// Texts that diagnostics show from now on. Those that point elsewhere are shown without a text.
    pub(crate) fn show_from(&self, sources: &Sources) {
        *locked(&self.sources) = sources.clone();
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
        let sources = locked(&self.sources);
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

fn locked<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}
