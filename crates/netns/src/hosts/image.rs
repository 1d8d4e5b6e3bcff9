//! An image archive as a folder: an OCI layout or what `docker save` writes, as a tar.

use std::path::{Path, PathBuf};

use crate::wire::Refusal;

/// The folder of an archive's files; unpacked once.
pub(super) fn unpacked(archive: &Path, images: &Path) -> Result<PathBuf, Refusal> {
    let _ = (archive, images);
    Err(Refusal::new("Image not unpacked", "Not yet.").at("image"))
}
