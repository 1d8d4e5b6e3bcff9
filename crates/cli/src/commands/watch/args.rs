//! The options of `watch`.

use clap::Args;
use plumb_diag::{Diagnostic, Diagnostics};
use plumb_watch::{Mode, Settings};

use crate::args::{BackupFlags, ViewFlags};
use crate::commands::drift::LookFlags;
use crate::context::duration;
use crate::planning;

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct WatchArgs {
    /// Tell what drifts and change nothing. This is what is done if nothing else is asked for
    #[arg(long, conflicts_with = "repair")]
    pub(crate) report: bool,
    /// Repair what drifts, as "apply -drift-only -auto-approve" would
    #[arg(long)]
    pub(crate) repair: bool,
    /// Look at everything this often, whatever the systems tell
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    pub(crate) interval: String,
    /// Look when a system tells of something and then nothing more for this long
    #[arg(long, value_name = "DURATION", default_value = "150ms")]
    pub(crate) debounce: String,
    /// Make at most so many changes in an hour
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) budget: u32,
    /// Let repairs delete and replace
    #[arg(long)]
    pub(crate) allow_destroy: bool,
    /// Let an object be for an hour once its repair has failed so often
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(crate) retries: u32,
    /// Let an object be for an hour once the same attribute went back to the same value after so many repairs within an hour
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) flips: u32,
    /// Serve /metrics, /healthz and /readyz at this address, such as 127.0.0.1:9469
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// Post what happens to this URL as JSON, signed with the secret in PLUMB_WEBHOOK_SECRET if there is one
    #[arg(long, value_name = "URL")]
    pub(crate) webhook: Option<String>,
    /// Read the secret of the webhook from this file
    #[arg(long, value_name = "PATH")]
    pub(crate) webhook_secret_file: Option<String>,
    #[command(flatten)]
    pub(crate) look: LookFlags,
    /// Produce output in a machine-readable JSON format
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) backup: BackupFlags,
    #[command(flatten)]
    pub(crate) view: ViewFlags,
}

impl WatchArgs {
    /// What they come to.
    pub(crate) fn settings(&self) -> Result<Settings, Diagnostics> {
        let mut errors = Diagnostics::new();
        let mut read = |name: &str, text: &str, least_ms: u64| {
            let ms = duration(text).and_then(|it| u64::try_from(it.as_millis()).ok());
            // A century is as good as any other long time, and can be added to.
            ms.filter(|it| (least_ms..3_155_760_000_000).contains(it)).unwrap_or_else(|| {
                let detail = match least_ms {
                    0 => format!("{text:?} is not a duration such as \"150ms\"."),
                    _ => format!("{text:?} is not a duration such as \"5m\", at least one second."),
                };
                errors.push(Diagnostic::error(format!("Invalid value for -{name}"), detail));
                least_ms
            })
        };
        let interval_ms = read("interval", &self.interval, 1_000);
        let quiet_ms = read("debounce", &self.debounce, 0);
        if !errors.is_empty() {
            return Err(errors);
        }
        let base = Settings::default();
        Ok(Settings {
            mode: if self.repair { Mode::Repair } else { Mode::Report },
            interval_ms,
            quiet_ms,
            quiet_ms_max: base.quiet_ms_max.max(quiet_ms),
            retries_max: self.retries.max(1),
            budget: self.budget,
            allow_destroy: self.allow_destroy,
            flips_max: self.flips.max(1),
            seed: planning::random(),
            ..base
        })
    }
}
