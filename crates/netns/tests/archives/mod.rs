//! Image archives, whole ones and others.

use std::fs;

pub(crate) type Part<'a> = (&'a str, &'a [u8]);

/// A tar, in which a name that ends with a slash is a folder's, and content `-> x` makes a link.
pub(crate) fn tar(parts: &[Part<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in parts {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1);
        header.set_size(0);
        // Straight into the header: the library would refuse what we want to see refused.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        if let Some(to) = std::str::from_utf8(content).ok().and_then(|it| it.strip_prefix("-> ")) {
            header.set_entry_type(tar::EntryType::Symlink);
            header.as_old_mut().linkname[..to.len()].copy_from_slice(to.as_bytes());
            header.set_cksum();
            builder.append(&header, &[][..]).unwrap();
        } else if name.ends_with('/') {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_cksum();
            builder.append(&header, &[][..]).unwrap();
        } else {
            header.set_size(content.len() as u64);
            header.set_cksum();
            builder.append(&header, *content).unwrap();
        }
    }
    builder.into_inner().unwrap()
}

pub(crate) fn zip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zip.write_all(bytes).unwrap();
    zip.finish().unwrap()
}

pub(crate) fn saved(layers: &[Vec<u8>]) -> Vec<u8> {
    let names: Vec<String> = (0..layers.len()).map(|it| format!("{it}/layer.tar")).collect();
    let manifest =
        serde_json::json!([{ "Config": "c.json", "RepoTags": ["a:b"], "Layers": names }])
            .to_string();
    let mut parts: Vec<Part<'_>> = vec![("manifest.json", manifest.as_bytes())];
    parts.extend(names.iter().zip(layers).map(|(name, layer)| (name.as_str(), layer.as_slice())));
    tar(&parts)
}

pub(crate) fn oci(layers: &[Vec<u8>]) -> Vec<u8> {
    use sha2::{Digest as _, Sha256};
    let sum =
        |it: &[u8]| -> String { Sha256::digest(it).iter().map(|it| format!("{it:02x}")).collect() };
    let list: Vec<_> = layers
        .iter()
        .map(|it| serde_json::json!({ "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": format!("sha256:{}", sum(it)), "size": it.len() }))
        .collect();
    let manifest = serde_json::json!({ "schemaVersion": 2, "layers": list }).to_string();
    let index = serde_json::json!({ "manifests": [{ "digest": format!("sha256:{}", sum(manifest.as_bytes())) }] }).to_string();
    let names: Vec<String> = layers.iter().map(|it| format!("blobs/sha256/{}", sum(it))).collect();
    let name = format!("blobs/sha256/{}", sum(manifest.as_bytes()));
    let mut parts: Vec<Part<'_>> =
        vec![("index.json", index.as_bytes()), (&name, manifest.as_bytes())];
    parts.extend(names.iter().zip(layers).map(|(name, layer)| (name.as_str(), layer.as_slice())));
    tar(&parts)
}

/// A small system.
pub(crate) fn base() -> Vec<u8> {
    let busybox = fs::read("/bin/busybox").unwrap();
    tar(&[
        ("./", b""),
        ("bin/", b""),
        ("bin/busybox", &busybox),
        ("bin/sh", b"-> busybox"),
        ("bin/cat", b"-> busybox"),
        ("bin/ls", b"-> busybox"),
        ("etc/", b""),
        ("etc/old", b"old"),
        ("etc/kept", b"kept\n"),
        ("data/", b""),
        ("data/below", b"below"),
        ("var/", b""),
        ("link", b"-> /var"),
    ])
}
