//! `watch`: tells drift as it happens, and repairs it if asked to. What is done when is decided in
//! `plumb_watch`; here it is done.

mod args;
mod disk;
mod follow;
mod metrics;
mod owed;
mod repair;
mod run;
mod serve;
mod sight;
mod signals;
mod systemd;
mod tell;
mod webhook;

use std::sync::Arc;

use plumb_diag::Diagnostics;
use plumb_watch::Mode;

use crate::context::Context;
use crate::ui::now;
use crate::variables::Typed;

pub(crate) use args::WatchArgs;

use metrics::Metrics;
use run::Run;
use sight::Sight;
use signals::Signals;
use webhook::Webhook;

/// Watches until somebody ends it.
pub(crate) async fn watch(
    context: &Context,
    args: &WatchArgs,
    typed: &[Typed],
) -> Result<i32, Diagnostics> {
    context.ui.begin_json();
    let settings = args.settings()?;
    let signals = Signals::new()?;
    let sight = Sight::open(context, args, typed)?;
    let metrics = Arc::new(Metrics::new());
    let webhook = Webhook::of(context, args, &metrics)?;
    let say = |text: &str| {
        if !context.ui.json {
            context.ui.print(&tell::said(text, &now()));
        }
    };
    if let Some(address) = &args.listen {
        let bound = serve::serve(address, metrics.clone()).await?;
        say(&format!("Metrics are at http://{bound}/metrics."));
    }
    let doing = match settings.mode {
        Mode::Report => "Drift is told",
        Mode::Repair => "Drift is told and repaired",
    };
    say(&format!(
        "Watching {} objects in workspace {}. {doing}.",
        sight.state.objects.len(),
        sight.prepared.backend.workspace
    ));
    let mut run = Run::new(context, args, typed, settings, sight, metrics, webhook);
    let code = run.until_ended(signals).await;
    run.end().await;
    Ok(code)
}
