//! Templates and heredocs.

use expect_test::expect;

use super::*;

#[test]
fn quoted() {
    check_lines(
        r#"""
           "${a}"
           "${"x"}"
           "a${b}c${ d . e }"
           "${"${"${a}"}"}"
           "a ${~ b ~} c"
           " ${~ b ~} "
           "%{ if a }b%{ else }c%{ endif }"
           "%{if a}${b}%{endif}"
           "%{ for k, v in a ~} ${k} %{~ endfor }"
           "%{ if a }%{ if b }1%{ else }2%{ endif }%{ else }%{ for x in y }z%{ endfor }%{ endif }"
           "${ { a = 1 }["a"] }"
           "$${a} %%{b}${c}"
           "$$${a}"
           "$$$${a}""#,
        expect![[r#"
            ""
            wrap(a)
            wrap("x")
            template("a" b "c" d.e)
            wrap(wrap(wrap(a)))
            template("a" b "c")
            template(b)
            template(if a {"b"} else {"c"})
            template(if a {b} else {})
            template(for k, v in a {k})
            template(if a {if b {"1"} else {"2"}} else {for x in y {"z"}})
            wrap(({a = 1})["a"])
            template("${a} %{b}" c)
            "$${a}"
            "$$${a}"
        "#]],
    );
}

#[test]
fn heredocs() {
    check(
        "a = <<EOT\n  x\n\ny ${b} \\n \"q\"\n  EOT\nb = <<-EOT\n    x\n\n      y\n  EOT\n\
         c = [<<A, <<B]\nd = f(<<A\n1\nA\n, <<B\r\n2\r\nB\r\n)\ne = <<E\nE\nf = <<-F\n${a}\nF\n\
         g = <<G\n GG\nG x\n${a}G\n  G\t\n",
        expect![[r#"
            a = template("  x\n\ny " b " \\n \"q\"\n")
            b = "x\n\n  y\n"
            c = [INVALID]
            d = f("1\n", "2\r\n")
            e = ""
            f = template(a "\n")
            g = template(" GG\nG x\n" a "G\n")
            ! 11:6-11:7 Invalid expression
        "#]],
    );
    check(
        "d = f(<<A\n1\nA\n, <<B\r\n2\r\nB\r\n)\ne = <<E\nE\nf = <<-F\n${a}\nF\n\
         g = <<G\n GG\nG x\n${a}G\n  G\t\nh = 1\n",
        expect![[r#"
            d = f("1\n", "2\r\n")
            e = ""
            f = template(a "\n")
            g = template(" GG\nG x\n" a "G\n")
            h = 1
        "#]],
    );
}

/// What Terraform prints for the same text, from which `hcl-edit` differs.
#[test]
fn flush_heredocs_lose_the_indentation_that_lines_share() {
    check(
        "a = <<-EOT\nfirst:\n  - ${\"x\"}\n      deep: 1\n      deep: ${\"y\"}\n      tail\n  EOT\n\
         b = <<-EOT\n    first\n    %{ for p in [\"p\",\"q\"] ~}\n    - ${p}\n    %{ endfor ~}\n    \
         last\n  EOT\n\
         c = <<-EOT\n\tFoo\n  Bar\n  Baz\n  EOT\n\
         d = <<-EOT\n    a\n      ${\"b\"}\n    c\n  EOT\n\
         e = <<-EOT\n  a\n${\"b\"}\n  c\n  EOT\n\
         f = <<-EOT\n    a\n  \n   \u{a0}\n\n    b\n  EOT\n",
        expect![[r#"
            a = template("first:\n  - " "x" "\n      deep: 1\n      deep: " "y" "\n      tail\n")
            b = template("first\n" for p in ["p", "q"] {"    - " p "\n"} "    last\n")
            c = "Foo\n Bar\n Baz\n"
            d = template("a\n  " "b" "\nc\n")
            e = template("  a\n" "b" "\n  c\n")
            f = "a\n  \n   \u{a0}\n\nb\n"
        "#]],
    );
}

#[test]
fn bare() {
    let read = |text: &str| {
        let mut sources = Sources::default();
        let file = sources.add("main.tftpl", text);
        let parse = parse_template(file, text);
        print::expr(&parse.expr) + "\n" + &diagnostics_text(&sources, &parse.diagnostics)
    };
    expect![[r#"
        ""
        "a \"b\" \\n\n"
        wrap(a)
        template("x" a "\n")
        template(for x in y {x "\n"})
        template(if a {"b"} else {} "}")
        wrap(INVALID)
        ! 1:3-1:4 Invalid expression
    "#]]
    .assert_eq(
        &[
            "",
            "a \"b\" \\n\n",
            "${a}",
            "x${a}\n",
            "%{ for x in y ~}\n${x}\n%{ endfor ~}\n",
            "%{if a}b%{endif}}",
            "${}",
        ]
        .map(read)
        .concat(),
    );
}
