//! What happens around our objects: what stands beside them, and the holder's news.

use std::sync::Arc;
use std::time::Duration;

use plumb_model::addr::Kind;
use plumb_netns::client::Leave;
use plumb_netns::spec;
use plumb_netns::wire::{self, Stands};
use plumb_provider::{Failure, Foreign, Ours, Touched};
use tokio::sync::mpsc::{Sender, channel};

use crate::kinds::{called, shape};
use crate::pool::{Pool, unreachable};
use crate::provider::broken_off;

/// How often it is looked whether there is a holder by now: nobody tells when one starts.
const LOOK: Duration = Duration::from_millis(200);

/// So much news may wait for whoever follows; then it waits in the holder.
const WAITING_MAX: usize = 64;

/// How the holder calls objects.
pub(crate) fn keys(ours: &[Ours]) -> Result<Vec<(spec::Kind, String)>, Failure> {
    let key = |it: &Ours| {
        let kind = shape(&it.kind)?.kind;
        Ok(it.id().map(|id| (kind, id.to_owned())))
    };
    ours.iter().filter_map(|it| key(it).transpose()).collect()
}

/// What somebody else made, as a resource.
pub(crate) fn foreign(it: Stands) -> Foreign {
    Foreign {
        kind: Kind::new(called(it.kind).unwrap_or_default()),
        id: it.name.as_str().into(),
        name: it.name.into(),
        beside: it.beside.map(|(_, name)| name.into()),
        how: it.how.into(),
    }
}

/// What happens, until the holder ends. Where there is no holder there is nothing: then the first
/// that happens is that there is one.
pub(crate) async fn follow(pool: &Arc<Pool>, touched: &(dyn Fn(Touched) + Send + Sync)) -> Failure {
    let _following = pool.following();
    // Whoever drops this drops both, and so ends the thread.
    let (news, mut heard) = channel(WAITING_MAX);
    let mut _leave = None;
    let there = pool.clone();
    let thread = std::thread::Builder::new().name("netns-follow".to_owned());
    let started = thread.spawn(move || {
        if let Err(failure) = listen(&there, &news) {
            // Whoever left does not need to know.
            let _ = news.blocking_send(News::Over(failure));
        }
    });
    if let Err(error) = started {
        return unreachable(Box::new(error));
    }
    while let Some(news) = heard.recv().await {
        match news {
            News::Hears(leave) => {
                _leave = leave;
                touched(Touched::All);
            }
            News::Touched(it) => tell(it, touched),
            News::Over(failure) => return failure,
        }
    }
    broken_off()
}

/// What the thread says that waits for the holder.
enum News {
    /// From now on nothing is missed. With what ends its waiting for news.
    Hears(Option<Leave>),
    Touched(wire::Touched),
    Over(Failure),
}

/// Waits for a holder, then for its news; until nobody takes them.
fn listen(pool: &Pool, news: &Sender<News>) -> Result<(), Failure> {
    let mut hears = false;
    let mut follower = loop {
        if let Some(follower) = pool.follow()? {
            break follower;
        }
        // There is nothing, and nobody can touch it.
        if !hears && news.blocking_send(News::Hears(None)).is_err() || news.is_closed() {
            return Ok(());
        }
        hears = true;
        std::thread::sleep(LOOK);
    };
    let leave = follower.leave().map_err(|it| unreachable(Box::new(it)))?;
    let mut next = News::Hears(Some(leave));
    while news.blocking_send(next).is_ok() {
        next = News::Touched(follower.hear().map_err(|it| unreachable(Box::new(it)))?);
    }
    Ok(())
}

fn tell(news: wire::Touched, touched: &(dyn Fn(Touched) + Send + Sync)) {
    if news.all {
        return touched(Touched::All);
    }
    for (kind, name) in news.objects {
        match called(kind) {
            Some(kind) => touched(Touched::Object { kind: Kind::new(kind), id: name.into() }),
            None => touched(Touched::All),
        }
    }
}
