//! The `encryption` block and what the environment says in its place, to a sealer.
//!
//! It has to be known before anything is read, so names mean variables and locals of the root
//! module only. Where a passphrase or an identity stands, no diagnostic shows the text.

mod early;
mod secret;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use plumb_diag::{Diagnostic, Diagnostics, FileId, SourceFile, Span};
use plumb_lang::config::{
    Encryption as Declared, EncryptionPart, EncryptionTarget, Module, PartRef, decode_encryption,
    part_arguments, part_ref,
};
use plumb_lang::eval::{self, Names};
use plumb_lang::syntax::Expr;
use plumb_model::value::{Type, Value, convert};
use plumb_state::seal::{
    AesGcm, Age, Encryption, Hash, Input, KeyProvider, KeySource, Method, Pbkdf2, RemoteStates,
    SealError, Sealer, Secret, Target,
};

use crate::context::Context;
use crate::load;
use crate::variables::Typed;
use early::Early;

/// Where the environment says it, the weakest first: OpenTofu's variable, then ours.
const VARIABLES: [&str; 2] = ["TF_ENCRYPTION", "PLUMB_ENCRYPTION"];

/// The sealer of a configuration: what its root module says, what the environment says above that.
pub(crate) fn sealer(
    context: &Context,
    module: Option<&Module>,
    typed: &[Typed],
) -> Result<Arc<Sealer>, Diagnostics> {
    let declared = module.and_then(|it| it.encryption.clone());
    let Some(declared) = with_environment(declared, &context.env)? else {
        return Ok(Arc::new(Sealer::default()));
    };
    let early = Early::new(context, module, typed);
    let encryption = decode(&declared, &early).map_err(places_of_texts)?;
    Ok(Arc::new(Sealer::new(encryption)))
}

/// The same, of the configuration in this folder.
pub(crate) fn sealer_here(context: &Context) -> Result<Arc<Sealer>, Diagnostics> {
    let loaded = load::load(&mut load::read_folder);
    context.ui.show_from(&loaded.sources);
    sealer(context, loaded.root().map(|it| &**it), &[])
}

/// The same, of the configuration in another folder; none if that is wrong, which whoever runs there
/// is told.
pub(crate) fn sealer_in(context: &Context, folder: &Path) -> Arc<Sealer> {
    let mut read = |dir: &str| load::read_folder(&folder.join(dir).to_string_lossy());
    let loaded = load::load(&mut read);
    sealer(context, loaded.root().map(|it| &**it), &[]).unwrap_or_default()
}

/// What a person is told when something cannot be sealed or opened.
pub(crate) fn refusal(summary: &str, file: &str, error: &SealError) -> Diagnostics {
    let advice = error.advice().map(|it| format!("\n{it}")).unwrap_or_default();
    vec![Diagnostic::error(summary, format!("{file}: {error}.{advice}"))]
}

/// Texts of the environment, which no diagnostic may quote: these are in no sources.
static HIDDEN: LazyLock<[FileId; VARIABLES.len()]> =
    LazyLock::new(|| VARIABLES.map(|_| FileId::unique()));

fn with_environment(
    declared: Option<Declared>,
    env: &BTreeMap<String, String>,
) -> Result<Option<Declared>, Diagnostics> {
    let mut all = declared;
    for (i, name) in VARIABLES.iter().enumerate() {
        let Some(text) = env.get(*name).filter(|it| !it.trim().is_empty()) else { continue };
        if text.trim_start().starts_with('{') {
            let detail = format!(
                "{name} looks like JSON, which is not supported. Say it as in the encryption block \
                 of a configuration, without the braces around it."
            );
            return Err(vec![Diagnostic::error("Invalid encryption configuration", detail)]);
        }
        let (over, found) = decode_encryption(HIDDEN[i], text);
        if found.iter().any(Diagnostic::is_error) {
            let lines = SourceFile::new(*name, text.as_str());
            let place = |span: Span| lines.position(span.start).line;
            return Err(found.into_iter().map(|it| without_text(it, name, place)).collect());
        }
        all = Some(match all {
            Some(all) => all.overridden_by(over),
            None => over,
        });
    }
    Ok(all)
}

/// A diagnostic about a text of the environment: the line by number.
fn without_text(it: Diagnostic, name: &str, line: impl Fn(Span) -> u32) -> Diagnostic {
    let place = match it.span {
        Some(span) => format!("Line {} of {name}: ", line(span)),
        None => format!("{name}: "),
    };
    let Diagnostic { severity, summary, detail, hint, .. } = it;
    let mut new = Diagnostic::error(summary, place + &detail);
    (new.severity, new.hint) = (severity, hint);
    new
}

/// Diagnostics whose place is in a text of the environment.
fn places_of_texts(found: Diagnostics) -> Diagnostics {
    let of = |it: &Diagnostic| {
        let file = it.span?.file;
        (0..VARIABLES.len()).find(|i| HIDDEN[*i] == file).map(|i| VARIABLES[i])
    };
    let strip = |it: Diagnostic| match of(&it) {
        Some(name) => {
            let mut new = Diagnostic::error(it.summary, format!("In {name}: {}", it.detail));
            (new.severity, new.hint) = (it.severity, it.hint);
            new
        }
        None => it,
    };
    found.into_iter().map(strip).collect()
}

/// What is known of a key provider.
#[derive(Clone)]
enum Known {
    /// It is being made: whoever needs it for that goes in a circle.
    Making,
    /// It is wrong, and that was said.
    Wrong,
    Made(Arc<KeyProvider>),
}

/// Names to what they mean.
struct Decoder<'a> {
    declared: &'a Declared,
    names: &'a dyn Names,
    providers: BTreeMap<(Arc<str>, Arc<str>), Known>,
    out: Diagnostics,
}

fn decode(declared: &Declared, names: &dyn Names) -> Result<Encryption, Diagnostics> {
    let mut decoder =
        Decoder { declared, names, providers: BTreeMap::new(), out: Diagnostics::new() };
    let mut target = |it: &Option<EncryptionTarget>| it.as_ref().and_then(|it| decoder.target(it));
    let (state, plan) = (target(&declared.state), target(&declared.plan));
    let default = target(&declared.remote_default);
    let named = declared.remote.iter();
    let named = named.filter_map(|(name, it)| Some((name.clone(), decoder.target(it)?))).collect();
    if decoder.out.iter().any(Diagnostic::is_error) {
        return Err(decoder.out);
    }
    Ok(Encryption { state, plan, remote_states: RemoteStates { default, named } })
}

impl Decoder<'_> {
    fn error(&mut self, summary: &str, detail: impl Into<String>, span: Span) {
        self.out.push(Diagnostic::error(summary, detail).at(span));
    }

    fn checked<T>(&mut self, result: Result<T, SealError>, span: Span) -> Option<T> {
        let sentence = |it: SealError| {
            let text = it.to_string();
            let mut letters = text.chars();
            let first = letters.next().map(|it| it.to_uppercase().to_string()).unwrap_or_default();
            format!("{first}{}.", letters.as_str())
        };
        let refused = |it| self.error("Invalid encryption configuration", sentence(it), span);
        result.map_err(refused).ok()
    }

    fn target(&mut self, target: &EncryptionTarget) -> Option<Target> {
        let mut methods = Vec::new();
        let mut next = Some(target);
        while let Some(it) = next {
            let Some(method) = &it.method else {
                let detail = "The argument \"method\" is required, but no definition was found.";
                self.error("Missing required argument", detail, it.span);
                return None;
            };
            methods.push(self.method(method)?);
            next = it.fallback.as_deref();
        }
        let first = methods.remove(0);
        self.checked(Target::new(first, methods, target.enforced), target.span)
    }

    fn method(&mut self, named: &PartRef) -> Option<Method> {
        let found = find(&self.declared.methods, named).cloned();
        let Some(part) = found else {
            let PartRef { kind, name, span } = named;
            let detail = format!("There is no method {kind:?} {name:?} in the encryption block.");
            self.error("Reference to undeclared encryption method", detail, *span);
            return None;
        };
        match &*part.kind {
            "unencrypted" => {
                part_arguments(&part, &[], &mut self.out);
                Some(Method::Unencrypted)
            }
            "aes_gcm" => self.aes_gcm(&part),
            other => {
                let detail = format!(
                    "There is no method {other:?} here: there are \"aes_gcm\" and \"unencrypted\"."
                );
                self.error("Unsupported encryption method", detail, part.span);
                None
            }
        }
    }

    fn aes_gcm(&mut self, part: &EncryptionPart) -> Option<Method> {
        let mut inside = part_arguments(part, &["keys", "aad"], &mut self.out);
        let aad = match inside.take("aad") {
            Some(expr) => self.bytes(&expr)?,
            None => Vec::new(),
        };
        let Some(keys) = inside.take("keys") else {
            let detail = "The argument \"keys\" is required, but no definition was found.";
            self.error("Missing required argument", detail, part.span);
            return None;
        };
        let keys = part_ref(&keys, "key_provider", &mut self.out)?;
        let keys = self.provider(&keys)?;
        self.checked(AesGcm::new(keys, aad), part.span).map(Method::AesGcm)
    }

    fn provider(&mut self, named: &PartRef) -> Option<Arc<KeyProvider>> {
        let address = (named.kind.clone(), named.name.clone());
        match self.providers.get(&address).cloned() {
            Some(Known::Made(known)) => return Some(known),
            Some(Known::Wrong) => return None,
            Some(Known::Making) => {
                let detail = "A key provider cannot be chained to itself.";
                self.error("Invalid key provider reference", detail, named.span);
                return None;
            }
            None => {}
        }
        let found = find(&self.declared.key_providers, named).cloned();
        let Some(part) = found else {
            let PartRef { kind, name, span } = named;
            let detail =
                format!("There is no key_provider {kind:?} {name:?} in the encryption block.");
            self.error("Reference to undeclared key provider", detail, *span);
            return None;
        };
        self.providers.insert(address.clone(), Known::Making);
        let before = self.out.len();
        let made = self.made(&part);
        // The lines around may show a passphrase: the name has to do.
        let place = format!("In key_provider {:?} {:?}: ", &*part.kind, &*part.name);
        for it in &mut self.out[before..] {
            let Diagnostic { severity, summary, detail, hint, .. } = it.clone();
            let detail = if it.span.is_some() { format!("{place}{detail}") } else { detail };
            *it = Diagnostic { severity, hint, ..Diagnostic::error(summary, detail) };
        }
        let made = made.map(Arc::new);
        let known = made.clone().map_or(Known::Wrong, Known::Made);
        self.providers.insert(address, known);
        made
    }

    fn made(&mut self, part: &EncryptionPart) -> Option<KeyProvider> {
        let (alias, source) = match &*part.kind {
            "pbkdf2" => self.pbkdf2(part)?,
            "age" => self.age(part)?,
            other => {
                let detail = format!(
                    "There is no key provider {other:?} here: there are \"pbkdf2\" and \"age\"."
                );
                self.error("Unsupported key provider", detail, part.span);
                return None;
            }
        };
        let address = format!("key_provider.{}.{}", part.kind, part.name);
        let made = KeyProvider::new(address, alias, source);
        self.checked(made, part.span)
    }

    fn pbkdf2(&mut self, part: &EncryptionPart) -> Option<(Option<String>, KeySource)> {
        let names = [
            "passphrase",
            "chain",
            "key_length",
            "iterations",
            "hash_function",
            "salt_length",
            "encrypted_metadata_alias",
        ];
        let mut inside = part_arguments(part, &names, &mut self.out);
        let passphrase = inside.take("passphrase");
        let chain = inside.take("chain");
        let input = match (passphrase, chain) {
            (Some(passphrase), None) => {
                let secret = self.secrets(&passphrase, "passphrase", part.span)?;
                let Ok([secret]) = <[Secret; 1]>::try_from(secret) else {
                    let detail = "The passphrase must be one string.";
                    self.error("Invalid encryption configuration", detail, part.span);
                    return None;
                };
                Input::Passphrase(secret)
            }
            (None, Some(chain)) => {
                let of = part_ref(&chain, "key_provider", &mut self.out)?;
                Input::Chain(self.provider(&of)?)
            }
            (with, _) => {
                let detail = match with {
                    None => "One of \"passphrase\" and \"chain\" is required.",
                    Some(_) => "Only one of \"passphrase\" and \"chain\" may be set.",
                };
                self.error("Invalid encryption configuration", detail, part.span);
                return None;
            }
        };
        let mut it = Pbkdf2::of(input);
        if let Some(expr) = inside.take("key_length") {
            it.key_length = self.number(&expr)?;
        }
        if let Some(expr) = inside.take("iterations") {
            it.iterations = self.number(&expr)?;
        }
        if let Some(expr) = inside.take("salt_length") {
            it.salt_length = self.number(&expr)?;
        }
        if let Some(expr) = inside.take("hash_function") {
            let name = self.text(&expr)?;
            let Some(hash) = Hash::named(&name) else {
                let detail = format!("{name:?} is neither \"sha512\" nor \"sha256\".");
                self.error("Invalid encryption configuration", detail, expr.span);
                return None;
            };
            it.hash_function = hash;
        }
        let alias = inside.take("encrypted_metadata_alias");
        let alias = alias.and_then(|it| self.text(&it));
        Some((alias, KeySource::Pbkdf2(it)))
    }

    fn age(&mut self, part: &EncryptionPart) -> Option<(Option<String>, KeySource)> {
        let names = ["recipients", "identities", "encrypted_metadata_alias"];
        let mut inside = part_arguments(part, &names, &mut self.out);
        let Some(recipients) = inside.take("recipients") else {
            let detail = "The argument \"recipients\" is required, but no definition was found.";
            self.error("Missing required argument", detail, part.span);
            return None;
        };
        // A secret key may have been put there by mistake.
        let recipients = self.secrets(&recipients, "recipients", part.span)?;
        let identities = match inside.take("identities") {
            Some(expr) => self.secrets(&expr, "identities", part.span)?,
            None => Vec::new(),
        };
        let alias = inside.take("encrypted_metadata_alias");
        let alias = alias.and_then(|it| self.text(&it));
        let made = self.checked(Age::new(&recipients, &identities), part.span)?;
        Some((alias, KeySource::Age(made)))
    }

    /// A string or a list of strings; what is wrong with it is said without showing it.
    fn secrets(&mut self, expr: &Expr, what: &str, shown: Span) -> Option<Vec<Secret>> {
        let result = secret::texts(expr, self.names);
        let refused = |why: String| {
            let detail = format!("The argument {what:?} cannot be used: {why}.");
            self.error("Invalid encryption configuration", detail, shown);
        };
        result.map_err(refused).ok()
    }

    fn value(&mut self, expr: &Expr, ty: &Type) -> Option<Value> {
        let before = self.out.len();
        let value = eval::evaluate(expr, self.names, &mut self.out).unmark_deep();
        if self.out.len() > before {
            return None;
        }
        let value = convert(&value, ty).ok().filter(|it| it.is_known() && !it.is_null());
        if value.is_none() {
            let detail = "A value of another type is expected here, and it has to be known.";
            self.error("Unsuitable value type", detail, expr.span);
        }
        value
    }

    fn text(&mut self, expr: &Expr) -> Option<String> {
        self.value(expr, &Type::String)?.as_str().map(str::to_owned)
    }

    fn number<T: TryFrom<i64>>(&mut self, expr: &Expr) -> Option<T> {
        let number = self.value(expr, &Type::Number)?.as_i64().and_then(|it| it.try_into().ok());
        if number.is_none() {
            let detail = "A whole number that is not negative is expected here.";
            self.error("Unsuitable value type", detail, expr.span);
        }
        number
    }

    fn bytes(&mut self, expr: &Expr) -> Option<Vec<u8>> {
        let value = self.value(expr, &Type::List(Arc::new(Type::Number)))?;
        let byte = |it: &Value| it.as_i64().and_then(|it| u8::try_from(it).ok());
        let bytes: Option<Vec<u8>> =
            value.as_slice().unwrap_or_default().iter().map(byte).collect();
        if bytes.is_none() {
            let detail = "A list of bytes is expected here: numbers from 0 to 255.";
            self.error("Unsuitable value type", detail, expr.span);
        }
        bytes
    }
}

fn find<'a>(parts: &'a [EncryptionPart], named: &PartRef) -> Option<&'a EncryptionPart> {
    parts.iter().find(|it| it.kind == named.kind && it.name == named.name)
}

#[cfg(test)]
mod tests;
