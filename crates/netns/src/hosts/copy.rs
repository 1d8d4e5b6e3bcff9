//! Copies a layer: whatever an overlay keeps in it, whiteouts and its own attributes included.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, lchown, symlink};
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, XattrFlags, lgetxattr, llistxattr, lsetxattr, mknodat};

/// Copies a folder with everything in it to a place where nothing is.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut waiting = vec![(from.to_owned(), to.to_owned())];
    // A folder that nobody may write to is made so after it is full.
    let mut folders = Vec::new();
    while let Some((from, to)) = waiting.pop() {
        let data = fs::symlink_metadata(&from)?;
        let kind = data.file_type();
        if kind.is_dir() {
            fs::create_dir(&to)?;
            for entry in fs::read_dir(&from)? {
                let entry = entry?;
                waiting.push((entry.path(), to.join(entry.file_name())));
            }
            folders.push((from, to, data));
            continue;
        }
        if kind.is_symlink() {
            symlink(fs::read_link(&from)?, &to)?;
        } else if kind.is_file() {
            fs::copy(&from, &to)?;
        } else if kind.is_char_device() && data.rdev() == 0 {
            // A whiteout: something below is gone.
            mknodat(CWD, &to, FileType::CharacterDevice, Mode::empty(), 0)?;
        } else if kind.is_fifo() {
            mknodat(CWD, &to, FileType::Fifo, Mode::from_raw_mode(data.mode()), 0)?;
        } else {
            // A socket means nothing without who listens.
            continue;
        }
        dress(&from, &to, &data)?;
    }
    for (from, to, data) in folders.iter().rev() {
        dress(from, to, data)?;
    }
    Ok(())
}

fn dress(from: &Path, to: &Path, data: &Metadata) -> io::Result<()> {
    // In a user namespace everything is ours already.
    let _ = lchown(to, Some(data.uid()), Some(data.gid()));
    let mut names = vec![0; 64 << 10];
    let count = llistxattr(from, &mut names[..]).unwrap_or(0);
    for name in names[..count].split(|it| *it == 0).filter(|it| !it.is_empty()) {
        let mut value = vec![0; 64 << 10];
        if let Ok(count) = lgetxattr(from, name, &mut value[..]) {
            // What it may not set it could not have set, either, but for the kernel's own.
            let _ = lsetxattr(to, name, &value[..count], XattrFlags::empty());
        }
    }
    if !data.is_symlink() {
        fs::set_permissions(to, fs::Permissions::from_mode(data.mode() & 0o7777))?;
    }
    Ok(())
}
