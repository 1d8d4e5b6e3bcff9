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
                let place = it.span.and_then(|span| sources.range(span)).map(|it| it.0.line);
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
    expect![[r#"
        Encryption {
            state: Some(
                Target {
                    methods: [
                        AesGcm(
                            AesGcm {
                                keys: KeyProvider {
                                    address: "key_provider.pbkdf2.main",
                                    meta_name: "key_provider.pbkdf2.main",
                                    source: Pbkdf2(
                                        Pbkdf2 {
                                            input: Passphrase(
                                                (sensitive),
                                            ),
                                            key_length: 32,
                                            iterations: 600000,
                                            salt_length: 32,
                                            hash_function: Sha512,
                                        },
                                    ),
                                },
                                aad: [],
                            },
                        ),
                        Unencrypted,
                    ],
                    enforced: false,
                },
            ),
            plan: Some(
                Target {
                    methods: [
                        AesGcm(
                            AesGcm {
                                keys: KeyProvider {
                                    address: "key_provider.pbkdf2.main",
                                    meta_name: "key_provider.pbkdf2.main",
                                    source: Pbkdf2(
                                        Pbkdf2 {
                                            input: Passphrase(
                                                (sensitive),
                                            ),
                                            key_length: 32,
                                            iterations: 600000,
                                            salt_length: 32,
                                            hash_function: Sha512,
                                        },
                                    ),
                                },
                                aad: [],
                            },
                        ),
                    ],
                    enforced: true,
                },
            ),
            remote_states: RemoteStates {
                default: None,
                named: {},
            },
        }
    "#]]
    .assert_eq(&said);
}

#[test]
fn a_variable_without_a_value_is_named() {
    check(
        GOOD,
        expect![[r#"
        Invalid encryption configuration: In key_provider "pbkdf2" "main": The argument "passphrase" cannot be used: the variable "word" has no value; set TF_VAR_word, or put it in a .auto.tfvars file.
    "#]],
    );
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
    expect![[r#"
        Invalid multi-line string: Line 2 of TF_ENCRYPTION: Quoted strings may not be split over multiple lines. To produce a multi-line string, either use the \n escape to represent a newline character or use the "heredoc" multi-line template syntax.
        Unterminated template string: Line 2 of TF_ENCRYPTION: No closing marker was found for the string.

        Invalid encryption configuration: In key_provider "pbkdf2" "m": The passphrase has fewer than 16 characters.

        Reference to undeclared encryption method: In TF_ENCRYPTION: There is no method "aes_gcm" "hunter3" in the encryption block.

        Invalid encryption configuration: TF_ENCRYPTION looks like JSON, which is not supported. Say it as in the encryption block of a configuration, without the braces around it.
    "#]].assert_eq(&said);
}

/// A block with these key providers, of which `key_provider.KIND.m` is used.
fn with(provider: &str, kind: &str) -> String {
    format!(
        "terraform {{\n  encryption {{\n{provider}\n    method \"aes_gcm\" \"m\" {{ keys = key_provider.{kind}.m }}\n    \
         state {{ method = method.aes_gcm.m }}\n  }}\n}}\nvariable \"set\" {{ default = \"hunter2hunter2hunter2\" }}\nlocals {{\n a = local.b\n b = local.a\n}}\n"
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
    expect![[r#"
        Invalid encryption configuration: In key_provider "pbkdf2" "m": The passphrase has fewer than 16 characters.

        Unsupported argument: In key_provider "pbkdf2" "m": An argument named "passphrse" is not expected here.
        Invalid encryption configuration: In key_provider "pbkdf2" "m": One of "passphrase" and "chain" is required.

        Invalid encryption configuration: In key_provider "pbkdf2" "m": The passphrase must be one string.

        Invalid encryption configuration: In key_provider "pbkdf2" "m": The argument "passphrase" cannot be used: only variables and locals of the root module may be used here, and not "docker_network", because states are read with it.

        Invalid encryption configuration: In key_provider "pbkdf2" "m": The argument "passphrase" cannot be used: the local "a" refers to itself.

        Invalid encryption configuration: In key_provider "pbkdf2" "m": The argument "passphrase" cannot be used: error in function call.

        Invalid encryption configuration: In key_provider "pbkdf2" "m": The argument "passphrase" cannot be used: it is null.

        Invalid key provider reference: In key_provider "pbkdf2" "m": A key provider cannot be chained to itself.

        Reference to undeclared key provider: In key_provider "pbkdf2" "m": There is no key_provider "pbkdf2" "none" in the encryption block.

        Invalid encryption configuration: In key_provider "pbkdf2" "m": `iterations` is 10, and must be between 200000 and 100000000.

        7: Invalid encryption configuration: `key_provider.pbkdf2.m` gives keys of 24 bytes; the method `aes_gcm` takes 16 or 32.

        Invalid encryption configuration: In key_provider "pbkdf2" "m": "md5" is neither "sha512" nor "sha256".

        Unsuitable value type: In key_provider "pbkdf2" "m": A whole number that is not negative is expected here.

        4: Reference to undeclared key provider: There is no key_provider "pbkdf2" "m" in the encryption block.

        Invalid encryption configuration: In key_provider "age" "m": There is no recipient.

        Invalid encryption configuration: In key_provider "age" "m": Recipient 1 is not an age public key (`age1…`): invalid Bech32 encoding.

        Unsupported key provider: In key_provider "aws_kms" "m": There is no key provider "aws_kms" here: there are "pbkdf2" and "age".
    "#]].assert_eq(&said);
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
        expect![[r#"
            10: Unsupported block type: Blocks of type "backend" are not expected here.
            5: Duplicate method "unencrypted" "u": Within one encryption block each is declared once.
            8: Invalid method reference: A reference of the form method.type.name is expected here.
            9: Duplicate plan block: An encryption block has at most one of them.
            12: Duplicate encryption configuration: A module may have only one encryption configuration.
        "#]],
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
        expect![[r#"
            6: Invalid encryption configuration: The method `unencrypted` cannot be used where encryption is `enforced`.
            5: Unsupported encryption method: There is no method "xor" here: there are "aes_gcm" and "unencrypted".
            12: Missing required argument: The argument "method" is required, but no definition was found.
            13: Reference to undeclared encryption method: There is no method "none" "none" in the encryption block.
        "#]],
    );
}
