//! Follows what happens: OpenStack tells nobody, so it is asked again and again for what changed.

use std::time::{Duration, SystemTime};

use plumb_provider::{Failure, Ours, Touched};

use super::rounds::{Index, iso};
use super::{List, Place, Rows, What, gather};
use crate::cloud::Cloud;
use crate::json::str_at;
use crate::session::{Request, Service};

/// Between two rounds. A round is about ten small requests: two a second are nothing to a cloud, and
/// a person who changes something by hand waits longer for its own answer.
const PAUSE: Duration = Duration::from_secs(5);

/// While the cloud has too much to do, or cannot be reached.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// So many rounds in a row may come to nothing. The session has repeated each request by then.
const FAILURES_MAX: u32 = 3;

/// After so many rounds what no list tells of is looked at: once a minute.
const UNSEEN_EVERY: u32 = 12;

/// Nova is asked for changes since so long before its own clock said what it said last: its other
/// machines have other clocks, and a change is dated before it can be seen.
const OVERLAP: Duration = Duration::from_secs(30);

const DOING: &str = "follow what happens in the cloud";

pub(crate) async fn follow(
    cloud: &Cloud,
    ours: &[Ours],
    touched: &(dyn Fn(Touched) + Send + Sync),
) -> Result<(), Failure> {
    every(PAUSE, cloud, ours, touched).await
}

/// The same with another pause.
pub(super) async fn every(
    least: Duration,
    cloud: &Cloud,
    ours: &[Ours],
    touched: &(dyn Fn(Touched) + Send + Sync),
) -> Result<(), Failure> {
    let index = Index::of(ours);
    let mut look = Look::first(cloud, ours).await?;
    touched(Touched::All);
    let (mut pause, mut failures, mut rounds) = (least, 0, 0);
    loop {
        tokio::time::sleep(pause).await;
        let now = match look.next(cloud).await {
            Ok(now) => now,
            Err(failure) if failure.transient && failures < FAILURES_MAX => {
                failures += 1;
                pause = (pause * 2).min(PAUSE_MAX);
                continue;
            }
            Err(failure) => return Err(failure),
        };
        let mut all = index.compare(&look.rows, &now.rows);
        all.extend(index.lately(&look.servers, &now.servers));
        look = now;
        failures = 0;
        pause = (pause / 2).max(least);
        rounds += 1;
        if rounds % UNSEEN_EVERY == 0 {
            all.extend(index.unseen.iter().cloned());
            // Key pairs are in no list that is followed.
            all.insert(Touched::Beside);
        }
        all.into_iter().for_each(touched);
    }
}

/// What was seen in one round.
struct Look {
    lists: Vec<List>,
    rows: Rows,
    /// What Nova says that changed lately.
    servers: Rows,
    /// What Nova's clock said. None: nothing of ours can be in Nova.
    date: Option<SystemTime>,
}

impl Look {
    async fn first(cloud: &Cloud, ours: &[Ours]) -> Result<Look, Failure> {
        let identity = cloud.session.identity().await?;
        let place = Place::of(ours, &identity.project_id);
        let failed = |it: crate::session::ApiError| it.failure(DOING);
        let nova = place.project.is_some()
            && cloud.session.offers(Service::Compute).await.map_err(failed)?;
        let date = match nova {
            false => None,
            true => {
                let request =
                    Request::new(reqwest::Method::GET, Service::Compute, "/servers?limit=1");
                let answer = cloud.session.send(request).await.map_err(failed)?;
                Some(answer.date().unwrap_or_else(SystemTime::now))
            }
        };
        let empty = Look { lists: place.changing(), rows: Rows::new(), servers: Rows::new(), date };
        empty.next(cloud).await
    }

    async fn next(&self, cloud: &Cloud) -> Result<Look, Failure> {
        let rows = gather(cloud, &self.lists);
        let servers = async {
            let Some(date) = self.date else { return Ok((Rows::new(), None)) };
            let since = iso(date.checked_sub(OVERLAP).unwrap_or(date));
            let path = format!("/servers/detail?changes-since={since}");
            let answer = cloud.session.list_dated(Service::Compute, &path, "servers").await;
            let (servers, now) = answer.map_err(|it| it.failure(DOING))?;
            let key = |it: &serde_json::Value| (What::Server, str_at(it, "id").to_owned());
            let servers = servers.into_iter().map(|it| (key(&it), it)).collect();
            Ok((servers, Some(now.unwrap_or_else(SystemTime::now))))
        };
        let (rows, (servers, date)) = futures_util::future::try_join(rows, servers).await?;
        Ok(Look { lists: self.lists.clone(), rows, servers, date })
    }
}
