//! Where a service is: an override, or an entry of the token's catalogue; and which part of a
//! version document says where its version is.

use plumb_provider::Failure;
use reqwest::Url;
use serde_json::Value as Json;

use super::token::{CatalogEntry, Identity};
use crate::auth::Settings;

/// A service that we talk to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Service {
    /// Keystone.
    Identity,
    /// Neutron.
    Network,
    /// Nova.
    Compute,
    /// Glance.
    Image,
    /// Cinder.
    Volume,
    /// Placement.
    Placement,
}

/// What a catalogued URL still lacks.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing.
    Whole(Url),
    /// The version, which the service tells when asked at this URL.
    Unversioned(Url),
}

impl Service {
    /// What catalogues call it, best first.
    fn types(self) -> &'static [&'static str] {
        match self {
            Service::Identity => &["identity"],
            Service::Network => &["network", "networking"],
            Service::Compute => &["compute"],
            Service::Image => &["image", "images"],
            Service::Volume => &["block-storage", "block-store", "volumev3", "volume", "volumev2"],
            Service::Placement => &["placement"],
        }
    }

    /// For people.
    pub(crate) fn name(self) -> &'static str {
        self.types()[0]
    }

    /// The version we speak, as it stands in paths. Placement has none.
    pub(super) fn version(self) -> Option<&'static str> {
        match self {
            Service::Identity => Some("v3"),
            Service::Network => Some("v2.0"),
            Service::Compute => Some("v2.1"),
            Service::Image => Some("v2"),
            Service::Volume => Some("v3"),
            Service::Placement => None,
        }
    }
}

/// Where the service is, as far as settings and catalogue tell.
pub(super) fn find(
    service: Service,
    settings: &Settings,
    identity: &Identity,
) -> Result<Found, Failure> {
    let overriding = service.types().iter().find_map(|name| settings.endpoint_overrides.get(*name));
    let url = match overriding {
        Some(value) if value.contains("://") => parse(service, value)?,
        Some(other) => look_up(service, &[other.as_str()], settings, identity)?,
        None => look_up(service, service.types(), settings, identity)?,
    };
    Ok(completed(service, url, &identity.project_id))
}

fn parse(service: Service, written: &str) -> Result<Url, Failure> {
    match Url::parse(written) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.host().is_some() => Ok(url),
        Ok(_) | Err(_) => Err(Failure::new(
            format!("`{written}` is not an endpoint of the {} service", service.name()),
            "A URL is needed, such as https://cloud.example:9696/v2.0/.",
        )),
    }
}

fn look_up(
    service: Service,
    types: &[&str],
    settings: &Settings,
    identity: &Identity,
) -> Result<Url, Failure> {
    let entries: Vec<&CatalogEntry> = types
        .iter()
        .flat_map(|name| identity.catalog.iter().filter(move |entry| entry.service == *name))
        .collect();
    let region = settings.region.as_deref();
    let interface = settings.interface.name();
    let urls = entries.iter().flat_map(|entry| &entry.endpoints).filter(|endpoint| {
        endpoint.interface == interface
            && region.is_none_or(|r| endpoint.region == r || endpoint.region_id == r)
    });
    // An old entry of the same service may still speak an older version only.
    let speaks = |url: &Url| match (service, version_at(url)) {
        (Service::Volume, Some(index)) => segment(url, index).starts_with("v3"),
        _ => true,
    };
    let urls: Vec<Url> = urls.filter_map(|endpoint| Url::parse(&endpoint.url).ok()).collect();
    match urls.into_iter().find(speaks) {
        Some(url) => Ok(url),
        None => Err(missing(types, &entries, settings, identity)),
    }
}

fn missing(
    types: &[&str],
    entries: &[&CatalogEntry],
    settings: &Settings,
    identity: &Identity,
) -> Failure {
    let name = types[0];
    let interface = settings.interface.name();
    let known = |items: Vec<&str>| {
        let mut items: Vec<String> = items.into_iter().map(|item| format!("`{item}`")).collect();
        items.sort();
        items.dedup();
        items.join(", ")
    };
    if entries.is_empty() {
        let summary = format!("The cloud's catalogue has no {name} service");
        let detail = match identity.catalog.is_empty() {
            true => "The catalogue is empty: the token is good for no project. Set `tenant_name` \
                     or `tenant_id`."
                .to_owned(),
            false => {
                let names = identity.catalog.iter().map(|entry| &*entry.service).collect();
                format!(
                    "It has {}. If the service is there all the same, set \
                     `endpoint_overrides = {{ {name} = \"https://…\" }}`.",
                    known(names)
                )
            }
        };
        return Failure::new(summary, detail);
    }
    let endpoints = || entries.iter().flat_map(|entry| &entry.endpoints);
    let regions = known(endpoints().map(|endpoint| &*endpoint.region).collect());
    match &settings.region {
        Some(region) if !regions.contains(&format!("`{region}`")) => Failure::new(
            format!("The {name} service is not in the region `{region}`"),
            format!("It is in {regions}. Correct `region`."),
        ),
        _ => {
            let interfaces = known(endpoints().map(|endpoint| &*endpoint.interface).collect());
            Failure::new(
                format!("The {name} service has no {interface} endpoint that we can use"),
                format!("It has {interfaces}. Correct `endpoint_type`."),
            )
        }
    }
}

/// Adds what can be added without asking.
fn completed(service: Service, mut url: Url, project: &str) -> Found {
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    url.set_query(None);
    match (service.version(), version_at(&url)) {
        (None, _) => Found::Whole(url),
        // Keystone serves v3 below whatever its root is.
        (Some(version), None) if service == Service::Identity => {
            Found::Whole(versioned(url, version, service, project))
        }
        (Some(_), None) => Found::Unversioned(url),
        (Some(_), Some(index)) => {
            if service == Service::Identity && segment(&url, index) == "v2.0" {
                let root = path.trim_end_matches("/v2.0").to_owned();
                url.set_path(&format!("{root}/v3"));
            }
            Found::Whole(with_project(url, service, project))
        }
    }
}

/// The URL with the version that it lacked.
pub(super) fn versioned(mut url: Url, version: &str, service: Service, project: &str) -> Url {
    let path = format!("{}/{version}", url.path().trim_end_matches('/'));
    url.set_path(&path);
    with_project(url, service, project)
}

/// Cinder wants the project, too; old ones insist.
fn with_project(mut url: Url, service: Service, project: &str) -> Url {
    let ends_in_version =
        url.path_segments().is_some_and(|segments| version_at(&url) == Some(segments.count() - 1));
    if service == Service::Volume && ends_in_version && !project.is_empty() {
        let path = format!("{}/{project}", url.path());
        url.set_path(&path);
    }
    url
}

/// Which segment of the path is a version.
pub(super) fn version_at(url: &Url) -> Option<usize> {
    url.path_segments()?.position(|segment| {
        segment.strip_prefix('v').is_some_and(|number| {
            number.starts_with(|c: char| c.is_ascii_digit())
                && number.chars().all(|c| c.is_ascii_digit() || c == '.')
        })
    })
}

fn segment(url: &Url, index: usize) -> &str {
    url.path_segments().and_then(|mut segments| segments.nth(index)).unwrap_or_default()
}

/// The version's segment in paths, from what the service says at its root. Only the last part of
/// the link is used: behind a proxy, the rest of it often leads nowhere.
pub(super) fn version_segment(service: Service, document: &Json) -> Option<String> {
    let ours = service.version()?;
    let major = ours.split('.').next()?;
    let versions = document.get("versions").map(|all| all.get("values").unwrap_or(all))?;
    let links = versions
        .as_array()?
        .iter()
        .flat_map(|version| version.get("links").and_then(Json::as_array).into_iter().flatten());
    let segments: Vec<String> = links
        .filter(|link| link.get("rel").and_then(Json::as_str) == Some("self"))
        .filter_map(|link| {
            let path = link.get("href")?.as_str()?.trim_end_matches('/');
            Some(path.rsplit('/').next()?.to_owned())
        })
        .collect();
    let same = segments.iter().find(|segment| *segment == ours);
    let like = |segment: &&String| segment.split('.').next() == Some(major);
    same.or_else(|| segments.iter().find(like)).cloned()
}
