//! As whom a host's command runs.

use std::io;

use nix::unistd::{Gid, Uid, setgid, setgroups, setuid};

/// A user of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) home: String,
}

/// Finds `name`, `uid`, either with `:group`, in the text of `/etc/passwd` and `/etc/group`.
pub(crate) fn find(user: &str, passwd: &str, group: &str) -> Result<Account, String> {
    let (name, its_group) = match user.split_once(':') {
        Some((name, group)) => (name, Some(group)),
        None => (user, None),
    };
    let field =
        |line: &str, index: usize| line.split(':').nth(index).unwrap_or_default().to_owned();
    let number = name.parse::<u32>();
    let is_it = |line: &&str| match &number {
        Ok(uid) => field(line, 2).parse() == Ok(*uid),
        Err(_) => field(line, 0) == name,
    };
    let entry = passwd.lines().find(is_it);
    let mut account = match (entry, number) {
        (Some(line), _) => Account {
            uid: field(line, 2)
                .parse()
                .map_err(|_| format!("its /etc/passwd says nothing of {name:?}"))?,
            gid: field(line, 3).parse().unwrap_or_default(),
            home: field(line, 5),
        },
        (None, Ok(uid)) => Account { uid, gid: uid, home: "/".to_owned() },
        (None, Err(_)) => return Err(format!("there is no user {name:?} in it")),
    };
    if let Some(wanted) = its_group {
        let named = group.lines().find(|it| field(it, 0) == wanted).map(|it| field(it, 2));
        let gid = named.unwrap_or_else(|| wanted.to_owned()).parse();
        account.gid = gid.map_err(|_| format!("there is no group {wanted:?} in it"))?;
    }
    Ok(account)
}

/// Becomes it, for good.
pub(crate) fn become_it(account: &Account) -> io::Result<()> {
    if account.uid == 0 && account.gid == 0 {
        return Ok(());
    }
    // Where an ordinary user has the cloud, its hosts have one user: root.
    let only_root = |error: nix::Error| match error {
        nix::Error::EINVAL | nix::Error::EPERM => io::Error::other(
            "a cloud of an ordinary user has hosts with one user only: root; as root there are all",
        ),
        other => other.into(),
    };
    setgroups(&[]).map_err(only_root)?;
    setgid(Gid::from_raw(account.gid)).map_err(only_root)?;
    setuid(Uid::from_raw(account.uid)).map_err(only_root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_by_name_and_number() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34:web:/var/www:/bin/false\n";
        let group = "root:x:0:\nstaff:x:50:\n";
        let at = |user: &str| find(user, passwd, group).map(|it| (it.uid, it.gid, it.home));
        assert_eq!(at("web"), Ok((33, 34, "/var/www".to_owned())));
        assert_eq!(at("33:staff"), Ok((33, 50, "/var/www".to_owned())));
        assert_eq!(at("1000:7"), Ok((1000, 7, "/".to_owned())));
        assert_eq!(at("nobody"), Err("there is no user \"nobody\" in it".to_owned()));
        assert_eq!(at("web:x"), Err("there is no group \"x\" in it".to_owned()));
    }
}
