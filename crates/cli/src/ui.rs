//! The terminal: what is written where and how it may look, and what a person is asked.

use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::Mutex;

use plumb_diag::{Diagnostic, Sources};
use plumb_report::{
    Style, diagnostic_line, diagnostic_text, diagnostics_text_compact, version_line,
};

use crate::VERSION;
use crate::args::ViewFlags;

/// Standard output, standard error and standard input.
#[derive(Debug)]
pub(crate) struct Ui {
    /// How standard output may look.
    pub(crate) out: Style,
    err: Style,
    /// Whether everything is written as lines of JSON.
    pub(crate) json: bool,
    compact: bool,
    sources: Mutex<Sources>,
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
            sources: Mutex::default(),
        }
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
        let mut out = io::stdout().lock();
        // Whoever reads may have gone; there is nobody left to tell.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// Writes a line for people; nothing when machines listen.
    pub(crate) fn say(&self, line: &str) {
        if !self.json {
            self.print(&format!("{line}\n"));
        }
    }

    /// Shows diagnostics: errors on standard error, warnings on standard output.
    pub(crate) fn diagnostics(&self, diagnostics: &[Diagnostic]) {
        let sources = self.lock();
        if self.json {
            let lines: String =
                diagnostics.iter().map(|it| diagnostic_line(it, &sources, &now())).collect();
            return self.print(&lines);
        }
        let (errors, warnings): (Vec<_>, Vec<_>) =
            diagnostics.iter().cloned().partition(Diagnostic::is_error);
        if self.compact && errors.is_empty() && !warnings.is_empty() {
            self.print(&diagnostics_text_compact(&warnings, &sources, self.out));
        } else {
            warnings.iter().for_each(|it| self.print(&diagnostic_text(it, &sources, self.out)));
        }
        let text: String =
            errors.iter().map(|it| diagnostic_text(it, &sources, self.err)).collect();
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    /// The first line of `-json` output.
    pub(crate) fn begin_json(&self) {
        if self.json {
            self.print(&version_line(VERSION, &now()));
        }
    }

    /// Asks for one line. None: there is nobody, or nothing more to read.
    pub(crate) fn ask(&self, question: &str, secret: bool) -> Option<String> {
        self.print(&format!("{question}\n\n  Enter a value: "));
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
