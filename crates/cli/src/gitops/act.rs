//! Does what the loop says is next, and says what came of it.

use std::time::Duration;

use plumb_engine::Interrupt;
use plumb_gitops::{Memory, Next, Seen, Time, newest_tag};

use super::child::Runner;
use super::config::{Config, Follow, read_signers};
use super::forge::{Forge, Light, News};
use super::git::{self, View};
use super::record::Record;
use super::report::Telling;
use super::runs::Judged;
use super::signed::{APPROVAL_TAGS, verify};
use crate::context::Context;

/// The loop's hands.
pub(super) struct Actor<'a> {
    pub(super) context: &'a Context,
    pub(super) config: Config,
    pub(super) record: Record,
    pub(super) runner: Runner,
    pub(super) interrupt: Interrupt,
    pub(super) forge: Option<Forge>,
    pub(super) view: Option<View>,
    /// The tag that leads to the commit, if tags are followed.
    pub(super) tag: Option<String>,
    /// Who signed the commit.
    pub(super) signed_by: Option<String>,
    pub(super) judged: Option<Judged>,
    pub(super) said: Option<String>,
}

impl<'a> Actor<'a> {
    pub(super) fn new(
        context: &'a Context,
        config: Config,
        record: Record,
        interrupt: Interrupt,
    ) -> Result<Actor<'a>, String> {
        let program = std::env::current_exe()
            .map_err(|error| format!("The program does not find itself: {error}."))?;
        let runner = Runner {
            program,
            dir: config.workdir.join("tree").join(&config.path),
            without: config.without.clone(),
            mask: config.mask.clone(),
        };
        let forge = match &config.forge {
            Some(it) => Some(
                Forge::new(it.clone(), config.mask.clone())
                    .map_err(|why| format!("The forge cannot be spoken to: {why}."))?,
            ),
            None => None,
        };
        Ok(Actor {
            context,
            config,
            record,
            runner,
            interrupt,
            forge,
            view: None,
            tag: None,
            signed_by: None,
            judged: None,
            said: None,
        })
    }

    /// A line for people, with the time.
    pub(super) fn say(&self, line: &str) {
        let now = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ");
        self.context.ui.say(&format!("{now} {}", self.config.mask.hide(line)));
    }

    /// Says it unless it is what was said last.
    pub(super) fn say_once(&mut self, line: String) {
        if self.said.as_ref() != Some(&line) {
            self.say(&line);
            self.said = Some(line);
        }
    }

    pub(super) fn begin(&self) {
        let what = match &self.config.follow {
            Follow::Branch(name) => format!("branch {name}"),
            Follow::Tag(pattern) => format!("tags {pattern}"),
        };
        let signatures = match &self.config.signers {
            Some(path) => format!("signed by a key in {}", path.display()),
            None => "whether signed or not".to_owned(),
        };
        self.say(&format!(
            "Following {what} of {}, {signatures}; mode {}.",
            self.config.remote.url, self.config.policy.mode
        ));
        if let Some(commit) = &self.record.memory.applying {
            self.say(&format!(
                "The last run ended while it applied {}; what it left is looked into.",
                short(commit)
            ));
        }
    }

    pub(super) fn remember(&mut self, memory: &Memory) -> Result<(), String> {
        self.record.memory = memory.clone();
        self.record.write(&self.config.workdir.join("gitops.json"))
    }

    /// Waits, and not longer than until somebody wants it to stop.
    pub(super) async fn rest(&self, until: Time, now: Time) {
        let mut left = Duration::from_secs(u64::try_from(until - now).unwrap_or(0));
        let step = Duration::from_millis(100);
        while self.interrupt.level() == 0 && !left.is_zero() {
            tokio::time::sleep(step.min(left)).await;
            left = left.saturating_sub(step);
        }
    }

    pub(super) async fn act(&mut self, next: Next) -> Seen {
        match next {
            Next::Look => self.look().await,
            Next::Verify(commit) => self.verify(&commit).await,
            Next::Compare { from, to } => self.compare(&from, &to).await,
            Next::Plan(commit) => self.plan(commit).await,
            Next::Judge(pending) => self.judge(pending).await,
            Next::Apply(pending) => self.apply(pending, false).await,
            Next::Repair(pending) => self.apply(pending, true).await,
            Next::Rest(_) | Next::End(_) => unreachable!("nothing is done while it rests"),
        }
    }

    async fn look(&mut self) -> Seen {
        let remote = self.config.remote.clone();
        let mirror = self.config.workdir.join("mirror.git");
        let follow = match &self.config.follow {
            Follow::Branch(name) => format!("refs/heads/{name}"),
            Follow::Tag(_) => "refs/tags/*".to_owned(),
        };
        let mut wanted = vec![follow.clone()];
        if self.config.approvers.is_some() {
            wanted.push(format!("{APPROVAL_TAGS}*"));
            // It may not be there yet, which a star allows for.
            wanted.extend(self.config.approvals.iter().map(|it| format!("{it}*")));
        }
        self.view = None;
        let looking = tokio::task::spawn_blocking(move || git::look(&remote, &mirror, &wanted));
        let interrupted = async {
            while self.interrupt.level() == 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let looked = tokio::select! {
            it = looking => it.unwrap_or_else(|error| Err(error.to_string())),
            () = interrupted => return Seen::LookFailed { at_hand: false },
        };
        let view = match looked {
            Ok(view) => view,
            Err(why) => {
                self.say_once(format!("The repository could not be asked: {why}."));
                let mirror = self.config.workdir.join("mirror.git");
                self.view = git::at_hand(&self.config.remote, &mirror);
                return Seen::LookFailed { at_hand: self.view.is_some() };
            }
        };
        self.tag = match &self.config.follow {
            Follow::Branch(_) => None,
            Follow::Tag(pattern) => {
                let names = view.refs().filter_map(|it| it.0.strip_prefix("refs/tags/"));
                newest_tag(names, pattern).map(|it| format!("refs/tags/{it}"))
            }
        };
        let name = match &self.config.follow {
            Follow::Branch(_) => Some(&follow),
            Follow::Tag(_) => self.tag.as_ref(),
        };
        let head = name.and_then(|it| view.commit_of(it));
        self.view = Some(view);
        if head.is_none() {
            self.say_once(format!(
                "The repository has no {}: nothing is changed until it is back.",
                follow.trim_start_matches("refs/heads/")
            ));
        }
        Seen::Head(head)
    }

    pub(super) fn view(&self) -> &View {
        match &self.view {
            Some(view) => view,
            None => unreachable!("a round begins with a look"),
        }
    }

    async fn verify(&mut self, commit: &str) -> Seen {
        self.signed_by = None;
        let Some(path) = self.config.signers.clone() else { return Seen::Verified(Ok(())) };
        let verified = read_signers(&path)
            .and_then(|it| verify(self.view(), commit, self.tag.as_deref(), &it));
        match verified {
            Ok(by) => {
                self.say_once(format!("Commit {} is signed by {by}.", short(commit)));
                self.signed_by = Some(by);
                Seen::Verified(Ok(()))
            }
            Err(why) => {
                self.refused(commit, &why).await;
                Seen::Verified(Err(why))
            }
        }
    }

    async fn compare(&mut self, from: &str, to: &str) -> Seen {
        match self.view().descends(from, to) {
            Ok(true) => Seen::Compared(true),
            Ok(false) => {
                let why =
                    format!("it does not descend from {}: history was rewritten", short(from));
                self.refused(to, &why).await;
                Seen::Compared(false)
            }
            Err(why) => {
                self.say_once(format!("The history cannot be read: {why}."));
                Seen::Compared(false)
            }
        }
    }

    async fn refused(&mut self, commit: &str, why: &str) {
        let stays = match &self.record.memory.accepted {
            Some(it) => format!("it stays with {}", short(it)),
            None => "there is none that it could stay with".to_owned(),
        };
        self.say_once(format!("Commit {} is not accepted: {why}; {stays}.", short(commit)));
        let title = format!("Not accepted: {why}");
        let text = format!("Commit `{commit}` is not followed; {stays}.\n");
        self.tell(commit, Telling::new(Light::Failure, title).text(text)).await;
    }

    /// Tells the forge, if there is one and it does not know yet. That it failed is told, and no more.
    pub(super) async fn tell(&mut self, commit: &str, telling: Telling) {
        let Some(forge) = &self.forge else { return };
        let key = telling.key();
        if self.record.told(commit) == Some(&key) {
            return;
        }
        let context = self.config.forge.as_ref().map_or("plumb", |it| it.context.as_str());
        let news = News {
            commit,
            light: telling.light,
            description: telling.title.clone(),
            comment: telling.comment(context),
        };
        match forge.tell(&news).await {
            Ok(()) => self.record.tell(commit, key),
            Err(why) => self.say(&format!("The forge could not be told: {why}.")),
        }
    }
}

/// As people write commits.
pub(super) fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}
