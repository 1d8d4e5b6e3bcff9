//! Expressions.

use expect_test::expect;

use super::*;

#[test]
fn operators_bind_as_in_terraform() {
    check_lines(
        "1 + 2 * 3 - 4
         a || b && c == d < e + f * g
         a * b + c < d == e && f || g
         -a.b + !c
         !a == b
         a - b - c - d
         a == b != c
         a < b >= c
         1-1
         a-1
         --1
         a ? b : c ? d : e
         a ? b ? c : d : e
         (a ? b : c) + 1
         a || b ? c && d : e + 1",
        expect![[r#"
            (1 + (2 * 3) - 4)
            (a || (b && (c == (d < (e + (f * g))))))
            ((((((a * b) + c) < d) == e) && f) || g)
            ((-a.b) + (!c))
            ((!a) == b)
            (a - b - c - d)
            (a == b != c)
            (a < b >= c)
            (1 - 1)
            a-1
            (-(-1))
            (a ? b : (c ? d : e))
            (a ? (b ? c : d) : e)
            (paren((a ? b : c)) + 1)
            ((a || b) ? (c && d) : (e + 1))
        "#]],
    );
}

#[test]
fn steps_and_splats() {
    check_lines(
        r#"a.b[0]["k"].c.0.d
           a[b].c[0]
           a[b.c][*].d[0].*.e.0[1].f
           a.*
           a[*][*].b
           f(x).y[0]
           [1, 2][0]
           {a = 1}.a
           true.a
           a[-1]
           a[true]
           a["${b}"]
           a["x${b}"]
           (a).b
           a . b [ 0 ]
           a.for.if.in.null
           a.b-c.d_e
           null
           for"#,
        expect![[r#"
            a.b[0]["k"].c.[0].d
            (a)[(b)].c[0]
            (a)[(b.c)][*].d[0].*(.e.[0])[1].f
            (a).*()
            (a)[*][*].b
            (f(x)).y[0]
            ([1, 2])[0]
            ({a = 1}).a
            (true).a
            (a)[((-1))]
            (a)[(true)]
            (a)[(wrap(b))]
            (a)[(template("x" b))]
            (paren(a)).b
            a.b[0]
            a.for.if.in.null
            a.b-c.d_e
            null
            for
        "#]],
    );
}

#[test]
fn literals_and_calls() {
    check_lines(
        r#"007
           1.5e3
           1E-2
           1.5.e
           f()
           f(a,)
           f(a, b...)
           a::b::c(1)
           f (1)
           "a\n\t\"\\\u00e9\U0001F600 $${x} %%{y} $x %y $$ 100%"
           [1, true, null, "s", [], {}]
           {a = 1, "b" : 2, (c) = 3, true = 4, null : 5, 6 = 7, f(x) = 8, "${d}" = 9, a.b = 10,}
           {if = 1, in = 2}
           [for]
           äöü.名前"#,
        expect![[r#"
            007
            1.5e3
            1E-2
            (1.5).e
            f()
            f(a)
            f(a, b...)
            a::b::c(1)
            f(1)
            "a\n\t\"\\é😀 ${x} %{y} $x %y $$ 100%"
            [1, true, null, "s", [], {}]
            {a = 1, ("b") = 2, (paren(c)) = 3, true = 4, null = 5, (6) = 7, (f(x)) = 8, (wrap(d)) = 9, (a.b) = 10}
            {if = 1, in = 2}
            INVALID
            ! 1:5-1:6 Invalid 'for' expression
            äöü.名前
        "#]],
    );
}

#[test]
fn for_expressions() {
    check_lines(
        r"[for x in y : x]
          [for i, x in y : [i, x] if x != null]
          {for k, v in y : k => v}
          {for k, v in y : k => v... if k}
          [for x in [for z in y : z] : x]
          [for x in y : k => v]
          {for x in y : x}
          [for x in y : x...]
          [for x in y x]
          [for x : x]
          [for x, in y : x]
          [for x in y : x if]
          [for x in y : x y]",
        expect![[r#"
            for(x in y: x)
            for(i, x in y: [i, x] if (x != null))
            for(k, v in y: k => v)
            for(k, v in y: k => v... if k)
            for(x in for(z in y: z): x)
            for(x in y: k => v)
            ! 1:15-1:16 Invalid 'for' expression
            for(x in y: x)
            ! 1:15-1:16 Invalid 'for' expression
            for(x in y: x...)
            ! 1:16-1:19 Invalid 'for' expression
            INVALID
            ! 1:13-1:14 Invalid 'for' expression
            INVALID
            ! 1:8-1:9 Invalid 'for' expression
            INVALID
            ! 1:12-1:13 Invalid 'for' expression
            INVALID
            ! 1:19-1:20 Invalid expression
            INVALID
            ! 1:17-1:18 Invalid 'for' expression
        "#]],
    );
}
