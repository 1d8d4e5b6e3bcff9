//! Planning, judging and applying: runs of the program, and what they say.

use std::path::{Path, PathBuf};

use plumb_gitops::{Counts, Decision, Facts, Mode, Pending, Seen, Standing, decide};
use serde::Deserialize;

use super::act::{Actor, short};
use super::checkout::checkout;
use super::child::{PlanJson, Ran};
use super::config::read_signers;
use super::forge::Light;
use super::record::Entry;
use super::report::{Origin, Telling, of_applied, of_decision};
use super::signed::approval;
use crate::{encryption, planfile};

/// What is kept free of a comment for what stands above the plan.
const HEAD_BYTES_MAX: usize = 8_000;

/// How much of what a failed run wrote is told.
const SAID_BYTES_MAX: usize = 20_000;

/// A plan, and what was decided of it.
pub(super) struct Judged {
    digest: String,
    counts: Counts,
    drift: Counts,
    /// In Markdown.
    plan: String,
    decision: Decision,
    approved_by: Option<String>,
}

/// Where a state stands.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
struct StateStamp {
    lineage: String,
    serial: u64,
}

impl Actor<'_> {
    pub(super) async fn plan(&mut self, commit: String) -> Seen {
        self.judged = None;
        let tree = self.config.workdir.join("tree");
        let manifest = self.config.workdir.join("manifest.json");
        match checkout(self.view(), &commit, &tree, &manifest) {
            Ok(notes) => notes.iter().for_each(|it| self.say(&format!("Note: {it}."))),
            Err(why) => return self.no_plan(&commit, &why, "").await,
        }
        if !self.runner.dir.is_dir() {
            let why = format!("it has no folder {:?}", self.config.path);
            return self.no_plan(&commit, &why, "").await;
        }
        self.say(&format!("Planning {}.", short(&commit)));
        self.said = None;
        let path = self.plan_path(&commit);
        // Of plans only the newest is kept: they may have secrets.
        let made = path.parent().map_or(Ok(()), |folder| {
            let _ = std::fs::remove_dir_all(folder);
            std::fs::create_dir_all(folder)
        });
        if let Err(error) = made {
            return self.no_plan(&commit, &format!("{}: {error}", path.display()), "").await;
        }
        let args = self.plan_args(&path);
        let say = |line: &str| self.context.ui.say(&format!("  {line}"));
        let ran = self.runner.aloud(&commit, &args, &self.interrupt, &say).await;
        match ran {
            Ok(ran) if ran.code == 0 => {}
            Ok(ran) => return self.no_plan(&commit, "the plan failed", &said(&ran)).await,
            Err(why) => return self.no_plan(&commit, &why, "").await,
        }
        match self.stamp(&path) {
            Ok(stamp) => Seen::Planned(Pending {
                commit,
                digest: stamp.digest,
                lineage: stamp.lineage,
                serial: stamp.serial,
                made_at: chrono::Utc::now().timestamp(),
            }),
            Err(why) => self.no_plan(&commit, &why, "").await,
        }
    }

    fn stamp(&self, path: &Path) -> Result<planfile::Stamp, String> {
        let sealer = encryption::sealer_in(self.context, &self.runner.dir);
        planfile::stamp(&path.to_string_lossy(), &sealer)
    }

    async fn no_plan(&mut self, commit: &str, why: &str, said: &str) -> Seen {
        if self.interrupt.level() > 0 {
            return Seen::PlanFailed;
        }
        self.say(&format!("Commit {} cannot be planned: {why}.", short(commit)));
        let mut telling = Telling::new(Light::Failure, format!("No plan: {why}"))
            .text(format!("Commit `{commit}`.\n"));
        if !said.is_empty() {
            telling = telling.details("What it said", said);
        }
        self.tell(commit, telling).await;
        Seen::PlanFailed
    }

    pub(super) async fn judge(&mut self, pending: Pending) -> Seen {
        let path = self.plan_path(&pending.commit);
        let same = self.stamp(&path).is_ok_and(|it| it.digest == pending.digest);
        let fresh = match self.state(&pending.commit).await {
            // The first state of all has no lineage yet.
            Ok(state) => {
                state.serial == pending.serial
                    && (state.serial == 0 || state.lineage == pending.lineage)
            }
            Err(why) => {
                self.say(&format!("The state cannot be read: {why}."));
                false
            }
        };
        if !same || !fresh {
            self.say(&format!(
                "The plan of {} is out of date: the state was changed since. It is made again.",
                short(&pending.commit)
            ));
            return Seen::Stale;
        }
        if self.judged.as_ref().is_none_or(|it| it.digest != pending.digest) {
            match self.shown(&pending).await {
                Ok(judged) => self.judged = Some(judged),
                Err(why) => {
                    self.say(&format!("The saved plan cannot be read: {why}. It is made again."));
                    return Seen::Stale;
                }
            }
        }
        let standing = self.standing(&pending);
        let frozen_by = match &self.config.freeze_file {
            _ if self.config.freeze => Some("-freeze".to_owned()),
            Some(path) if path.exists() => Some(path.display().to_string()),
            _ => None,
        };
        let Some(judged) = &mut self.judged else { unreachable!("it was read just now") };
        let decision = decide(&Facts {
            now: chrono::Utc::now().timestamp(),
            policy: &self.config.policy,
            frozen_by: frozen_by.as_deref(),
            plan: judged.counts,
            drift: judged.drift,
            digest: &pending.digest,
            approval: &standing,
        });
        judged.decision = decision.clone();
        judged.approved_by = match &decision {
            Decision::Apply { approved_by } => approved_by.clone(),
            _ => None,
        };
        let (counts, plan) = (judged.counts, judged.plan.clone());
        let origin = Origin { commit: &pending.commit, signed_by: self.signed_by.as_deref() };
        let mut telling = of_decision(&decision, counts, &pending.digest, &origin);
        if decision != Decision::Nothing {
            telling = telling.plan(&plan);
        }
        match &decision {
            Decision::Nothing => {
                self.say_once(format!("Commit {}: nothing to do.", short(&pending.commit)));
                let known = self.record.memory.applied.as_ref() == Some(&pending.commit);
                if !known {
                    self.enter(&pending, "unchanged").await;
                }
            }
            Decision::Wait(reasons) | Decision::Refuse(reasons) => {
                let word =
                    if matches!(decision, Decision::Wait(_)) { "waits" } else { "is refused" };
                let all: Vec<String> = reasons.iter().map(ToString::to_string).collect();
                self.say_once(format!(
                    "Commit {} {word} ({counts}): {}.",
                    short(&pending.commit),
                    all.join("; ")
                ));
            }
            Decision::Apply { approved_by: Some(by) } => {
                self.say(&format!("The plan of {} is approved by {by}.", short(&pending.commit)));
            }
            Decision::Repair { rest: Some(rest) } => self.say(&format!("Note: {rest}.")),
            Decision::Apply { approved_by: None } | Decision::Repair { rest: None } => {}
        }
        // That it was applied is worth more than that there is nothing left to do.
        let good = self.record.told(&pending.commit).is_some_and(|it| it.starts_with("Success"));
        if decision != Decision::Nothing || !good {
            self.tell(&pending.commit, telling).await;
        }
        Seen::Judged(decision)
    }

    fn standing(&self, pending: &Pending) -> Standing {
        let Some(path) = &self.config.approvers else { return Standing::None };
        let (commit, digest) = (&pending.commit, &pending.digest);
        match read_signers(path) {
            Ok(it) => approval(self.view(), commit, digest, self.config.approvals.as_deref(), &it),
            Err(why) => Standing::Bad { why },
        }
    }

    /// What the saved plan says, as people and as machines read it; and a second plan, of repairs
    /// alone, where only those may be made.
    async fn shown(&self, pending: &Pending) -> Result<Judged, String> {
        let commit = &pending.commit;
        let (counts, mut plan) = self.read_plan(commit, &self.plan_path(commit)).await?;
        let mut drift = Counts::default();
        if self.config.policy.mode == Mode::DriftOnly && !counts.is_nothing() {
            let path = self.repairs_path(commit);
            let mut args = self.plan_args(&path);
            args.push("-drift-only".to_owned());
            self.quiet(commit, args).await?;
            if self.stamp(&path)?.serial != pending.serial {
                return Err("the state was changed while it was looked at".to_owned());
            }
            let repairs;
            (drift, repairs) = self.read_plan(commit, &path).await?;
            if !drift.is_nothing() {
                plan = format!("**Repairs:**\n\n{repairs}\n**Everything that differs:**\n\n{plan}");
            }
        }
        let (digest, decision) = (pending.digest.clone(), Decision::Nothing);
        Ok(Judged { digest, counts, drift, plan, decision, approved_by: None })
    }

    async fn read_plan(&self, commit: &str, path: &Path) -> Result<(Counts, String), String> {
        let show = ["show", "-json", &path.to_string_lossy()].map(str::to_owned).to_vec();
        let json = self.quiet(commit, show).await?;
        let json: PlanJson = serde_json::from_str(&json).map_err(|error| error.to_string())?;
        let path = markdown_path(path);
        let markdown = std::fs::read_to_string(&path)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        Ok((json.counts(), markdown))
    }

    async fn quiet(&self, commit: &str, args: Vec<String>) -> Result<String, String> {
        let ran = self.runner.silently(commit, &args, &self.interrupt).await?;
        match ran.code {
            0 => Ok(ran.out),
            _ => Err(ran.err.lines().take(3).collect::<Vec<_>>().join(" ").trim().to_owned()),
        }
    }

    async fn state(&self, commit: &str) -> Result<StateStamp, String> {
        let text = self.quiet(commit, vec!["state".to_owned(), "pull".to_owned()]).await?;
        if text.trim().is_empty() {
            return Ok(StateStamp::default());
        }
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }

    pub(super) async fn apply(&mut self, pending: Pending, drift_only: bool) -> Seen {
        let commit = pending.commit.clone();
        let mut args = self.args("apply");
        let path = if drift_only { self.repairs_path(&commit) } else { self.plan_path(&commit) };
        args.push(path.display().to_string());
        let what = if drift_only { "Repairing what drifted from" } else { "Applying" };
        self.say(&format!("{what} {}.", short(&commit)));
        self.said = None;
        let say = |line: &str| self.context.ui.say(&format!("  {line}"));
        let ran = self.runner.aloud(&commit, &args, &self.interrupt, &say).await;
        let (good, said) = match &ran {
            Ok(ran) => (ran.code == 0, said(ran)),
            Err(why) => (false, why.clone()),
        };
        if !good {
            if self.interrupt.level() > 0 {
                return Seen::ApplyFailed;
            }
            self.say(&format!("Commit {} was not applied to the end.", short(&commit)));
            self.enter(&pending, "failed").await;
            let telling = Telling::new(Light::Failure, "Not applied to the end; it is tried again")
                .text(format!("Commit `{commit}`, plan `{}`.\n", pending.digest))
                .details("What it said", &said);
            self.tell(&commit, telling).await;
            return Seen::ApplyFailed;
        }
        let serial = self.enter(&pending, if drift_only { "repaired" } else { "applied" }).await;
        let done = match drift_only {
            true => "What drifted is repaired".to_owned(),
            false => format!("Commit {} is applied", short(&commit)),
        };
        self.say(&format!("{done}; the state has serial {serial}."));
        if let Some(judged) = self.judged.take() {
            let origin = Origin { commit: &commit, signed_by: self.signed_by.as_deref() };
            let counts = if drift_only { judged.drift } else { judged.counts };
            let telling = of_applied(&judged.decision, counts, serial, &pending.digest, &origin)
                .plan(&judged.plan);
            self.tell(&commit, telling).await;
        }
        // Values of variables and what was seen may be secret.
        for path in [self.plan_path(&commit), self.repairs_path(&commit)] {
            let _ = std::fs::remove_file(markdown_path(&path));
            let _ = std::fs::remove_file(path);
        }
        Seen::Applied
    }

    /// Writes down which commit led to which state. The serial.
    async fn enter(&mut self, pending: &Pending, decision: &str) -> u64 {
        let state = match self.state(&pending.commit).await {
            Ok(state) => state,
            Err(why) => {
                self.say(&format!("The state cannot be read: {why}."));
                StateStamp::default()
            }
        };
        self.record.history.push(Entry {
            commit: pending.commit.clone(),
            at: chrono::Utc::now().timestamp(),
            decision: decision.to_owned(),
            signed_by: self.signed_by.clone(),
            approved_by: self.judged.as_ref().and_then(|it| it.approved_by.clone()),
            plan: pending.digest.clone(),
            lineage: state.lineage,
            serial: state.serial,
        });
        state.serial
    }

    fn args(&self, verb: &str) -> Vec<String> {
        let patience = format!("-lock-timeout={}", self.config.lock_timeout);
        [verb, "-input=false", "-no-color", &patience].map(str::to_owned).to_vec()
    }

    fn plan_args(&self, out: &Path) -> Vec<String> {
        let mut args = self.args("plan");
        args.push(format!("-out={}", out.display()));
        args.push(format!("-markdown={}", markdown_path(out).display()));
        if let Some(forge) = &self.config.forge {
            // Repairs and everything stand in one comment.
            let plans = if self.config.policy.mode == Mode::DriftOnly { 2 } else { 1 };
            let bytes_max = forge.kind.comment_bytes_max().saturating_sub(HEAD_BYTES_MAX) / plans;
            args.push(format!("-markdown-bytes={bytes_max}"));
        }
        args.extend(self.config.var_files.iter().map(|it| format!("-var-file={it}")));
        args
    }

    fn repairs_path(&self, commit: &str) -> PathBuf {
        self.config.workdir.join("plans").join(format!("{commit}.repairs.plan"))
    }

    fn plan_path(&self, commit: &str) -> PathBuf {
        self.config.workdir.join("plans").join(format!("{commit}.plan"))
    }
}

/// The plan as a comment shows it.
fn markdown_path(plan: &Path) -> PathBuf {
    plan.with_extension("md")
}

/// What a run wrote, its end if that is too much.
fn said(ran: &Ran) -> String {
    let all = format!("{}{}", ran.out, ran.err);
    let mut from = all.len().saturating_sub(SAID_BYTES_MAX);
    while !all.is_char_boundary(from) {
        from += 1;
    }
    match from {
        0 => all,
        _ => format!("… {} lines before\n{}", all[..from].lines().count(), &all[from..]),
    }
}
