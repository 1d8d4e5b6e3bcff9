//! What is seen while the engine works: a line for each beginning and end, spinners and bars on a
//! terminal, JSON for machines.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use plumb_engine::{Notice, Observer, Provisioning};
use plumb_model::addr::ObjectKey;
use plumb_report::{
    Doing, Moment, Provision, progress_line, progress_text, provision_line, provision_text,
    refresh_line, refresh_text, seconds,
};

use crate::ui::{Ui, now};

/// How often somebody who waits is told that it goes on.
const STILL: Duration = Duration::from_secs(10);

/// The one kind of provisioner that there is.
const LOCAL_EXEC: &str = "local-exec";

/// Watches the engine.
pub(crate) struct Screen {
    ui: Arc<Ui>,
    /// On a terminal.
    live: Option<MultiProgress>,
    running: Mutex<BTreeMap<ObjectKey, Running>>,
}

struct Running {
    doing: Doing,
    since: Instant,
    told: Instant,
    id: Option<String>,
    bar: Option<ProgressBar>,
}

impl Screen {
    /// A screen that also tells every ten seconds what is still going on.
    pub(crate) fn new(ui: &Arc<Ui>) -> Arc<Screen> {
        let live = ui.out.colour && !ui.json;
        let screen = Arc::new(Screen {
            ui: ui.clone(),
            live: live.then(MultiProgress::new),
            running: Mutex::default(),
        });
        let watched = Arc::downgrade(&screen);
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(Duration::from_secs(1));
            while let Some(screen) = watched.upgrade() {
                screen.still();
                drop(screen);
                tick.tick().await;
            }
        });
        screen
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<ObjectKey, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn print(&self, line: &str) {
        match &self.live {
            Some(live) if !self.running().is_empty() => {
                let _ = live.println(line);
            }
            _ => self.ui.print(&format!("{line}\n")),
        }
    }

    fn tell(&self, key: &ObjectKey, doing: Doing, moment: Moment, id: Option<&str>) {
        self.ui.event(|| progress_line(key, doing, moment, id, &now()));
        if !self.ui.json {
            self.print(&progress_text(key, doing, moment, id, self.ui.out));
        }
    }

    fn still(&self) {
        let mut due = Vec::new();
        for (key, it) in self.running().iter_mut() {
            if let Some(bar) = &it.bar {
                bar.tick();
            }
            if it.told.elapsed() >= STILL && self.live.is_none() {
                it.told = Instant::now();
                due.push((key.clone(), it.doing, it.since.elapsed(), it.id.clone()));
            }
        }
        for (key, doing, elapsed, id) in due {
            self.tell(&key, doing, Moment::Running(elapsed), id.as_deref());
        }
    }

    fn start(&self, key: &ObjectKey, doing: Doing, id: Option<&str>) {
        self.tell(key, doing, Moment::Started, id);
        let bar = self.live.as_ref().map(|live| {
            let bar = live.add(ProgressBar::new_spinner().with_style(spinner()));
            bar.set_prefix(key.to_string());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        let now = Instant::now();
        let id = id.map(str::to_owned);
        self.running().insert(key.clone(), Running { doing, since: now, told: now, id, bar });
    }

    fn end(&self, key: &ObjectKey) {
        if let Some(Running { bar: Some(bar), .. }) = self.running().remove(key) {
            bar.finish_and_clear();
        }
    }

    fn progress(&self, key: &ObjectKey, message: &str, amount: Option<(u64, u64)>) {
        let running = self.running();
        let Some(Running { bar: Some(bar), since, .. }) = running.get(key) else { return };
        match amount {
            Some((done, total)) if total > 0 => {
                if bar.length() != Some(total) {
                    bar.set_style(if total > 4096 { bytes() } else { steps() });
                    bar.set_length(total);
                }
                bar.set_position(done);
            }
            _ => {}
        }
        bar.set_message(format!("{message} [{}]", seconds(since.elapsed())));
    }
}

fn template(text: &str) -> ProgressStyle {
    ProgressStyle::with_template(text).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn spinner() -> ProgressStyle {
    template("{spinner:.cyan} {prefix:.bold} {elapsed:.dim} {wide_msg:.dim}")
}

fn bytes() -> ProgressStyle {
    template(
        "{spinner:.cyan} {prefix:.bold} {elapsed:.dim} [{bar:24.cyan/dim}] \
         {bytes}/{total_bytes} {wide_msg:.dim}",
    )
}

fn steps() -> ProgressStyle {
    template(
        "{spinner:.cyan} {prefix:.bold} {elapsed:.dim} [{bar:24.cyan/dim}] {pos}/{len} \
         {wide_msg:.dim}",
    )
}

fn doing(action: &str) -> Doing {
    match action {
        "create" => Doing::Create,
        "delete" => Doing::Delete,
        _ => Doing::Update,
    }
}

impl Observer for Screen {
    fn notice(&self, notice: Notice<'_>) {
        match notice {
            Notice::RefreshStarted(key, id) => {
                self.ui.event(|| refresh_line(key, id, false, &now()));
                if !self.ui.json {
                    self.print(&refresh_text(key, id, self.ui.out));
                }
            }
            Notice::RefreshDone(key, id) => {
                self.ui.event(|| refresh_line(key, id, true, &now()));
            }
            Notice::ReadStarted(key) => self.start(key, Doing::Read, None),
            Notice::ReadDone(key, elapsed, id) => {
                self.end(key);
                self.tell(key, Doing::Read, Moment::Done(elapsed), Some(id));
            }
            Notice::Started(key, action, id) => self.start(key, doing(action), id),
            Notice::Progress(key, progress) => {
                self.progress(key, &progress.message, progress.amount);
            }
            Notice::Done(key, action, elapsed, id) => {
                self.end(key);
                self.tell(key, doing(action), Moment::Done(elapsed), id);
            }
            Notice::Failed(key, action, elapsed, _) => {
                self.end(key);
                // People read the diagnostic.
                let moment = Moment::Failed(elapsed);
                self.ui.event(|| progress_line(key, doing(action), moment, None, &now()));
            }
            Notice::Retrying(key, attempt, why) => {
                if !self.ui.json {
                    self.print(&format!("{key}: {why}; trying again ({attempt})"));
                }
            }
            Notice::Provisioner(key, what) => {
                let what = match what {
                    Provisioning::Started => Provision::Started,
                    Provisioning::Output(line) => Provision::Output(line),
                    Provisioning::Done => Provision::Done,
                    Provisioning::Failed => Provision::Failed,
                };
                self.ui.event(|| provision_line(key, LOCAL_EXEC, what, &now()));
                let text = provision_text(key, LOCAL_EXEC, what, self.ui.out);
                if let Some(text) = text.filter(|_| !self.ui.json) {
                    self.print(&text);
                }
            }
            Notice::Interrupted(1) => {
                if !self.ui.json {
                    self.print(
                        "\nInterrupt received.\nPlease wait for the running operations to end.\n\
                         Interrupt again to stop without waiting for them.\n",
                    );
                }
            }
            Notice::Interrupted(_) => {
                if !self.ui.json {
                    self.print("\nTwo interrupts received. Stopping without waiting.\n");
                }
            }
        }
    }
}
