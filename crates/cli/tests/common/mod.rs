//! A folder with a configuration, and the program run in it.
#![allow(dead_code, reason = "every test file uses its part")]
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]
#![expect(unreachable_pub, reason = "a part of each test binary")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

pub struct Lab {
    dir: TempDir,
}

/// What a run of the program left.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Lab {
    /// A folder with `main.tf`.
    pub fn new(main: &str) -> Lab {
        let lab = Lab { dir: TempDir::new().unwrap() };
        lab.file("main.tf", main);
        lab
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn file(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path(name)).ok()
    }

    /// The state file, byte by byte.
    pub fn state(&self) -> Option<String> {
        self.read("terraform.tfstate")
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plumb"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path());
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        let output = self.command(args).stdin(std::process::Stdio::null()).output().unwrap();
        self.ran(&output)
    }

    pub fn ran(&self, output: &Output) -> Ran {
        let text = |bytes: &[u8]| self.plain(&String::from_utf8_lossy(bytes));
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    /// Runs it and expects it to go well.
    pub fn ok(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.code, 0, "plumb {args:?}\n{}{}", ran.out, ran.err);
        ran.out
    }

    /// Text without what differs from run to run.
    fn plain(&self, text: &str) -> String {
        let text = text.replace(&*self.dir.path().to_string_lossy(), "{dir}");
        let mut out = String::new();
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let head = rest.get(..36).filter(|it| is_uuid(it));
            match head {
                Some(_) => {
                    out.push_str("{uuid}");
                    rest = &rest[36..];
                }
                None => {
                    let next = rest.chars().next().map_or(1, char::len_utf8);
                    out.push_str(&rest[..next]);
                    rest = &rest[next..];
                }
            }
        }
        out
    }
}

fn is_uuid(text: &str) -> bool {
    text.bytes().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}
