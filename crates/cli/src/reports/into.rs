//! The stream of events in a file, beside what people read.

use std::fs::File;
use std::io::Write;
use std::sync::Mutex;

use plumb_diag::{Diagnostic, Diagnostics};

/// A file that lines are written to as they come, so that somebody may follow; it may be a pipe.
#[derive(Debug)]
pub(crate) struct EventFile {
    path: String,
    /// The file, until something goes wrong.
    file: Mutex<Result<File, std::io::Error>>,
}

impl EventFile {
    /// Opens it: a run whose record cannot be begun does not begin.
    pub(crate) fn create(path: &str) -> Result<EventFile, Diagnostics> {
        // A dash means standard output elsewhere; here that is what -json is for.
        if path == "-" {
            let detail = "-json-into needs a file. To have it on standard output, say -json.";
            return Err(vec![Diagnostic::error("A report could not be written", detail)]);
        }
        let file = File::create(path).map_err(|error| cannot(path, &error))?;
        Ok(EventFile { path: path.to_owned(), file: Mutex::new(Ok(file)) })
    }

    /// Writes a line or more. The work goes on if that fails; [`EventFile::close`] tells.
    pub(crate) fn write(&self, lines: &str) {
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Ok(open) = &mut *file
            && let Err(error) = open.write_all(lines.as_bytes())
        {
            *file = Err(error);
        }
    }

    /// Whether everything was written.
    pub(crate) fn close(&self) -> Result<(), Diagnostics> {
        let mut file = self.file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match &mut *file {
            Ok(open) => open.flush().map_err(|error| cannot(&self.path, &error)),
            Err(error) => Err(cannot(&self.path, error)),
        }
    }
}

fn cannot(path: &str, error: &std::io::Error) -> Diagnostics {
    let detail = format!("{path} could not be written: {error}.");
    vec![Diagnostic::error("A report could not be written", detail)]
}
