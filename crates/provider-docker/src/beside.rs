//! What stands beside our objects: containers in our networks, on our volumes, from images that we
//! made, and what runs of ours left behind.

use std::collections::{BTreeMap, BTreeSet};

use bollard::models::{ContainerSummary, ImageSummary, Network, Volume};
use bollard::query_parameters::{ListImagesOptions, ListVolumesOptions};
use plumb_model::addr::Kind;
use plumb_model::state::Token;
use plumb_provider::{Failure, Foreign, Ours};

use crate::args::Args;
use crate::failure::OrFail as _;
use crate::provider::{Engine, TOKEN_LABEL, by_label};

/// Everything that the engine has, as far as it may matter.
#[derive(Debug, Default)]
struct Seen {
    containers: Vec<ContainerSummary>,
    networks: Vec<Network>,
    /// Those with a token.
    volumes: Vec<Volume>,
    /// Those with a token.
    images: Vec<ImageSummary>,
}

/// One list call of each kind, at once.
pub(crate) async fn beside(engine: &Engine, ours: &[Ours]) -> Result<Vec<Foreign>, Failure> {
    let (containers, networks, volumes, images) = futures_util::try_join!(
        engine.containers(None),
        engine.networks(None),
        volumes(engine),
        images(engine),
    )?;
    Ok(foreign(ours, &Seen { containers, networks, volumes, images }))
}

/// The volumes that bear a token, whosever.
async fn volumes(engine: &Engine) -> Result<Vec<Volume>, Failure> {
    let options = ListVolumesOptions { filters: Some(by_label(TOKEN_LABEL.to_owned())) };
    let answer = engine.docker.list_volumes(Some(options)).await;
    Ok(answer.or_fail(|| "list volumes".to_owned())?.volumes.unwrap_or_default())
}

/// The images that bear a token, whosever, and those made from them.
async fn images(engine: &Engine) -> Result<Vec<ImageSummary>, Failure> {
    let filters = Some(by_label(TOKEN_LABEL.to_owned()));
    let options = ListImagesOptions { filters, ..Default::default() };
    engine.docker.list_images(Some(options)).await.or_fail(|| "list images".to_owned())
}

/// Our objects by what the engine calls them; with each, what a person calls it.
#[derive(Debug, Default)]
struct Known<'a> {
    containers: BTreeMap<&'a str, &'a str>,
    networks: BTreeMap<&'a str, &'a str>,
    volumes: BTreeSet<&'a str>,
    /// Ids of the images that we made or use, and of which object each is: its id and name, and
    /// whether we made it. One that was pulled is everybody's.
    images: BTreeMap<&'a str, Image<'a>>,
}

#[derive(Clone, Copy, Debug)]
struct Image<'a> {
    object: &'a str,
    name: &'a str,
    made: bool,
}

fn known(ours: &[Ours]) -> Known<'_> {
    let mut known = Known::default();
    for it in ours {
        let args = Args(&it.attrs);
        let Some(id) = args.str("id") else { continue };
        let name = args.str("name").unwrap_or(id);
        match &*it.kind {
            "docker_container" => drop(known.containers.insert(id, name)),
            "docker_network" => drop(known.networks.insert(id, name)),
            "docker_volume" => drop(known.volumes.insert(id)),
            "docker_image" | "docker_commit" => {
                let Some(image) = args.str("image_id") else { continue };
                let commit = &*it.kind == "docker_commit";
                let made = commit || args.block("build").is_some();
                let name = if commit { args.str("repository").unwrap_or(id) } else { name };
                let new = Image { object: id, name, made };
                let kept = known.images.entry(image).or_insert(new);
                if made && !kept.made {
                    *kept = new;
                }
            }
            _ => {}
        }
    }
    known
}

fn foreign(ours: &[Ours], seen: &Seen) -> Vec<Foreign> {
    let known = known(ours);
    let runs = Runs::of(&known, seen);
    let mut found: Vec<Foreign> =
        seen.containers.iter().filter_map(|it| container(it, &known, &runs)).collect();
    for network in &seen.networks {
        let Some(id) = network.id.as_deref().filter(|id| !known.networks.contains_key(id)) else {
            continue;
        };
        let name = network.name.as_deref().unwrap_or(id);
        let same = known.networks.iter().find(|(_, ours)| **ours == name);
        let (beside, how) = match same {
            // Older engines allow it.
            Some((ours, _)) => (Some(*ours), "has the name of a network of ours".to_owned()),
            None if runs.left(label(network.labels.as_ref())) => (None, LEFT.to_owned()),
            None => continue,
        };
        found.push(one("docker_network", id, name, beside, how));
    }
    for volume in &seen.volumes {
        let name = volume.name.as_str();
        if !known.volumes.contains(name) && runs.left(label(Some(&volume.labels))) {
            found.push(one("docker_volume", name, name, None, LEFT.to_owned()));
        }
    }
    for image in &seen.images {
        let id = image.id.as_str();
        if !known.images.contains_key(id) && runs.left(label(Some(&image.labels))) {
            let name = image.repo_tags.iter().find(|it| !it.starts_with("<none>"));
            let name = name.map_or(id, |it| it);
            found.push(one("docker_image", name, name, None, LEFT.to_owned()));
        }
    }
    found
}

const LEFT: &str = "was left behind by a run that made others of these objects";

fn one(kind: &str, id: &str, name: &str, beside: Option<&str>, how: String) -> Foreign {
    Foreign {
        kind: Kind::new(kind),
        id: id.into(),
        name: name.into(),
        beside: beside.map(Into::into),
        how: how.into(),
    }
}

fn container(it: &ContainerSummary, known: &Known<'_>, runs: &Runs) -> Option<Foreign> {
    let id = it.id.as_deref().filter(|id| !known.containers.contains_key(id))?;
    let mut beside = None;
    let mut how = Vec::new();
    let mut is = |ours: &str, words: String| {
        beside.get_or_insert_with(|| ours.to_owned());
        how.push(words);
    };
    let networks = it.network_settings.as_ref().and_then(|it| it.networks.as_ref());
    let networks: BTreeMap<_, _> = networks.into_iter().flatten().collect();
    for (name, endpoint) in networks {
        // A container that never ran knows its networks by name alone.
        let by_id = endpoint.network_id.as_deref().filter(|it| !it.is_empty());
        let network = match by_id {
            Some(id) => known.networks.get_key_value(id),
            None => known.networks.iter().find(|(_, ours)| *ours == name),
        };
        if let Some((ours, name)) = network {
            is(ours, format!("is attached to network {name}"));
        }
    }
    let mode = it.host_config.as_ref().and_then(|it| it.network_mode.as_deref());
    if let Some(other) = mode.and_then(|it| it.strip_prefix("container:"))
        && let Some((ours, name)) = known.containers.get_key_value(other)
    {
        is(ours, format!("shares the network of container {name}"));
    }
    let mounts = it.mounts.iter().flatten().filter_map(|it| it.name.as_deref());
    for volume in mounts.collect::<BTreeSet<_>>() {
        if known.volumes.contains(volume) {
            is(volume, format!("mounts volume {volume}"));
        }
    }
    if let Some(image) = it.image_id.as_deref().and_then(|it| known.images.get(it))
        && image.made
    {
        is(image.object, format!("runs from image {}", image.name));
    }
    if how.is_empty() && runs.left(label(it.labels.as_ref())) {
        how.push(LEFT.to_owned());
    }
    let how = match how.split_last()? {
        (last, []) => last.clone(),
        (last, rest) => format!("{} and {last}", rest.join(", ")),
    };
    let name = it.names.iter().flatten().map(|it| it.trim_start_matches('/'));
    // Links add names with a slash inside.
    let name = name.min_by_key(|it| it.contains('/')).unwrap_or(id);
    Some(one("docker_container", id, name, beside.as_deref(), how))
}

fn label(labels: Option<&std::collections::HashMap<String, String>>) -> Option<Token> {
    Token::parse(labels?.get(TOKEN_LABEL)?)
}

/// The runs that made what is ours, as far as it bears a token. What other configurations made
/// bears the tokens of other runs, and is no left-over.
struct Runs {
    runs: BTreeSet<u64>,
    tokens: BTreeSet<Token>,
}

impl Runs {
    fn of(known: &Known<'_>, seen: &Seen) -> Runs {
        let containers = seen
            .containers
            .iter()
            .filter(|it| it.id.as_deref().is_some_and(|id| known.containers.contains_key(id)));
        let networks = seen
            .networks
            .iter()
            .filter(|it| it.id.as_deref().is_some_and(|id| known.networks.contains_key(id)));
        let volumes = seen.volumes.iter().filter(|it| known.volumes.contains(it.name.as_str()));
        let images = seen.images.iter().filter(|it| known.images.contains_key(it.id.as_str()));
        let tokens = (containers.filter_map(|it| label(it.labels.as_ref())))
            .chain(networks.filter_map(|it| label(it.labels.as_ref())))
            .chain(volumes.filter_map(|it| label(Some(&it.labels))))
            .chain(images.filter_map(|it| label(Some(&it.labels))))
            .collect::<BTreeSet<_>>();
        Runs { runs: tokens.iter().map(|it| it.run).collect(), tokens }
    }

    /// Whether what bears the token was made by one of the runs. What bears the very token of an
    /// object of ours has inherited it, as containers do from images.
    fn left(&self, token: Option<Token>) -> bool {
        token.is_some_and(|it| self.runs.contains(&it.run) && !self.tokens.contains(&it))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use bollard::models::{
        ContainerSummaryHostConfig, ContainerSummaryNetworkSettings, EndpointSettings, MountPoint,
    };
    use expect_test::{Expect, expect};
    use plumb_model::value::{Type, Value};

    use super::*;

    fn ours(kind: &str, attrs: &[(&'static str, &str)]) -> Ours {
        let attrs = Value::object(attrs.iter().map(|(name, it)| (*name, Value::string(*it))));
        Ours { kind: Kind::new(kind), attrs }
    }

    fn built(id: &str, image: &str) -> Ours {
        let block = Value::object([("context", Value::string("."))]);
        let attrs = [
            ("id", Value::string(id)),
            ("name", Value::string("lab/app:1")),
            ("image_id", Value::string(image)),
            ("build", Value::list(Type::Dynamic, vec![block])),
        ];
        Ours { kind: Kind::new("docker_image"), attrs: Value::object(attrs) }
    }

    fn all() -> Vec<Ours> {
        vec![
            ours("docker_container", &[("id", "c1"), ("name", "web")]),
            ours("docker_network", &[("id", "n1"), ("name", "lab")]),
            ours("docker_volume", &[("id", "data"), ("name", "data")]),
            ours(
                "docker_image",
                &[("id", "sha256:1busybox"), ("name", "busybox"), ("image_id", "sha256:1")],
            ),
            built("sha256:2lab/app:1", "sha256:2"),
        ]
    }

    fn stamped(token: &str) -> HashMap<String, String> {
        [(TOKEN_LABEL.to_owned(), token.to_owned())].into()
    }

    fn run(id: &str, change: impl FnOnce(&mut ContainerSummary)) -> ContainerSummary {
        let mut it = ContainerSummary {
            id: Some(id.to_owned()),
            names: Some(vec![format!("/name-of-{id}")]),
            image_id: Some("sha256:9".to_owned()),
            ..Default::default()
        };
        change(&mut it);
        it
    }

    fn joined(it: &mut ContainerSummary, name: &str, id: &str) {
        let settings = it.network_settings.get_or_insert_with(|| ContainerSummaryNetworkSettings {
            networks: Some(HashMap::new()),
        });
        let endpoint = EndpointSettings { network_id: Some(id.to_owned()), ..Default::default() };
        settings.networks.get_or_insert_default().insert(name.to_owned(), endpoint);
    }

    fn mounts(it: &mut ContainerSummary, volume: &str) {
        it.mounts = Some(vec![MountPoint { name: Some(volume.to_owned()), ..Default::default() }]);
    }

    fn check(seen: &Seen, expected: Expect) {
        let lines = foreign(&all(), seen).into_iter().map(|it| {
            let beside = it.beside.as_deref().unwrap_or("-");
            format!("{} {}: {} {} ({beside})\n", &*it.kind, it.id, it.name, it.how)
        });
        expected.assert_eq(&lines.collect::<String>());
    }

    #[test]
    fn containers_stand_beside_ours_in_many_ways() {
        let containers = vec![
            run("c1", |it| joined(it, "lab", "n1")),
            run("alone", |it| joined(it, "bridge", "n0")),
            run("busy", |it| it.image_id = Some("sha256:1".into())),
            run("in", |it| joined(it, "lab", "n1")),
            run("created", |it| joined(it, "lab", "")),
            run("namesake", |it| joined(it, "lab", "n7")),
            run("on", |it| mounts(it, "data")),
            run("off", |it| mounts(it, "0f3c")),
            run("from", |it| it.image_id = Some("sha256:2".into())),
            run("with", |it| {
                let mode = Some("container:c1".to_owned());
                it.host_config =
                    Some(ContainerSummaryHostConfig { network_mode: mode, ..Default::default() });
            }),
            run("all", |it| {
                joined(it, "lab", "n1");
                mounts(it, "data");
                it.image_id = Some("sha256:2".into());
                it.names = Some(vec!["/x/alias".into(), "/real".into()]);
            }),
        ];
        check(
            &Seen { containers, ..Default::default() },
            expect![[r#"
                docker_container in: name-of-in is attached to network lab (n1)
                docker_container created: name-of-created is attached to network lab (n1)
                docker_container on: name-of-on mounts volume data (data)
                docker_container from: name-of-from runs from image lab/app:1 (sha256:2lab/app:1)
                docker_container with: name-of-with shares the network of container web (c1)
                docker_container all: real is attached to network lab, mounts volume data and runs from image lab/app:1 (n1)
            "#]],
        );
    }

    #[test]
    fn what_our_runs_left_is_told_and_what_others_made_is_not() {
        let (ours, left, theirs) =
            ("00000000000000aa-1", "00000000000000aa-2", "00000000000000bb-1");
        let network = |id: &str, name: &str, token: &str| Network {
            id: Some(id.to_owned()),
            name: Some(name.to_owned()),
            labels: (!token.is_empty()).then(|| stamped(token)),
            ..Default::default()
        };
        let image = |id: &str, tags: &[&str], token: &str| ImageSummary {
            id: id.to_owned(),
            repo_tags: tags.iter().map(|it| (*it).to_owned()).collect(),
            labels: stamped(token),
            ..Default::default()
        };
        let volume = |name: &str, token: &str| Volume {
            name: name.to_owned(),
            labels: stamped(token),
            ..Default::default()
        };
        let seen = Seen {
            containers: vec![
                run("c9", |it| it.labels = Some(stamped(left))),
                run("c8", |it| it.labels = Some(stamped(theirs))),
                run("inherited", |it| it.labels = Some(stamped(ours))),
            ],
            networks: vec![
                network("n1", "lab", ours),
                network("n2", "lab", ""),
                network("n3", "old", left),
                network("n4", "theirs", theirs),
                network("n5", "bridge", ""),
            ],
            volumes: vec![volume("data", ours), volume("old", left), volume("theirs", theirs)],
            images: vec![
                image("sha256:3", &["lab/old:1"], left),
                image("sha256:4", &[], left),
                image("sha256:5", &["on/ours:1"], ours),
            ],
        };
        check(
            &seen,
            expect![[r#"
                docker_container c9: name-of-c9 was left behind by a run that made others of these objects (-)
                docker_network n2: lab has the name of a network of ours (n1)
                docker_network n3: old was left behind by a run that made others of these objects (-)
                docker_volume old: old was left behind by a run that made others of these objects (-)
                docker_image lab/old:1: lab/old:1 was left behind by a run that made others of these objects (-)
                docker_image sha256:4: sha256:4 was left behind by a run that made others of these objects (-)
            "#]],
        );
    }
}
