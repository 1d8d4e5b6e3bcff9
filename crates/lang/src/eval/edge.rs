//! Functions that only the edge can answer: files, folders, clock, chance.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use plumb_model::question::{Answer, FileQuestion};
use plumb_model::value::{Marks, Refinements, Type, Value};
use sha2::Digest as _;

use super::Names;
use super::call::{CallError, Signature};
use super::expr::Eval;

/// The functions of this file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EdgeFunction {
    AbsPath,
    Bcrypt,
    File,
    FileBase64,
    FileExists,
    FileHash(Hash, Encoding),
    FileSet,
    PathExpand,
    PlanTimestamp,
    TemplateFile,
    Timestamp,
    Uuid,
}

/// Of file contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

/// Of hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Base64,
    Hex,
}

/// By name, sorted.
const ALL: &[(&str, EdgeFunction)] = &[
    ("abspath", EdgeFunction::AbsPath),
    ("bcrypt", EdgeFunction::Bcrypt),
    ("file", EdgeFunction::File),
    ("filebase64", EdgeFunction::FileBase64),
    ("filebase64sha256", EdgeFunction::FileHash(Hash::Sha256, Encoding::Base64)),
    ("filebase64sha512", EdgeFunction::FileHash(Hash::Sha512, Encoding::Base64)),
    ("fileexists", EdgeFunction::FileExists),
    ("filemd5", EdgeFunction::FileHash(Hash::Md5, Encoding::Hex)),
    ("fileset", EdgeFunction::FileSet),
    ("filesha1", EdgeFunction::FileHash(Hash::Sha1, Encoding::Hex)),
    ("filesha256", EdgeFunction::FileHash(Hash::Sha256, Encoding::Hex)),
    ("filesha512", EdgeFunction::FileHash(Hash::Sha512, Encoding::Hex)),
    ("pathexpand", EdgeFunction::PathExpand),
    ("plantimestamp", EdgeFunction::PlanTimestamp),
    ("templatefile", EdgeFunction::TemplateFile),
    ("timestamp", EdgeFunction::Timestamp),
    ("uuid", EdgeFunction::Uuid),
];

/// The function of that name.
pub(super) fn lookup(name: &str) -> Option<EdgeFunction> {
    ALL.binary_search_by(|it| it.0.cmp(name)).ok().map(|at| ALL[at].1)
}

/// Names of all of them, and of those that [`super::call`] carries out itself.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|it| it.0).chain(["can", "templatestring", "try"])
}

impl EdgeFunction {
    /// What it takes.
    pub(super) fn signature(self) -> Signature {
        let fixed: &'static [(&'static str, Type)] = match self {
            EdgeFunction::PlanTimestamp | EdgeFunction::Timestamp | EdgeFunction::Uuid => &[],
            EdgeFunction::Bcrypt => &[("str", Type::String)],
            EdgeFunction::FileSet => &[("path", Type::String), ("pattern", Type::String)],
            EdgeFunction::TemplateFile => &[("path", Type::String), ("vars", Type::Dynamic)],
            _ => &[("path", Type::String)],
        };
        let variadic = (self == EdgeFunction::Bcrypt).then_some(("cost", Type::Number));
        Signature { fixed, variadic }
    }
}

impl Eval<'_> {
    /// Calls it with converted arguments.
    pub(super) fn call_edge(
        &mut self,
        function: EdgeFunction,
        args: &[Value],
    ) -> Result<Value, CallError> {
        let marks = args.iter().fold(Marks::NONE, |marks, it| marks | it.marks_deep());
        if let Some(at) = args.iter().position(Value::is_null) {
            return Err(CallError::Arg(at, "argument must not be null".into()));
        }
        let ty = match function {
            EdgeFunction::FileExists => Type::Bool,
            EdgeFunction::FileSet => Type::set(Type::String),
            EdgeFunction::TemplateFile => Type::Dynamic,
            _ => Type::String,
        };
        let later = Value::unknown_refined(
            ty.clone(),
            match ty {
                Type::Dynamic => Refinements::default(),
                _ => Refinements::not_null(),
            },
        );
        if args.iter().any(|it| !it.is_known()) {
            return Ok(later.with_marks(marks));
        }
        let text = |at: usize| args.get(at).and_then(Value::as_str).unwrap_or_default();
        let result = match function {
            EdgeFunction::AbsPath => {
                let home = expand(text(0), self.names);
                self.names.working_dir().map(|it| Value::from(joined(&it, &home)))
            }
            EdgeFunction::PathExpand => Some(Value::from(expand(text(0), self.names))),
            EdgeFunction::Bcrypt => {
                let cost = args.get(1).map_or(Some(10), Value::as_i64);
                let cost = cost.and_then(|it| u32::try_from(it).ok());
                let cost = cost.filter(|it| (4..=31).contains(it)).ok_or_else(|| {
                    CallError::Arg(1, "bcrypt cost must be between 4 and 31".into())
                })?;
                match self.names.random() {
                    None => None,
                    Some(salt) => Some(Value::from(bcrypt_text(text(0), cost, salt)?)),
                }
            }
            EdgeFunction::Uuid => self.names.random().map(|bytes| {
                Value::from(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
            }),
            EdgeFunction::Timestamp => self.names.now().map(|it| Value::from(&*it)),
            EdgeFunction::PlanTimestamp => self.names.plan_time().map(|it| Value::from(&*it)),
            EdgeFunction::File => match self.content(text(0))? {
                None => None,
                Some(bytes) => Some(Value::from(utf8(&bytes)?)),
            },
            EdgeFunction::FileBase64 => {
                self.content(text(0))?.map(|bytes| Value::from(STANDARD.encode(&bytes)))
            }
            EdgeFunction::FileHash(hash, encoding) => {
                self.content(text(0))?.map(|bytes| Value::from(hashed(&bytes, hash, encoding)))
            }
            EdgeFunction::FileExists => {
                let path: Arc<str> = clean(&expand(text(0), self.names)).into();
                match self.names.file(&FileQuestion::Exists(path)) {
                    None => None,
                    Some(Answer::Bool(it)) => Some(Value::bool(it)),
                    Some(answer) => return Err(CallError::Whole(why(&answer))),
                }
            }
            EdgeFunction::FileSet => {
                let path: Arc<str> = clean(&expand(text(0), self.names)).into();
                match self.names.file(&FileQuestion::Set(path, text(1).into())) {
                    None => None,
                    Some(Answer::Names(names)) => {
                        let names = names.iter().map(|it| Value::from(&**it)).collect();
                        Some(Value::set(Type::String, names))
                    }
                    Some(answer) => return Err(CallError::Whole(why(&answer))),
                }
            }
            EdgeFunction::TemplateFile => match self.content(text(0))? {
                None => None,
                Some(bytes) => Some(self.render(text(0), utf8(&bytes)?, &args[1])?),
            },
        };
        Ok(result.unwrap_or(later).with_marks(marks))
    }

    /// The bytes of a file; none while they are not known.
    fn content(&mut self, given: &str) -> Result<Option<Arc<[u8]>>, CallError> {
        let path: Arc<str> = clean(&expand(given, self.names)).into();
        match self.names.file(&FileQuestion::Content(path.clone())) {
            None => Ok(None),
            Some(Answer::Bytes(bytes)) => Ok(Some(bytes)),
            Some(Answer::Gone) => Err(CallError::Arg(
                0,
                format!(
                    "no file exists at {given:?}; this function works only with files that are \
                 distributed as part of the configuration source code, so if this file will be \
                 created by a resource in this configuration you must instead obtain this result \
                 from an attribute of that resource"
                ),
            )),
            Some(answer) => Err(CallError::Arg(0, why(&answer))),
        }
    }
}

fn why(answer: &Answer) -> String {
    match answer {
        Answer::Failed { detail, .. } if !detail.is_empty() => {
            detail.trim_end_matches('.').to_owned()
        }
        Answer::Failed { summary, .. } => summary.to_string(),
        _ => "the answer makes no sense".into(),
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, CallError> {
    std::str::from_utf8(bytes).map_err(|_| {
        CallError::Arg(
            0,
            "contents of the file are not valid UTF-8; use the filebase64 function \
            to obtain the Base64 encoded contents or the other file functions (e.g. filemd5, \
            filesha256) to obtain file hashing results instead"
                .into(),
        )
    })
}

fn hashed(bytes: &[u8], hash: Hash, encoding: Encoding) -> String {
    let digest = match hash {
        Hash::Md5 => md5::Md5::digest(bytes).to_vec(),
        Hash::Sha1 => sha1::Sha1::digest(bytes).to_vec(),
        Hash::Sha256 => sha2::Sha256::digest(bytes).to_vec(),
        Hash::Sha512 => sha2::Sha512::digest(bytes).to_vec(),
    };
    match encoding {
        Encoding::Base64 => STANDARD.encode(digest),
        Encoding::Hex => digest.iter().map(|it| format!("{it:02x}")).collect(),
    }
}

fn bcrypt_text(text: &str, cost: u32, salt: [u8; 16]) -> Result<String, CallError> {
    bcrypt::hash_with_salt(text, cost, salt)
        .map(|it| it.format_for_version(bcrypt::Version::TwoA))
        .map_err(|error| CallError::Arg(0, error.to_string()))
}

/// With `~` at the beginning replaced.
fn expand(path: &str, names: &dyn Names) -> String {
    match (path.strip_prefix('~'), names.home_dir()) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            format!("{home}{rest}")
        }
        _ => path.to_owned(),
    }
}

fn joined(base: &str, path: &str) -> String {
    if path.starts_with('/') { clean(path) } else { clean(&format!("{base}/{path}")) }
}

/// The shortest path that means the same if there are no symbolic links.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|it| *it != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    match (rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".into(),
        (false, false) => parts.join("/"),
    }
}
