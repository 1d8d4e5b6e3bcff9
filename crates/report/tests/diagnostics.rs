//! Diagnostics as people see them.

use std::sync::LazyLock;

use expect_test::{Expect, expect};
use plumb_diag::{Diagnostic, FileId, Sources, Span};
use plumb_report::{
    Style, diagnostic_line, diagnostics_text, diagnostics_text_compact, validate_json,
};

const MAIN: &str = r#"variable "x" {
  default = 3
}

resource "terraform_data" "a" {
  input = var.x + "y"
	tab  = "ß" + var.x
}

locals {
  y = upper(var.x, 2)
  z = [
    1,
    nope,
  ]
}
"#;

/// The same ones each time.
fn sources() -> (Sources, FileId) {
    static SOURCES: LazyLock<(Sources, FileId)> = LazyLock::new(|| {
        let mut sources = Sources::default();
        let id = sources.add("main.tf", MAIN);
        (sources, id)
    });
    SOURCES.clone()
}

fn at(file: FileId, text: &str) -> Span {
    let start = MAIN.find(text).expect("it is there");
    Span::new(file, start, start + text.len())
}

fn check(diagnostics: &[Diagnostic], style: Style, expected: Expect) {
    expected.assert_eq(&diagnostics_text(diagnostics, &sources().0, style));
}

fn three(file: FileId) -> Vec<Diagnostic> {
    let mut call = Diagnostic::error(
        "Too many function arguments",
        "Function \"upper\" expects only 1 argument(s).",
    )
    .at(at(file, "2)"));
    call.values.push(("var.x".into(), "is 3".into()));
    vec![
        Diagnostic::error("Invalid operand", "Unsuitable value for right operand: a number is required.")
            .at(at(file, "\"y\"")),
        call,
        Diagnostic::warning(
            "Value for undeclared variable",
            "The root module does not declare a variable named \"q\" but a value was found in file \"terraform.tfvars\".",
        )
        .hint("Did you mean \"x\"?"),
    ]
}

#[test]
fn several_without_frames() {
    let (_, file) = sources();
    check(
        &three(file),
        Style::PLAIN,
        expect![[r#"

            Error: Invalid operand

              on main.tf line 6, in resource "terraform_data" "a":
               6:   input = var.x + "y"
                                    ^^^

            Unsuitable value for right operand: a number is required.

            Error: Too many function arguments

              on main.tf line 11, in locals:
              11:   y = upper(var.x, 2)
                                     ^^
                ├────────────────
                │ var.x is 3

            Function "upper" expects only 1 argument(s).

            Warning: Value for undeclared variable

            The root module does not declare a variable named "q" but a value was found
            in file "terraform.tfvars". Did you mean "x"?
        "#]],
    );
}

#[test]
fn framed() {
    let (_, file) = sources();
    let diagnostic =
        Diagnostic::error("Error creating network", "the engine said:\n  no\nand no more")
            .about("terraform_data.a[0]")
            .at(at(file, "resource \"terraform_data\" \"a\""))
            .related(at(file, "variable \"x\""), "the variable is declared here");
    check(
        &[diagnostic],
        Style { colour: false, ..Style::COLOUR },
        expect![[r#"
            ╷
            │ Error: Error creating network
            │ 
            │   with terraform_data.a[0],
            │   on main.tf line 5:
            │    5: resource "terraform_data" "a" {
            │       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
            │ 
            │   main.tf line 1: the variable is declared here
            │    1: variable "x" {
            │       ^^^^^^^^^^^^
            │ 
            │ the engine said:
            │   no
            │ and no more
            ╵
        "#]],
    );
}

#[test]
fn underlined_in_colour() {
    let (_, file) = sources();
    let text = diagnostics_text(&three(file)[..1], &sources().0, Style::COLOUR);
    expect![[r#"
        "\u{1b}[31m╷\u{1b}[0m\n\u{1b}[31m│\u{1b}[0m \u{1b}[1m\u{1b}[31mError: \u{1b}[0m\u{1b}[1mInvalid operand\u{1b}[0m\n\u{1b}[31m│\u{1b}[0m \n\u{1b}[31m│\u{1b}[0m   on main.tf line 6, in resource \"terraform_data\" \"a\":\n\u{1b}[31m│\u{1b}[0m    6:   input = var.x + \u{1b}[4m\"y\"\u{1b}[0m\n\u{1b}[31m│\u{1b}[0m \n\u{1b}[31m│\u{1b}[0m Unsuitable value for right operand: a number is required.\n\u{1b}[31m╵\u{1b}[0m\n"
    "#]]
    .assert_debug_eq(&text);
}

#[test]
fn carets_stand_below_wide_and_multibyte_text() {
    let (_, file) = sources();
    let span = at(file, "\"ß\" + var.x");
    let many_lines = at(file, "[\n    1,\n    nope,\n  ]");
    let empty = Span::new(file, MAIN.len(), MAIN.len());
    check(
        &[
            Diagnostic::error("Invalid operand", "").at(span),
            Diagnostic::error("Bad list", "It is bad.").at(many_lines),
            Diagnostic::error("Missing brace", "The end came first.").at(empty),
        ],
        Style::PLAIN,
        expect![[r#"

            Error: Invalid operand

              on main.tf line 7, in resource "terraform_data" "a":
               7: 	tab  = "ß" + var.x
                  	       ^^^^^^^^^^^

            Error: Bad list

              on main.tf line 12, in locals:
              12:   z = [
              13:     1,
              14:     nope,
              15:   ]

            It is bad.

            Error: Missing brace

              on main.tf line 17:
              17: 

            The end came first.
        "#]],
    );
}

#[test]
fn compact_warnings() {
    let (sources, file) = sources();
    let mut diagnostics = three(file);
    diagnostics.push(Diagnostic::warning("Deprecated", "Really.").at(at(file, "var.x")));
    let text = diagnostics_text_compact(&diagnostics[1..], &sources, Style::PLAIN);
    expect![[r#"
        Warnings:

        - Value for undeclared variable
        - Deprecated
          on main.tf line 6

        To see the full warning notes, run Plumb without -compact-warnings.

        Error: Too many function arguments

          on main.tf line 11, in locals:
          11:   y = upper(var.x, 2)
                                 ^^
            ├────────────────
            │ var.x is 3

        Function "upper" expects only 1 argument(s).
    "#]]
    .assert_eq(&text);
}

/// The shape is that of `validate -json` and `plan -json` of Terraform.
#[test]
fn for_machines() {
    let (sources, file) = sources();
    let all = three(file);
    expect![[r#"
        {
          "format_version": "1.0",
          "valid": false,
          "error_count": 1,
          "warning_count": 1,
          "diagnostics": [
            {
              "severity": "error",
              "summary": "Too many function arguments",
              "detail": "Function \"upper\" expects only 1 argument(s).",
              "range": {
                "filename": "main.tf",
                "start": {
                  "line": 11,
                  "column": 20,
                  "byte": 138
                },
                "end": {
                  "line": 11,
                  "column": 22,
                  "byte": 140
                }
              },
              "snippet": {
                "context": "locals",
                "code": "  y = upper(var.x, 2)",
                "start_line": 11,
                "highlight_start_offset": 19,
                "highlight_end_offset": 21,
                "values": [
                  {
                    "traversal": "var.x",
                    "statement": "is 3"
                  }
                ]
              }
            },
            {
              "severity": "warning",
              "summary": "Value for undeclared variable",
              "detail": "The root module does not declare a variable named \"q\" but a value was found in file \"terraform.tfvars\". Did you mean \"x\"?"
            }
          ]
        }
    "#]]
    .assert_eq(&validate_json(&all[1..], &sources));
    expect![[r#"
        {"@level":"error","@message":"Error: Invalid operand","@module":"terraform.ui","@timestamp":"2026-11-23T22:22:06Z","diagnostic":{"severity":"error","summary":"Invalid operand","detail":"Unsuitable value for right operand: a number is required.","range":{"filename":"main.tf","start":{"line":6,"column":19,"byte":82},"end":{"line":6,"column":22,"byte":85}},"snippet":{"context":"resource \"terraform_data\" \"a\"","code":"  input = var.x + \"y\"","start_line":6,"highlight_start_offset":18,"highlight_end_offset":21,"values":[]}},"type":"diagnostic"}
    "#]]
    .assert_eq(&diagnostic_line(&all[0], &sources, "2026-11-23T22:22:06Z"));
    assert_eq!(
        validate_json(&[], &sources).lines().last().map(str::len),
        Some(1),
        "an empty document is a document"
    );
}
