//! What holds for every text.

use super::*;

/// A little of everything.
const SAMPLE: &str = r#"# comment
resource "docker_container" "c" { // more
  count = var.n > 1 ? length(local.names) : 0 /* inline */
  name  = "web-${count.index + 1}-%{ if var.x }a%{ else }b%{ endif }"
  env   = [for k, v in merge(var.env, { "A" = 1, (b) : -2.5e3 }) : "${k}=${v}" if v != null]
  text  = <<-EOT
    hello ${upper(var.who)}!
      %{ for x in [1, 2] ~}
      - ${x}
    %{ endfor ~}
  EOT
  tags  = { for t in var.tags : t => t... }
  ids   = docker_network.n[*].id
  old   = a.b.0.c.*.d
  ports {
    internal = 80 % 3 == 2 && !false || f(a...)
  }
  one { x = "\u00e9\t\"" }
}
"#;

/// The tokens are the text, and every span lies in it.
fn check_covers(text: &str) {
    let parse = parse(FileId::default(), text);
    covers(&parse.tokens, text);
    for it in &parse.diagnostics {
        let span = it.span.expect("everything is somewhere");
        let (start, end) = (span.start as usize, span.end as usize);
        assert!(text.get(start..end).is_some(), "{:?} {span:?} in {text:?}", it.summary);
    }
    for parse in
        [parse_expression(FileId::default(), text, 0), parse_template(FileId::default(), text)]
    {
        covers(&parse.tokens, text);
    }
    let _ = parse_traversal(FileId::default(), text);
}

fn covers(tokens: &Tokens, text: &str) {
    let mut end = 0;
    for (kind, range) in tokens.iter() {
        assert_eq!(range.start, end, "a gap in {text:?}");
        assert!(kind == TokenKind::End || !range.is_empty(), "an empty token in {text:?}");
        end = range.end;
    }
    assert_eq!(end, text.len());
    assert_eq!(tokens.kind(tokens.len() - 1), TokenKind::End);
}

#[test]
fn the_sample_is_fine() {
    let parse = parse(FileId::default(), SAMPLE);
    assert_eq!(parse.diagnostics, []);
    check_covers(SAMPLE);
}

/// A small generator of numbers; the same every time.
fn random(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize
}

#[test]
fn mutants_are_read_to_their_end() {
    const PIECES: [&str; 40] = [
        "{", "}", "[", "]", "(", ")", "\"", "${", "%{", "~}", "${~", "\n", "\r\n", "<<EOT\n",
        "<<-E\n", "EOT\n", "=", "=>", "...", ".", "*", "?", ":", "::", ",", "\\", "$", "%", "if",
        "for", "else", "endif", "in", "/*", "#", "\u{301}", "é", "\u{2028}", "1.", "&",
    ];
    let mut state = 7;
    for _ in 0..20_000 {
        let mut text = SAMPLE.to_owned();
        for _ in 0..1 + random(&mut state) % 4 {
            let mut at = random(&mut state) % (text.len() + 1);
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            let mut end = (at + random(&mut state) % 12).min(text.len());
            while !text.is_char_boundary(end) {
                end += 1;
            }
            let piece = PIECES[random(&mut state) % PIECES.len()];
            match random(&mut state) % 3 {
                0 => text.replace_range(at..end, ""),
                1 => text.insert_str(at, piece),
                _ => text.replace_range(at..end, piece),
            }
        }
        check_covers(&text);
    }
}

#[test]
fn soups_are_read_to_their_end() {
    const PIECES: [&str; 30] = [
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        "\"",
        "${",
        "%{if a",
        "~}",
        "\n",
        "<<A\n",
        "A\n",
        "=",
        ".",
        "*",
        "a",
        " ",
        "?",
        ":",
        ",",
        "1",
        "-",
        "!",
        "+",
        "for x in ",
        "%{endif}",
        "b {",
        "/*",
        "e\u{301}",
    ];
    let mut state = 11;
    for _ in 0..30_000 {
        let len = random(&mut state) % 25;
        let text: String = (0..len).map(|_| PIECES[random(&mut state) % PIECES.len()]).collect();
        check_covers(&text);
    }
}

#[test]
fn nothing_is_too_deep() {
    const N: usize = 100_000;
    let repeat = |open: &str, middle: &str, close: &str| {
        format!("a = {}{middle}{}\n", open.repeat(N), close.repeat(N))
    };
    let texts = [
        repeat("[", "", "]"),
        repeat("[", "", ""),
        repeat("(", "1", ")"),
        repeat("{a=", "1", "}"),
        repeat("f(", "1", ")"),
        repeat("a[", "1", "]"),
        repeat("\"${", "1", "}\""),
        repeat("\"${", "", ""),
        repeat("[for x in ", "y", ": x]"),
        repeat("!", "a", ""),
        repeat("-", "a", ""),
        repeat("a ? b : ", "c", ""),
        repeat("a ? ", "c", " : d"),
        format!("a = \"{}{}\"\n", "%{if a}".repeat(N), "%{endif}".repeat(N)),
        format!("a = \"{}{}\"\n", "%{if a}%{else}".repeat(N), "%{endif}".repeat(N)),
        format!("{}{}", "a {\n".repeat(N), "}\n".repeat(N)),
        "a {\n".repeat(N),
        format!("a = {}", "<<A\n${".repeat(N)),
    ];
    let flat = [
        format!("a = 1{}\n", " + 1".repeat(N)),
        format!("a = 1{}\n", " + 1 * 2 == 3 && 4 || 5".repeat(N / 10)),
        format!("a = a{}\n", ".b".repeat(N)),
        format!("a = a{}\n", "[b]".repeat(N)),
        format!("a = a{}\n", "[*]".repeat(N)),
        format!("a = a{}\n", ".*.b[0]".repeat(N)),
        format!("a = <<-A\n{}A\n", "  x ${1}\n".repeat(N)),
        "a {}\n".repeat(N),
        (0..N).map(|i| format!("a{i} = {i}\n")).collect(),
    ];
    let run = move || {
        for text in &texts {
            let parse = parse(FileId::default(), text);
            let found: Vec<&str> =
                parse.diagnostics.iter().take(9).map(|it| &*it.summary).collect();
            assert!(found.contains(&"Nesting too deep"), "{:?} {found:?}", &text[..20]);
            assert!(found.len() < 3, "{:?} {found:?}", &text[..20]);
        }
        for text in &flat {
            assert_eq!(parse(FileId::default(), text).diagnostics, [], "{:?}", &text[..20]);
        }
    };
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(run);
    thread.expect("a thread").join().expect("no overflow, and what is asserted");
}

#[test]
fn agrees_with_another_parser_about_what_is_valid() {
    let mut state = 3;
    let mut valid = 0;
    const ATOMS: [&str; 12] = [
        "1",
        "a",
        "\"s\"",
        "a.b[0]",
        "f(x, y...)",
        "[1, 2]",
        "{ a = 1 }",
        "\"${a}-b\"",
        "a[*].b",
        "[for x in y : x if z]",
        "(1 + 2)",
        "a.*.b[0]",
    ];
    const JOINS: [&str; 12] =
        [" + ", " * ", " - ", " == ", " && ", " ? 1 : ", " || !", " < -", ", ", " ", " % ", "."];
    for _ in 0..3_000 {
        let mut text = "x = ".to_owned();
        for _ in 0..random(&mut state) % 5 {
            text += ATOMS[random(&mut state) % ATOMS.len()];
            text += JOINS[random(&mut state) % JOINS.len()];
        }
        text += ATOMS[random(&mut state) % ATOMS.len()];
        text += "\n";
        let ours = parse(FileId::default(), &text).diagnostics.is_empty();
        let theirs = hcl_edit::parser::parse_body(&text).is_ok();
        assert_eq!(ours, theirs, "{text}");
        valid += usize::from(ours);
    }
    assert!(valid > 500, "most are worth parsing");
}
