//! The engine's events: which of them concern our objects, or what stands beside them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::pin::pin;
use std::time::Duration;

use bollard::models::{EventMessage, EventMessageTypeEnum as Type};
use bollard::query_parameters::EventsOptions;
use futures_util::StreamExt as _;
use plumb_model::addr::Kind;
use plumb_provider::{Failure, Ours, Touched};

use crate::args::Args;
use crate::failure::OrFail as _;
use crate::provider::Engine;
use crate::reference::Reference;

/// After so long a silence the engine is asked whether it still is there: a connection whose other
/// end vanished is silent, too.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// What a sign of life may take.
const SIGN_MAX: Duration = Duration::from_secs(15);

/// All that is listened to. The rest changes nothing that we read: what runs inside a container,
/// whether its health checks go well, signals that it survives.
const ACTIONS: &[&str] = &[
    "connect",
    "create",
    "delete",
    "destroy",
    "die",
    "disconnect",
    "import",
    "load",
    "mount",
    "pause",
    "pull",
    "remove",
    "rename",
    "restart",
    "start",
    "stop",
    "tag",
    "unmount",
    "unpause",
    "untag",
    "update",
];

pub(crate) async fn follow(
    engine: &Engine,
    ours: &[Ours],
    touched: &(dyn Fn(Touched) + Send + Sync),
) -> Result<(), Failure> {
    let known = Known::of(ours);
    let words = |all: &[&str]| all.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    let types = words(&["container", "image", "network", "volume"]);
    let options = EventsOptions {
        // Nothing says that the stream is open before its first event. So the engine repeats the
        // last ones that it knows: what happens between now and then is among them.
        since: Some("1".to_owned()),
        until: None,
        filters: Some([("type".to_owned(), types), ("event".to_owned(), words(ACTIONS))].into()),
    };
    sign_of_life(engine).await?;
    touched(Touched::All);
    let mut events = pin!(engine.docker.events(Some(options)));
    loop {
        match tokio::time::timeout(SILENCE_MAX, events.next()).await {
            Ok(Some(Ok(event))) => known.concerns(&event).into_iter().for_each(touched),
            Ok(Some(Err(error))) => {
                let failed: Result<(), _> = Err(error);
                return failed.or_fail(|| DOING.to_owned()).map_err(Failure::transient);
            }
            Ok(None) => return Err(hung_up("The engine ended the stream of its events.")),
            Err(_) => sign_of_life(engine).await?,
        }
    }
}

const DOING: &str = "follow the events of the engine";

fn hung_up(why: &str) -> Failure {
    Failure::new(format!("Cannot {DOING}"), why).transient()
}

async fn sign_of_life(engine: &Engine) -> Result<(), Failure> {
    match tokio::time::timeout(SIGN_MAX, engine.docker.ping()).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => {
            let failed: Result<(), _> = Err(error);
            failed.or_fail(|| DOING.to_owned()).map_err(Failure::transient)
        }
        Err(_) => Err(hung_up("The engine gives no sign of life any more.")),
    }
}

/// Our objects by what events call them.
#[derive(Debug, Default)]
struct Known {
    containers: BTreeSet<String>,
    networks: BTreeSet<String>,
    network_names: BTreeSet<String>,
    volumes: BTreeSet<String>,
    /// What goes by the id or the name of an image. Several objects may.
    images: BTreeMap<String, BTreeSet<Touched>>,
}

impl Known {
    fn of(ours: &[Ours]) -> Known {
        let mut known = Known::default();
        for it in ours {
            let args = Args(&it.attrs);
            let Some(id) = args.string("id") else { continue };
            let mut image = |text: Option<&str>| {
                let Some(text) = text else { return };
                let named = Reference::parse(text)
                    .ok()
                    .map(|it| it.familiar_digest().unwrap_or_else(|| it.familiar_tag()));
                for key in named.into_iter().chain([text.to_owned()]) {
                    known.images.entry(key).or_default().insert(object(&it.kind, &id));
                }
            };
            match &*it.kind {
                "docker_image" => {
                    image(args.str("image_id"));
                    image(args.str("name"));
                    image(args.str("image_id").and_then(|image| id.strip_prefix(image)));
                }
                "docker_commit" => {
                    image(args.str("image_id"));
                    let tag = args.str("tag").unwrap_or("latest");
                    image(args.str("repository").map(|it| format!("{it}:{tag}")).as_deref());
                }
                "docker_tag" => {
                    image(args.str("source_image_id"));
                    image(args.str("target_image"));
                }
                "docker_container" => drop(known.containers.insert(id)),
                "docker_network" => {
                    known.network_names.extend(args.string("name"));
                    known.networks.insert(id);
                }
                "docker_volume" => drop(known.volumes.insert(id)),
                _ => {}
            }
        }
        known
    }

    fn concerns(&self, event: &EventMessage) -> BTreeSet<Touched> {
        let nothing = BTreeSet::new();
        let (Some(typ), Some(action)) = (event.typ, event.action.as_deref()) else {
            return nothing;
        };
        if !ACTIONS.contains(&action) {
            return nothing;
        }
        let none = HashMap::new();
        let actor = event.actor.as_ref();
        let id = actor.and_then(|it| it.id.as_deref()).unwrap_or_default();
        let attributes = actor.and_then(|it| it.attributes.as_ref()).unwrap_or(&none);
        let told = |name: &str| attributes.get(name).map_or("", String::as_str);
        match typ {
            Type::CONTAINER => match self.containers.contains(id) {
                true => [object(&Kind::new("docker_container"), id)].into(),
                // It may mount a volume of ours, or be made for a network; the event does not say.
                false if matches!(action, "create" | "destroy" | "rename") => {
                    [Touched::Beside].into()
                }
                false => nothing,
            },
            Type::NETWORK => {
                let (ours, container) = (self.networks.contains(id), told("container"));
                let mut all = nothing;
                if ours {
                    all.insert(object(&Kind::new("docker_network"), id));
                }
                if self.containers.contains(container) {
                    all.insert(object(&Kind::new("docker_container"), container));
                } else if ours || self.network_names.contains(told("name")) {
                    all.insert(Touched::Beside);
                }
                all
            }
            Type::VOLUME if !self.volumes.contains(id) => nothing,
            Type::VOLUME => match action {
                "mount" | "unmount" if self.containers.contains(told("container")) => nothing,
                "mount" | "unmount" => [Touched::Beside].into(),
                _ => [object(&Kind::new("docker_volume"), id)].into(),
            },
            Type::IMAGE => {
                let by = |name: &str| self.images.get(name).into_iter().flatten().cloned();
                // What a pull made is told by name.
                by(id).chain(by(told("name"))).collect()
            }
            _ => nothing,
        }
    }
}

fn object(kind: &Kind, id: &str) -> Touched {
    Touched::Object { kind: kind.clone(), id: id.into() }
}

#[cfg(test)]
mod tests {
    use bollard::models::EventActor;
    use expect_test::{Expect, expect};
    use plumb_model::value::Value;

    use super::*;

    fn ours() -> Vec<Ours> {
        let one = |kind: &str, attrs: &[(&'static str, &str)]| {
            let attrs = Value::object(attrs.iter().map(|(name, it)| (*name, Value::string(*it))));
            Ours { kind: Kind::new(kind), attrs }
        };
        vec![
            one("docker_container", &[("id", "c1"), ("name", "web")]),
            one("docker_network", &[("id", "n1"), ("name", "lab")]),
            one("docker_volume", &[("id", "data")]),
            one(
                "docker_image",
                // It lost its name.
                &[("id", "sha256:1busybox"), ("name", ""), ("image_id", "sha256:1")],
            ),
            one(
                "docker_tag",
                &[
                    ("id", "a.b"),
                    ("target_image", "127.0.0.1:5000/lab/b:2"),
                    ("source_image_id", "sha256:1"),
                ],
            ),
            one(
                "docker_commit",
                &[("id", "sha256:2"), ("image_id", "sha256:2"), ("repository", "lab/node")],
            ),
        ]
    }

    fn check(events: &[(Type, &str, &str, &str)], expected: Expect) {
        let known = Known::of(&ours());
        let mut text = String::new();
        for (typ, action, id, attribute) in events {
            let pair = attribute.split_once('=');
            let attributes = pair.map(|(name, it)| (name.to_owned(), it.to_owned()));
            let event = EventMessage {
                typ: Some(*typ),
                action: Some((*action).to_owned()),
                actor: Some(EventActor {
                    id: Some((*id).to_owned()),
                    attributes: Some(attributes.into_iter().collect()),
                }),
                ..Default::default()
            };
            let all: Vec<_> = known
                .concerns(&event)
                .into_iter()
                .map(|it| match it {
                    Touched::Object { kind, id } => format!("{}:{id}", &*kind),
                    other => format!("{other:?}"),
                })
                .collect();
            let all = if all.is_empty() { "nothing".to_owned() } else { all.join(", ") };
            text += &format!("{typ} {action} {id} {attribute}: {all}\n");
        }
        expected.assert_eq(&text);
    }

    #[test]
    fn events_of_ours_name_them() {
        check(
            &[
                (Type::CONTAINER, "die", "c1", ""),
                (Type::CONTAINER, "pause", "c1", ""),
                (Type::CONTAINER, "destroy", "c1", ""),
                (Type::NETWORK, "destroy", "n1", "name=lab"),
                (Type::NETWORK, "connect", "n1", "container=c1"),
                (Type::NETWORK, "disconnect", "n9", "container=c1"),
                (Type::VOLUME, "destroy", "data", ""),
                (Type::IMAGE, "untag", "sha256:1", "name=sha256:1"),
                (Type::IMAGE, "tag", "sha256:9", "name=busybox:latest"),
                (Type::IMAGE, "pull", "busybox:latest", "name=busybox"),
                (Type::IMAGE, "tag", "sha256:9", "name=127.0.0.1:5000/lab/b:2"),
                (Type::IMAGE, "delete", "sha256:2", ""),
                (Type::IMAGE, "tag", "sha256:9", "name=lab/node:latest"),
            ],
            expect![[r#"
                container die c1 : docker_container:c1
                container pause c1 : docker_container:c1
                container destroy c1 : docker_container:c1
                network destroy n1 name=lab: docker_network:n1, Beside
                network connect n1 container=c1: docker_container:c1, docker_network:n1
                network disconnect n9 container=c1: docker_container:c1
                volume destroy data : docker_volume:data
                image untag sha256:1 name=sha256:1: docker_image:sha256:1busybox, docker_tag:a.b
                image tag sha256:9 name=busybox:latest: docker_image:sha256:1busybox
                image pull busybox:latest name=busybox: docker_image:sha256:1busybox
                image tag sha256:9 name=127.0.0.1:5000/lab/b:2: docker_tag:a.b
                image delete sha256:2 : docker_commit:sha256:2
                image tag sha256:9 name=lab/node:latest: docker_commit:sha256:2
            "#]],
        );
    }

    #[test]
    fn events_of_others_are_told_where_they_meet_ours() {
        check(
            &[
                (Type::CONTAINER, "create", "c9", "image=busybox"),
                (Type::CONTAINER, "start", "c9", "image=busybox"),
                (Type::CONTAINER, "destroy", "c9", ""),
                (Type::NETWORK, "connect", "n1", "container=c9"),
                (Type::NETWORK, "connect", "n9", "container=c9"),
                (Type::NETWORK, "create", "n9", "name=lab"),
                (Type::NETWORK, "create", "n9", "name=other"),
                (Type::VOLUME, "mount", "data", "container=c9"),
                (Type::VOLUME, "mount", "data", "container=c1"),
                (Type::VOLUME, "create", "other", ""),
                (Type::IMAGE, "pull", "debian:12", "name=debian"),
            ],
            expect![[r#"
                container create c9 image=busybox: Beside
                container start c9 image=busybox: nothing
                container destroy c9 : Beside
                network connect n1 container=c9: docker_network:n1, Beside
                network connect n9 container=c9: nothing
                network create n9 name=lab: Beside
                network create n9 name=other: nothing
                volume mount data container=c9: Beside
                volume mount data container=c1: nothing
                volume create other : nothing
                image pull debian:12 name=debian: nothing
            "#]],
        );
    }

    #[test]
    fn what_changes_nothing_is_not_told() {
        check(
            &[
                (Type::CONTAINER, "exec_start: sh", "c1", ""),
                (Type::CONTAINER, "health_status: healthy", "c1", ""),
                (Type::CONTAINER, "kill", "c1", "signal=1"),
                (Type::DAEMON, "update", "c1", ""),
            ],
            expect![[r#"
                container exec_start: sh c1 : nothing
                container health_status: healthy c1 : nothing
                container kill c1 signal=1: nothing
                daemon update c1 : nothing
            "#]],
        );
    }
}
