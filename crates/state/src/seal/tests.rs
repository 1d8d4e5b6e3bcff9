//! What is sealed opens again, nothing else does, and every refusal says what to do.

use std::borrow::Cow;
use std::sync::Arc;

use expect_test::expect;
use proptest::prelude::*;

use super::*;

const PASSPHRASE: &str = "a passphrase for tests";
const LINEAGE: &str = "5ed2d6a8-e341-420d-9d2a-8ea652a25297";
const STATE: &str = concat!(
    r#"{"version":4,"terraform_version":"1.11.4","serial":7,"#,
    r#""lineage":"5ed2d6a8-e341-420d-9d2a-8ea652a25297","#,
    r#""outputs":{"word":{"value":"hunter2-hunter2","type":"string","sensitive":true}},"#,
    r#""resources":[],"check_results":null}"#
);

fn pbkdf2(name: &str, passphrase: &str) -> Arc<KeyProvider> {
    let of = Pbkdf2 {
        iterations: ITERATIONS_MIN,
        ..Pbkdf2::of(Input::Passphrase(Secret::new(passphrase)))
    };
    let address = format!("key_provider.pbkdf2.{name}");
    Arc::new(KeyProvider::new(address, None, KeySource::Pbkdf2(of)).expect("good"))
}

fn age(name: &str, recipients: &[&age::x25519::Identity], of: &[&age::x25519::Identity]) -> Method {
    use age::secrecy::ExposeSecret;
    let recipients: Vec<Secret> =
        recipients.iter().map(|it| Secret::new(it.to_public().to_string())).collect();
    let identities: Vec<Secret> = (of.iter())
        .map(|it| Secret::new(format!("# made today\n{}\n", it.to_string().expose_secret())))
        .collect();
    let source = KeySource::Age(Age::new(&recipients, &identities).expect("good"));
    let address = format!("key_provider.age.{name}");
    aes(Arc::new(KeyProvider::new(address, None, source).expect("good")))
}

fn aes(keys: Arc<KeyProvider>) -> Method {
    Method::AesGcm(AesGcm::new(keys, Vec::new()).expect("good"))
}

fn sealer(method: Method, fallback: Vec<Method>) -> Sealer {
    let target = Target::new(method, fallback, false).expect("good");
    let (state, plan) = (Some(target.clone()), Some(target.clone()));
    let default = Some(target);
    let remote_states = RemoteStates { default, ..RemoteStates::default() };
    Sealer::new(Encryption { state, plan, remote_states })
}

fn sealed(with: &Sealer) -> Vec<u8> {
    let state = Cow::Borrowed(STATE.as_bytes());
    with.seal_state(state, LINEAGE, 7).expect("sealed").into_owned()
}

/// The message and what to do.
fn refusal<T: std::fmt::Debug>(result: Result<T, SealError>) -> String {
    let error = result.expect_err("refused");
    format!("{error}\n-- {}\n", error.advice().unwrap_or_default())
}

#[test]
fn a_state_opens_as_it_was_and_hides_what_it_says() {
    let sealer = sealer(aes(pbkdf2("main", PASSPHRASE)), vec![]);
    let stored = sealed(&sealer);
    let text = std::str::from_utf8(&stored).expect("JSON");
    assert!(!text.contains("hunter2") && !text.contains("check_results"));
    assert!(text.starts_with(&format!(
        r#"{{"serial":7,"lineage":"{LINEAGE}","meta":{{"key_provider.pbkdf2.main":""#
    )));
    assert!(text.ends_with(r#"","encryption_version":"v0"}"#));
    let opened = sealer.open_state(&stored).expect("opened");
    let bytes = Cow::Borrowed(STATE.as_bytes());
    assert_eq!(opened, Unsealed { bytes, was: Was::Sealed, stale: false });
    // Another process, with nothing but the passphrase.
    let again = self::sealer(aes(pbkdf2("main", PASSPHRASE)), vec![]);
    assert_eq!(&*again.open_state(&stored).expect("opened").bytes, STATE.as_bytes());
    assert_eq!(&*again.open_remote_state("x", &stored).expect("opened").bytes, STATE.as_bytes());
    assert_ne!(sealed(&again), stored);
}

#[test]
fn one_sealer_derives_one_key_to_write_with() {
    let sealer = sealer(aes(pbkdf2("main", PASSPHRASE)), vec![]);
    let meta = |stored: &[u8]| {
        let it: serde_json::Value = serde_json::from_slice(stored).expect("JSON");
        it["meta"]["key_provider.pbkdf2.main"].clone()
    };
    assert_eq!(meta(&sealed(&sealer)), meta(&sealed(&sealer)));
}

#[test]
fn what_opentofu_wrote_is_taken_apart() {
    // The fields of a state that OpenTofu 1.9 wrote; its passphrase is not known.
    let meta = "eyJzYWx0IjoiNW9WSGpZM3BGaHRaNncwUE1hSDkrcnc2UzR1cjE4Q05adUR4RXNWM1dmcz0iLCJpdGVyYXRp\
                b25zIjo2MDAwMDAsImhhc2hfZnVuY3Rpb24iOiJzaGE1MTIiLCJrZXlfbGVuZ3RoIjozMn0=";
    let data = "e9oQmRWzPOcELCgmi1uJd5vfKMSnO7oQe/Mpyo8pKEXyNwChoPs0HpDeFhf2h32diyUORX28rWQ=";
    let stored = format!(
        "{{\n\t\"serial\": 1,\n\t\"lineage\": \"2ce64317-825a-f8cd-b35e-84fa110b561f\",\n\t\"meta\": {{\n\t\t\
         \"key_provider.pbkdf2.local\": \"{meta}\"\n\t}},\n\t\"encrypted_data\": \"{data}\",\n\t\
         \"encryption_version\": \"v0\"\n}}"
    );
    let sealer = sealer(aes(pbkdf2("local", PASSPHRASE)), vec![]);
    let refused = refusal(sealer.open_state(stored.as_bytes()));
    assert!(refused.starts_with("the state cannot be decrypted: the key is wrong"), "{refused}");
    // Ours has the same form.
    let envelope = envelope::Envelope::read(What::State, stored.as_bytes());
    let written = envelope.expect("read").expect("sealed").write();
    let theirs: serde_json::Value = serde_json::from_str(&stored).expect("JSON");
    let ours: serde_json::Value = serde_json::from_slice(&written).expect("JSON");
    assert_eq!(ours, theirs);
}

#[test]
fn the_sample_opens() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../state/samples/plumb-0.1.0/");
    let read = |name: &str| std::fs::read(format!("{path}{name}")).expect("it is there");
    let sealer = sealer(aes(pbkdf2("sample", "correct horse battery staple")), vec![]);
    let stored = read("sealed.tfstate.json");
    let opened = sealer.open_state(&stored).expect("opened");
    assert_eq!(&*opened.bytes, read("everything.tfstate"));
    assert!(!opened.stale);
}

#[test]
fn what_is_written_is_as_its_schema_says() {
    let schema = crate::formats::Schema::load("encrypted-v0");
    let sealer = quick();
    let journal = sealer.begin_journal(LINEAGE, 7).expect("begun").expect("sealed");
    let plan = sealer.seal_plan(Cow::Borrowed(b"PK")).expect("sealed");
    for text in [&sealed(sealer)[..], &plan, journal.header_meta().as_bytes()] {
        schema.check(std::str::from_utf8(text).expect("JSON"));
    }
}

#[test]
fn from_plain_to_sealed_and_back() {
    let main = || aes(pbkdf2("main", PASSPHRASE));
    let there = sealer(main(), vec![Method::Unencrypted]);
    let opened = there.open_state(STATE.as_bytes()).expect("allowed");
    assert_eq!((opened.was, opened.stale), (Was::Plain, true));
    let stored = sealed(&there);
    assert!(!there.open_state(&stored).expect("opened").stale);
    let back = sealer(Method::Unencrypted, vec![main()]);
    let opened = back.open_state(&stored).expect("opened");
    assert_eq!((opened.was, opened.stale), (Was::Fallback, true));
    assert_eq!(sealed(&back), STATE.as_bytes());
    let opened = back.open_state(STATE.as_bytes()).expect("opened");
    assert_eq!((opened.was, opened.stale), (Was::Plain, false));
}

#[test]
fn a_passphrase_is_changed() {
    let old = sealed(&sealer(aes(pbkdf2("main", PASSPHRASE)), vec![]));
    let alias = |name: &str, passphrase: &str, alias: &str| {
        let of = Pbkdf2 {
            iterations: ITERATIONS_MIN,
            ..Pbkdf2::of(Input::Passphrase(Secret::new(passphrase)))
        };
        let address = format!("key_provider.pbkdf2.{name}");
        let it = KeyProvider::new(address, Some(alias.into()), KeySource::Pbkdf2(of));
        aes(Arc::new(it.expect("good")))
    };
    let both = sealer(
        alias("new", "another passphrase", "second"),
        vec![alias("old", PASSPHRASE, "key_provider.pbkdf2.main")],
    );
    let opened = both.open_state(&old).expect("opened");
    assert_eq!((opened.was, opened.stale), (Was::Fallback, true));
    let new = sealed(&both);
    assert!(String::from_utf8_lossy(&new).contains("\"second\""));
    assert_eq!(both.open_state(&new).expect("opened").was, Was::Sealed);
}

#[test]
fn keys_are_chained() {
    let chained = || {
        let of = Pbkdf2 {
            iterations: ITERATIONS_MIN,
            hash_function: Hash::Sha256,
            key_length: 16,
            ..Pbkdf2::of(Input::Chain(pbkdf2("first", PASSPHRASE)))
        };
        let address = "key_provider.pbkdf2.second";
        let it = KeyProvider::new(address, None, KeySource::Pbkdf2(of)).expect("good");
        sealer(aes(Arc::new(it)), vec![])
    };
    let stored = sealed(&chained());
    let text = String::from_utf8_lossy(&stored);
    assert!(text.contains("pbkdf2.first") && text.contains("pbkdf2.second"), "{text}");
    assert_eq!(&*chained().open_state(&stored).expect("opened").bytes, STATE.as_bytes());
}

#[test]
fn age_recipients_open_it_and_nobody_else() {
    let [ann, ben, eve] = [(); 3].map(|()| age::x25519::Identity::generate());
    let writer = sealer(age("team", &[&ann, &ben], &[]), vec![]);
    let stored = sealed(&writer);
    for of in [&ann, &ben] {
        let reader = sealer(age("team", &[&ann], &[&eve, of]), vec![]);
        assert_eq!(&*reader.open_state(&stored).expect("opened").bytes, STATE.as_bytes());
    }
    let outsider = sealer(age("team", &[&eve], &[&eve]), vec![]);
    let refused = [refusal(outsider.open_state(&stored)), refusal(writer.open_state(&stored))];
    expect![[r#"
        the state cannot be decrypted: the key is wrong, or it was changed
        -- `key_provider.age.team`: none of its identities opens the file's key.
        Check the passphrase or the identity. If it was changed on purpose, put the old one in a `fallback`. If it is right, the file was changed after it was written: restore it from a copy.

        the state cannot be decrypted: the key is wrong, or it was changed
        -- `key_provider.age.team`: no identity is configured.
        Check the passphrase or the identity. If it was changed on purpose, put the old one in a `fallback`. If it is right, the file was changed after it was written: restore it from a copy.
    "#]]
    .assert_eq(&refused.join("\n"));
}

#[test]
fn every_refusal_says_what_to_do() {
    let main = sealer(aes(pbkdf2("main", PASSPHRASE)), vec![]);
    let stored = sealed(&main);
    let other = sealer(aes(pbkdf2("other", PASSPHRASE)), vec![]);
    let wrong = sealer(aes(pbkdf2("main", "not that passphrase")), vec![]);
    let plain = sealer(Method::Unencrypted, vec![]);
    let target = Target::new(aes(pbkdf2("main", PASSPHRASE)), vec![], true).expect("good");
    let enforced = Sealer::new(Encryption { state: Some(target), ..Encryption::default() });
    let newer = String::from_utf8_lossy(&stored).replace(r#""v0""#, r#""v1""#);
    let text = [
        refusal(Sealer::default().open_state(&stored)),
        refusal(plain.open_plan(&stored)),
        refusal(other.open_state(&stored)),
        refusal(wrong.open_state(&stored)),
        refusal(main.open_state(&stored[..stored.len() / 2])),
        refusal(Sealer::default().open_state(&stored[..stored.len() - 40])),
        refusal(main.open_state(STATE.as_bytes())),
        refusal(enforced.open_state(STATE.as_bytes())),
        refusal(main.open_state(newer.as_bytes())),
    ];
    expect![[r#"
        the state is encrypted, and no encryption is configured for it
        -- It names `key_provider.pbkdf2.main`. Configure the same key provider, with the passphrase or identity that belongs to it, in an `encryption` block of `terraform`, or in the environment variable PLUMB_ENCRYPTION, with a `state` block that uses it.

        the plan is encrypted, and no encryption is configured for it
        -- It names `key_provider.pbkdf2.main`. Configure the same key provider, with the passphrase or identity that belongs to it, in an `encryption` block of `terraform`, or in the environment variable PLUMB_ENCRYPTION, with a `plan` block that uses it.

        the state was encrypted with a key provider that is not configured
        -- It names `key_provider.pbkdf2.main`; configured is `key_provider.pbkdf2.other`. If only the name changed, set `encrypted_metadata_alias` to the name in the file.

        the state cannot be decrypted: the key is wrong, or it was changed
        -- `key_provider.pbkdf2.main`: its key does not fit.
        Check the passphrase or the identity. If it was changed on purpose, put the old one in a `fallback`. If it is right, the file was changed after it was written: restore it from a copy.

        the encrypted state is damaged: EOF while parsing a string at line 1 column 315
        -- It was changed after it was written, or only a part of it is there. Restore it from a copy.

        the encrypted state is damaged: EOF while parsing a string at line 1 column 590
        -- It was changed after it was written, or only a part of it is there. Restore it from a copy.

        the state is not encrypted, and the configuration does not allow that
        -- To encrypt what is there, add `method "unencrypted" "migrate" {}` to the `encryption` block and `fallback { method = method.unencrypted.migrate }` to its `state` block, and apply. Otherwise somebody else wrote it: find out who.

        the state is not encrypted, and the configuration does not allow that
        -- The `state` block says `enforced`. To encrypt what is there, take `enforced` out for one run, with `fallback { method = method.unencrypted.NAME }` in its place, apply, and put it back.

        the state is encrypted in format "v1", and only "v0" is known
        -- A newer version of the program that wrote it is needed to read it.
    "#]].assert_eq(&text.join("\n"));
}

#[test]
fn settings_that_are_too_weak_are_refused() {
    let with = |change: &dyn Fn(&mut Pbkdf2)| {
        let mut it = Pbkdf2::of(Input::Passphrase(Secret::new(PASSPHRASE)));
        change(&mut it);
        let provider = KeyProvider::new("key_provider.pbkdf2.x", None, KeySource::Pbkdf2(it));
        match provider.and_then(|it| AesGcm::new(Arc::new(it), vec![])) {
            Ok(_) => "good".to_owned(),
            Err(error) => error.to_string(),
        }
    };
    let clear = Target::new(aes(pbkdf2("x", PASSPHRASE)), vec![Method::Unencrypted], true);
    let identity = [Secret::new("AGE-SECRET-KEY-1NOT")];
    let recipient =
        ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"].map(Secret::new);
    let text = [
        with(&|_| {}),
        with(&|it| it.input = Input::Passphrase(Secret::new("fifteen letters"))),
        with(&|it| it.iterations = 199_999),
        with(&|it| it.key_length = 24),
        with(&|it| it.salt_length = 0),
        clear.expect_err("refused").to_string(),
        Age::new(&[], &[]).expect_err("refused").to_string(),
        Age::new(&[Secret::new("AGE-SECRET-KEY-1X")], &[]).expect_err("refused").to_string(),
        Age::new(&recipient, &identity).expect_err("refused").to_string(),
    ];
    expect![[r#"
        good
        the passphrase has fewer than 16 characters
        `iterations` is 199999, and must be between 200000 and 100000000
        `key_provider.pbkdf2.x` gives keys of 24 bytes; the method `aes_gcm` takes 16 or 32
        `salt_length` is 0, and must be between 1 and 1024
        the method `unencrypted` cannot be used where encryption is `enforced`
        there is no recipient
        recipient 1 is not an age public key (`age1…`): invalid Bech32 encoding
        identity 1 is not an age secret key (`AGE-SECRET-KEY-1…`) or a file of such"#]]
    .assert_eq(&text.join("\n"));
}

#[test]
fn no_secret_is_in_what_is_printed_of_a_sealer() {
    let ann = age::x25519::Identity::generate();
    let with_age = sealer(age("a", &[&ann], &[&ann]), vec![aes(pbkdf2("main", PASSPHRASE))]);
    let journal = with_age.begin_journal(LINEAGE, 7).expect("begun").expect("sealed");
    let text = format!("{with_age:?} {journal:?}");
    assert!(!text.contains(PASSPHRASE) && !text.contains("AGE-SECRET"), "{text}");
}

#[test]
fn plans_have_no_names() {
    let sealer = sealer(aes(pbkdf2("main", PASSPHRASE)), vec![]);
    let plan = b"PK\x03\x04 whatever a plan is";
    let stored = sealer.seal_plan(Cow::Borrowed(plan)).expect("sealed");
    assert!(stored.starts_with(br#"{"meta":{"key_provider"#));
    assert_eq!(&*sealer.open_plan(&stored).expect("opened").bytes, plan);
    assert_eq!(
        refusal(sealer.open_plan(plan)).lines().next(),
        Some("the plan is not encrypted, and the configuration does not allow that")
    );
    let default = Sealer::default();
    assert_eq!(&*default.seal_plan(Cow::Borrowed(plan)).expect("as it is"), plan);
    assert_eq!(&*default.open_plan(plan).expect("as it is").bytes, plan);
}

#[test]
fn a_journal_is_gone_on_with_by_another_process() {
    let start = || sealer(aes(pbkdf2("main", PASSPHRASE)), vec![Method::Unencrypted]);
    let one = start().begin_journal(LINEAGE, 7).expect("begun").expect("sealed");
    let line = one.seal_line(1, r#"{"event":"hunter2"}"#).expect("sealed");
    let resume = |meta, lineage, serial| start().resume_journal(meta, lineage, serial);
    let other = resume(Some(one.header_meta()), LINEAGE, 7).expect("opened").expect("sealed");
    assert_eq!(other.header_meta(), one.header_meta());
    assert_eq!(other.open_line(1, &line), Ok(r#"{"event":"hunter2"}"#.to_owned()));
    assert_eq!(other.open_line(2, &line), Err(SealError::Line { line: 2 }));
    let line = other.seal_line(2, "more").expect("sealed");
    assert_eq!(one.open_line(2, &line), Ok("more".to_owned()));
    // Not as another journal's.
    assert!(matches!(
        resume(Some(one.header_meta()), LINEAGE, 8),
        Err(SealError::WrongKey { what: What::Journal, .. })
    ));
    let (a, b) = (start().begin_journal("a", 1), start().begin_journal("a", 1));
    let (a, b) = (a.expect("begun").expect("sealed"), b.expect("begun").expect("sealed"));
    assert!(b.open_line(1, &a.seal_line(1, "text").expect("sealed")).is_err());
    // One in the clear from before, where that is allowed.
    assert!(resume(None, LINEAGE, 7).expect("allowed").is_none());
    let strict = sealer(aes(pbkdf2("main", PASSPHRASE)), vec![]);
    assert!(matches!(
        strict.resume_journal(None, LINEAGE, 7),
        Err(SealError::Plain { what: What::Journal, enforced: false })
    ));
    assert!(Sealer::default().begin_journal(LINEAGE, 7).expect("plain").is_none());
    assert!(matches!(
        Sealer::default().resume_journal(Some(one.header_meta()), LINEAGE, 7),
        Err(SealError::NotConfigured { what: What::Journal, .. })
    ));
}

#[test]
fn the_lines_of_a_sealed_journal_are_read_back() {
    use crate::journal::{Header, JournalError, Tail, read, read_with};
    use crate::testing::life;
    let events = life(3, 20, &mut plumb_model::state::State::default());
    let header = Header { lineage: LINEAGE.into(), serial: 7 };
    let lines = quick().begin_journal(LINEAGE, 7).expect("begun").expect("sealed");
    let (mut tail, mut text) = (Tail::default(), String::new());
    tail.sealed_header(&header, &lines, &mut text);
    tail.sealed_events(0, &events[..5], &lines, &mut text).expect("sealed");
    let (contents, again) = read_with(text.as_bytes(), quick()).expect("opened");
    assert_eq!(contents.events, events[..5]);
    // Another process goes on.
    let mut tail = contents.tail;
    let again = again.expect("sealed");
    tail.sealed_events(tail.next, &events[5..], &again, &mut text).expect("sealed");
    let (contents, _) = read_with(text.as_bytes(), quick()).expect("opened");
    assert_eq!(contents.events, events);
    assert!(!text.contains("run_started") && !text.contains("attrs"));
    let schema = crate::formats::Schema::load("journal-v1");
    text.lines().for_each(|it| schema.check(it));
    let (cut, _) = read_with(&text.as_bytes()[..text.len() - 9], quick()).expect("torn");
    assert_eq!(cut.events, events[..events.len() - 1]);
    assert!(matches!(
        read(text.as_bytes()),
        Err(JournalError::Sealed(SealError::NotConfigured { what: What::Journal, .. }))
    ));
    // Lines with checksums that are right, and yet not what was written there.
    let mut tail = Tail::default();
    let mut forged = String::new();
    tail.sealed_header(&header, &lines, &mut forged);
    tail.events(0, &events[..1], &mut forged);
    assert!(matches!(
        read_with(forged.as_bytes(), quick()),
        Err(JournalError::Strange { line: 2, .. })
    ));
    let mut other = String::new();
    let mut tail = Tail::default();
    tail.sealed_header(&Header { serial: 8, ..header }, &lines, &mut other);
    assert!(matches!(
        read_with(other.as_bytes(), quick()),
        Err(JournalError::Sealed(SealError::WrongKey { .. }))
    ));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let sealer = quick();
        let stored = sealer.seal_plan(Cow::Borrowed(&bytes)).expect("sealed");
        prop_assert_eq!(&*sealer.open_plan(&stored).expect("opened").bytes, &*bytes);
        if bytes.len() > 8 {
            prop_assert!(memchr::memmem::find(&stored, &bytes).is_none());
        }
    }

    #[test]
    fn a_changed_state_is_noticed(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut stored = sealed(quick());
        let at = at.index(stored.len());
        stored[at] ^= 1 << bit;
        prop_assert!(quick().open_state(&stored).is_err(), "byte {at}");
        prop_assert!(quick().open_state(&stored[..at]).is_err(), "cut at {at}");
    }

    #[test]
    fn a_changed_line_is_noticed(
        at in any::<prop::sample::Index>(),
        bit in 0u8..8,
        text in ".{0,80}",
        n in any::<u64>(),
    ) {
        let journal = quick().begin_journal(LINEAGE, 7).expect("begun").expect("sealed");
        let line = journal.seal_line(n, &text).expect("sealed");
        prop_assert_eq!(journal.open_line(n, &line).expect("opened"), text);
        let mut changed = line.into_bytes();
        let at = at.index(changed.len());
        changed[at] ^= 1 << bit;
        if let Ok(changed) = String::from_utf8(changed) {
            prop_assert!(journal.open_line(n, &changed).is_err());
        }
    }
}

/// One for many cases: age derives in a moment what PBKDF2 takes a quarter of a second for.
fn quick() -> &'static Sealer {
    static QUICK: std::sync::OnceLock<Sealer> = std::sync::OnceLock::new();
    QUICK.get_or_init(|| {
        let ann = age::x25519::Identity::generate();
        sealer(age("quick", &[&ann], &[&ann]), vec![])
    })
}
