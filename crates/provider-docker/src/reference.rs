//! Names of images: `[host/]repository[:tag][@digest]`, with Docker Hub's abbreviations.

use std::fmt;

/// The registry behind a name without a host.
pub(crate) const DOCKER_HUB: &str = "docker.io";

/// A name that means an image in some registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reference {
    /// Registry host with its port: `docker.io`, `127.0.0.1:5000`.
    pub host: String,
    /// Path inside the registry: `library/busybox`.
    pub repository: String,
    /// Tag, when written.
    pub tag: Option<String>,
    /// `sha256:…`, when written.
    pub digest: Option<String>,
}

/// What an `image` argument may hold: a name, or the id of an image the engine has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ImageName {
    /// `sha256:` and 64 hexadecimal digits.
    Id(String),
    /// A name.
    Name(Reference),
}

/// Why a text is not the name of an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an image name: {reason}")]
pub(crate) struct BadReference {
    text: String,
    reason: &'static str,
}

impl ImageName {
    /// Tells an id from a name.
    pub(crate) fn parse(text: &str) -> Result<ImageName, BadReference> {
        let hex = text.strip_prefix("sha256:").unwrap_or(text);
        if hex.len() == 64 && hex.bytes().all(is_hex) {
            return Ok(ImageName::Id(format!("sha256:{hex}")));
        }
        Reference::parse(text).map(ImageName::Name)
    }
}

impl Reference {
    /// Reads a name as the Docker command line does.
    pub(crate) fn parse(text: &str) -> Result<Reference, BadReference> {
        let bad = |reason| BadReference { text: text.to_owned(), reason };
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        if let Some(digest) = digest {
            let hex = digest.strip_prefix("sha256:").unwrap_or_default();
            if hex.len() != 64 || !hex.bytes().all(is_hex) {
                return Err(bad("the digest is not `sha256:` and 64 hexadecimal digits"));
            }
        }
        // A colon after the last slash starts a tag; one before it belongs to the host's port.
        let (path, tag) = match rest.rfind(':') {
            Some(at) if !rest[at..].contains('/') => (&rest[..at], Some(&rest[at + 1..])),
            _ => (rest, None),
        };
        if let Some(tag) = tag {
            let first = tag.bytes().next().unwrap_or(b'-');
            let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
            if tag.len() > 128
                || !word(first)
                || !tag.bytes().all(|b| word(b) || b"-.".contains(&b))
            {
                return Err(bad("a tag has 1 to 128 letters, digits, `_`, `.` and `-`"));
            }
        }
        let (host, repository) = match path.split_once('/') {
            Some((host, rest)) if is_host(host) => (host, rest),
            _ => (DOCKER_HUB, path),
        };
        if repository.is_empty() {
            return Err(bad("there is no repository"));
        }
        if repository.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(bad("a repository is written in lower case"));
        }
        if !repository.split('/').all(is_component) {
            return Err(bad("a repository has lower-case letters, digits, `.`, `_`, `-` and `/`"));
        }
        let host = if is_hub_alias(host) { DOCKER_HUB } else { host };
        let repository = if host == DOCKER_HUB && !repository.contains('/') {
            format!("library/{repository}")
        } else {
            repository.to_owned()
        };
        Ok(Reference {
            host: host.to_owned(),
            repository,
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }

    /// The same, with the tag `latest` if neither tag nor digest is written.
    #[must_use]
    pub(crate) fn or_latest(mut self) -> Reference {
        if self.tag.is_none() && self.digest.is_none() {
            self.tag = Some("latest".to_owned());
        }
        self
    }

    /// Host and repository as the engine lists them: `busybox`, `127.0.0.1:5000/lab/tool`.
    pub(crate) fn familiar_repository(&self) -> String {
        if self.host != DOCKER_HUB {
            return format!("{}/{}", self.host, self.repository);
        }
        self.repository.strip_prefix("library/").unwrap_or(&self.repository).to_owned()
    }

    /// `repository:tag` as the engine lists it in `RepoTags`; `latest` when there is no tag.
    pub(crate) fn familiar_tag(&self) -> String {
        format!("{}:{}", self.familiar_repository(), self.tag.as_deref().unwrap_or("latest"))
    }

    /// `repository@digest` as the engine lists it in `RepoDigests`.
    pub(crate) fn familiar_digest(&self) -> Option<String> {
        Some(format!("{}@{}", self.familiar_repository(), self.digest.as_ref()?))
    }

    /// Whether an image with these `RepoTags` and `RepoDigests` goes by this name.
    pub(crate) fn names(&self, repo_tags: &[String], repo_digests: &[String]) -> bool {
        match self.familiar_digest() {
            Some(digest) => repo_digests.contains(&digest),
            None => repo_tags.contains(&self.familiar_tag()),
        }
    }

    /// What to ask a registry for: the digest if there is one, else the tag.
    pub(crate) fn tag_or_digest(&self) -> &str {
        self.digest.as_deref().or(self.tag.as_deref()).unwrap_or("latest")
    }
}

/// The shortest form that means the same.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.familiar_repository())?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// Whether a host is one of the names under which Docker Hub is known.
pub(crate) fn is_hub_alias(host: &str) -> bool {
    matches!(
        host,
        "docker.io" | "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com"
    )
}

fn is_hex(b: u8) -> bool {
    matches!(b, b'0'..=b'9' | b'a'..=b'f')
}

/// The first component is a host when it could not be the name of a user.
fn is_host(text: &str) -> bool {
    text == "localhost" || text.contains(['.', ':']) || text.bytes().any(|b| b.is_ascii_uppercase())
}

fn is_component(text: &str) -> bool {
    let inner = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9');
    let bytes = text.as_bytes();
    bytes.first().is_some_and(|b| inner(*b))
        && bytes.last().is_some_and(|b| inner(*b))
        && bytes.iter().all(|b| inner(*b) || b"._-".contains(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> String {
        match Reference::parse(text) {
            Ok(r) => format!(
                "{} {} {} {} = {r}",
                r.host,
                r.repository,
                r.tag.as_deref().unwrap_or("-"),
                r.digest.as_deref().map_or("-", |d| &d[..10]),
            ),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn names_are_read_as_docker_reads_them() {
        let hex = "0123456789abcdef".repeat(4);
        let digest = format!("lab.example/a/b:1@sha256:{hex}");
        let cases = [
            "busybox",
            "busybox:1.36",
            "library/busybox",
            "docker.io/busybox:x",
            "index.docker.io/library/busybox",
            "someone/tool",
            "localhost/tool",
            "localhost:5000/lab/tool:v1",
            "127.0.0.1:5000/tool",
            &digest,
            "",
            ":tag",
            "a:",
            "Upper",
            "a//b",
            "a@sha256:12",
            "a:b:c",
        ];
        let shown: String = cases.iter().map(|c| parts(c) + "\n").collect();
        expect_test::expect![[r#"
            docker.io library/busybox - - = busybox
            docker.io library/busybox 1.36 - = busybox:1.36
            docker.io library/busybox - - = busybox
            docker.io library/busybox x - = busybox:x
            docker.io library/busybox - - = busybox
            docker.io someone/tool - - = someone/tool
            localhost tool - - = localhost/tool
            localhost:5000 lab/tool v1 - = localhost:5000/lab/tool:v1
            127.0.0.1:5000 tool - - = 127.0.0.1:5000/tool
            lab.example a/b 1 sha256:012 = lab.example/a/b:1@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
            `` is not an image name: there is no repository
            `:tag` is not an image name: there is no repository
            `a:` is not an image name: a tag has 1 to 128 letters, digits, `_`, `.` and `-`
            `Upper` is not an image name: a repository is written in lower case
            `a//b` is not an image name: a repository has lower-case letters, digits, `.`, `_`, `-` and `/`
            `a@sha256:12` is not an image name: the digest is not `sha256:` and 64 hexadecimal digits
            `a:b:c` is not an image name: a repository has lower-case letters, digits, `.`, `_`, `-` and `/`
        "#]]
        .assert_eq(&shown);
    }

    #[test]
    fn ids_are_told_from_names() {
        let hex = "ab".repeat(32);
        assert_eq!(ImageName::parse(&hex), Ok(ImageName::Id(format!("sha256:{hex}"))));
        assert_eq!(
            ImageName::parse(&format!("sha256:{hex}")).unwrap(),
            ImageName::Id(format!("sha256:{hex}"))
        );
        assert!(matches!(ImageName::parse("busybox"), Ok(ImageName::Name(_))));
    }

    #[test]
    fn an_image_goes_by_its_tags_and_digests() {
        let tags = ["busybox:latest".to_owned(), "127.0.0.1:5000/lab/tool:1".to_owned()];
        let hex = "cd".repeat(32);
        let digests = [format!("busybox@sha256:{hex}")];
        let named = |text: &str| Reference::parse(text).unwrap().names(&tags, &digests);
        assert!(named("docker.io/library/busybox"));
        assert!(named("127.0.0.1:5000/lab/tool:1"));
        assert!(!named("127.0.0.1:5000/lab/tool"));
        assert!(named(&format!("busybox:other@sha256:{hex}")), "a digest decides alone");
        assert!(!named("busybox:1"));
    }
}
