//! Where the next page of a list is.

use reqwest::Url;
use serde_json::Value as Json;

/// The path and query of the next page. Of a link only the query is taken: behind a proxy, the rest
/// of it often leads nowhere. `key` is what the list stands under, `path` where this page was.
pub(super) fn next(page: &Json, key: &str, path: &str) -> Option<String> {
    // Neutron and Nova: `networks_links: [{rel: next, href: …}]`.
    let links = page.get(format!("{key}_links")).and_then(Json::as_array);
    let linked = links
        .into_iter()
        .flatten()
        .find(|link| link.get("rel").and_then(Json::as_str) == Some("next"));
    let href = linked.and_then(|link| link.get("href"));
    // Glance: `next`; Keystone: `links: {next}`.
    let href = href.or_else(|| page.get("next")).or_else(|| page.pointer("/links/next"));
    let href = href.and_then(Json::as_str)?;
    let query = match Url::parse(href) {
        Ok(url) => url.query().map(str::to_owned),
        Err(_) => href.split_once('?').map(|(_, query)| query.to_owned()),
    }?;
    let start = path.split_once('?').map_or(path, |(start, _)| start);
    Some(format!("{start}?{query}"))
}
