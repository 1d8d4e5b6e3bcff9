//! Texts of blocks and of the environment in, what is configured or what is wrong out.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use plumb_diag::Sources;
use plumb_lang::config::decode_texts;

use super::early::Early;
use super::*;

/// What is configured, or what is wrong with it.
fn configured(text: &str, env: &[(&str, &str)], given: &[(&str, &str)]) -> String {
    let mut sources = Sources::default();
    let file = sources.add("main.tf", text);
    let (module, found) = decode_texts([("main.tf", file, text)]);
    let env: BTreeMap<String, String> =
        env.iter().map(|(name, it)| ((*name).to_owned(), (*it).to_owned())).collect();
    let result = match found.iter().any(Diagnostic::is_error) {
        true => Err(found),
        false => with_environment(module.encryption.clone(), &env).and_then(|declared| {
            let early = Early::of(&module, given.iter().copied());
            let declared = declared.unwrap_or_default();
            decode(&declared, &early).map_err(places_of_texts)
        }),
    };
    match result {
        Ok(it) => format!("{it:#?}\n"),
        Err(found) => {
            let line = |it: &Diagnostic| {
                let place = it.span.map(|span| sources.range(span).0.line);
                let place = place.map(|line| format!("{line}: ")).unwrap_or_default();
                format!("{place}{}: {}\n", it.summary, it.detail)
            };
            found.iter().map(line).collect()
        }
    }
}

fn check(text: &str, wanted: Expect) {
    let said = configured(text, &[], &[]);
    assert!(!said.contains("hunter2"), "{said}");
    wanted.assert_eq(&said);
}

const GOOD: &str = r#"
variable "word" { sensitive = true }
locals { phrase = "${var.word} and more of it" }
terraform {
  encryption {
    key_provider "pbkdf2" "main" { passphrase = local.phrase }
    method "aes_gcm" "main" { keys = key_provider.pbkdf2.main }
    method "unencrypted" "migrate" {}
    state {
      method = method.aes_gcm.main
      fallback { method = method.unencrypted.migrate }
    }
    plan {
      method   = "${method.aes_gcm.main}"
      enforced = true
    }
  }
}
"#;

#[test]
fn a_block_is_read_and_hides_its_passphrase() {
    let said = configured(GOOD, &[], &[("word", "hunter2-hunter2")]);
    assert!(!said.contains("hunter2"), "{said}");
    expect![[r#""#]].assert_eq(&said);
}

#[test]
fn a_variable_without_a_value_is_named() {
    check(GOOD, expect![[r#""#]]);
}

#[test]
fn the_environment_has_the_last_word() {
    let env = [
        (
            "TF_ENCRYPTION",
            "key_provider \"pbkdf2\" \"main\" {\n passphrase = \"0123456789abcdef\"\n iterations = 300000\n}",
        ),
        (
            "PLUMB_ENCRYPTION",
            "key_provider \"pbkdf2\" \"main\" {\n iterations = 400000\n}\nstate {\n enforced = false\n fallback {\n method = method.aes_gcm.main\n }\n}",
        ),
    ];
    let said = configured(GOOD, &env, &[]);
    let lines = said.lines().map(str::trim);
    let few: Vec<&str> =
        lines.filter(|it| it.contains("iterations") || it.contains("Unenc")).collect();
    assert_eq!(few, ["iterations: 400000,"; 3]);
    // Alone it is enough.
    let all = "key_provider \"pbkdf2\" \"m\" {\n passphrase = \"0123456789abcdef\"\n}\nmethod \"aes_gcm\" \"m\" {\n keys = key_provider.pbkdf2.m\n}\nstate {\n method = method.aes_gcm.m\n}";
    let said = configured("", &[("TF_ENCRYPTION", all)], &[]);
    assert!(said.contains("\"key_provider.pbkdf2.m\""), "{said}");
}

#[test]
fn a_mistake_in_the_environment_is_not_quoted() {
    let wrong = [
        "key_provider \"pbkdf2\" \"m\" {\n passphrase = \"hunter2\n}",
        "key_provider \"pbkdf2\" \"m\" {\n passphrase = \"hunter2\"\n}\nmethod \"aes_gcm\" \"m\" {\n keys = key_provider.pbkdf2.m\n}\nstate {\n method = method.aes_gcm.m\n}",
        "state {\n method = method.aes_gcm.hunter3\n}",
        "{\"key_provider\": {\"pbkdf2\": {\"m\": {\"passphrase\": \"hunter2\"}}}}",
    ];
    let said = wrong.map(|it| configured("", &[("TF_ENCRYPTION", it)], &[])).join("\n");
    assert!(!said.contains("hunter2"), "{said}");
    expect![[r#""#]].assert_eq(&said);
}

/// A block with these key providers, of which `key_provider.KIND.m` is used.
fn with(provider: &str, kind: &str) -> String {
    format!(
        "terraform {{\n  encryption {{\n{provider}\n    method \"aes_gcm\" \"m\" {{ keys = key_provider.{kind}.m }}\n    \
         state {{ method = method.aes_gcm.m }}\n  }}\n}}\nvariable \"set\" {{ default = \"hunter2hunter2hunter2\" }}\nlocals {{ a = local.b\n b = local.a\n}}\n"
    )
}

#[test]
fn every_mistake_is_explained() {
    let cases = [
        r#"key_provider "pbkdf2" "m" { passphrase = "hunter2" }"#,
        r#"key_provider "pbkdf2" "m" { passphrse = "hunter2" }"#,
        r#"key_provider "pbkdf2" "m" { passphrase = ["hunter2", "hunter2"] }"#,
        r#"key_provider "pbkdf2" "m" { passphrase = docker_network.hunter.name }"#,
        r#"key_provider "pbkdf2" "m" { passphrase = local.a }"#,
        r#"key_provider "pbkdf2" "m" { passphrase = jsondecode("hunter2") }"#,
        r#"key_provider "pbkdf2" "m" { passphrase = null }"#,
        r#"key_provider "pbkdf2" "m" { chain = key_provider.pbkdf2.m }"#,
        r#"key_provider "pbkdf2" "m" { chain = key_provider.pbkdf2.none }"#,
        "key_provider \"pbkdf2\" \"m\" {\n passphrase = var.set\n iterations = 10\n}",
        "key_provider \"pbkdf2\" \"m\" {\n passphrase = var.set\n key_length = 24\n}",
        "key_provider \"pbkdf2\" \"m\" {\n passphrase = var.set\n hash_function = \"md5\"\n}",
        "key_provider \"pbkdf2\" \"m\" {\n passphrase = var.set\n salt_length = -1\n}",
        "",
    ];
    let mut said: String = cases.map(|it| configured(&with(it, "pbkdf2"), &[], &[])).join("\n");
    let cases = [
        r#"key_provider "age" "m" { recipients = [] }"#,
        r#"key_provider "age" "m" { recipients = ["hunter2"] }"#,
    ];
    said += "\n";
    said += &cases.map(|it| configured(&with(it, "age"), &[], &[])).join("\n");
    said += "\n";
    said += &configured(&with(r#"key_provider "aws_kms" "m" {}"#, "aws_kms"), &[], &[]);
    assert!(!said.contains("hunter2"), "{said}");
    expect![[r#""#]].assert_eq(&said);
}

#[test]
fn blocks_that_do_not_fit_are_reported() {
    check(
        r#"
terraform {
  encryption {
    method "unencrypted" "u" {}
    method "unencrypted" "u" {}
    method "xor" "x" {}
    state { enforced = true }
    plan { method = key_provider.a.b }
    plan { method = method.xor.x }
    backend {}
  }
  encryption {}
}
"#,
        expect![[r#""#]],
    );
    check(
        r#"
terraform {
  encryption {
    method "unencrypted" "u" {}
    method "xor" "x" {}
    state {
      method   = method.unencrypted.u
      enforced = true
    }
    plan { method = method.xor.x }
    remote_state_data_sources {
      default { }
      remote_state_data_source "a" { method = method.none.none }
    }
  }
}
"#,
        expect![[r#""#]],
    );
}
