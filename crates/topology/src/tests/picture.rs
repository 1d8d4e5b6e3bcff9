use expect_test::{Expect, expect};

use super::*;
use crate::{layout, mermaid, stand_in, svg, text};

fn check(network: &Network, expected: Expect) {
    expected.assert_eq(&text(network));
}

/// An outside, a router, an inner network with a host that a floating IP leads to.
fn lab(sign: Sign) -> Vec<Source> {
    vec![
        source("net.world", sign, vec![network("world", "198.51.100.0/24", true)]),
        source("net.inner", sign, vec![network("inner", "10.0.0.0/24", false)]),
        source("router.r", sign, router("r", &[("world", "198.51.100.2"), ("inner", "10.0.0.1")])),
        source(
            "group.ssh",
            sign,
            vec![Piece::Filter { keys: vec![key("group:g1")], name: "ssh".into() }],
        ),
        source("host.a", sign, host("a", &[("inner", "10.0.0.5")], &["g1"])),
        source("ip.a", sign, vec![floating("a", "198.51.100.200", "world", "host:a")]),
    ]
}

#[test]
fn a_lab_that_comes() {
    check(
        &of(lab(Sign::Add)),
        expect![[r#"
        + network world  198.51.100.0/24  outside
        +   floating IP 198.51.100.200  leads to a
        +   router r  198.51.100.2
        + network inner  10.0.0.0/24
        +   router r  10.0.0.1
        +   host a  10.0.0.5  filtered by ssh
    "#]],
    );
}

#[test]
fn an_address_moves_and_a_way_in_leads_elsewhere() {
    let mut all = lab(Sign::Keep);
    all[4] = between(
        "host.a",
        Sign::Change,
        host("a", &[("inner", "10.0.0.5")], &["g1"]),
        host("a", &[("inner", "10.0.0.7")], &[]),
    );
    all[5] = between(
        "ip.a",
        Sign::Change,
        vec![floating("a", "198.51.100.200", "world", "host:a")],
        vec![floating("a", "198.51.100.200", "world", "host:b")],
    );
    all.push(source("host.b", Sign::Add, host("b", &[("inner", "10.0.0.6")], &[])));
    check(
        &of(all),
        expect![[r#"
          network world  198.51.100.0/24  outside
        ~   floating IP 198.51.100.200  led to a, leads to b
            router r  198.51.100.2
          network inner  10.0.0.0/24
            router r  10.0.0.1
        ~   host a  −10.0.0.5 +10.0.0.7  filtered by −ssh
        +   host b  10.0.0.6
    "#]],
    );
}

#[test]
fn what_is_not_known_yet_joins_but_is_not_shown() {
    let id = stand_in("net.x", "id");
    let segment = Piece::Segment {
        keys: vec![Key::new("network", id.clone())],
        name: "x".into(),
        noun: "network",
        ranges: Vec::new(),
        outer: false,
    };
    let subnet = Piece::Subnet {
        keys: vec![Key::new("subnet", stand_in("net.y", "id"))],
        of: Key::new("network", id),
        range: "10.0.0.0/24".into(),
    };
    let of_host = Key::new("host", "h");
    let plug = Piece::Plug {
        of: of_host,
        to: Key::new("subnet", stand_in("net.y", "id")),
        addresses: vec![stand_in("host.h", "address")],
        filters: Vec::new(),
        uplink: false,
    };
    let mut pieces = host("h", &[], &[]);
    pieces.push(plug);
    let network = of(vec![
        source("net.x", Sign::Add, vec![segment]),
        source("net.y", Sign::Add, vec![subnet]),
        source("host.h", Sign::Add, pieces),
    ]);
    check(
        &network,
        expect![[r#"
        + network x  10.0.0.0/24
        +   host h
    "#]],
    );
}

#[test]
fn a_port_by_itself_and_one_that_is_held() {
    let port = |name: &str| Piece::Port {
        keys: vec![Key::new("port", name)],
        name: name.into(),
        on: key("inner"),
        addresses: vec!["10.0.0.9".into()],
        filters: Vec::new(),
    };
    let network = of(vec![
        source("net.inner", Sign::Keep, vec![network("inner", "10.0.0.0/24", false)]),
        source("port.p", Sign::Keep, vec![port("p")]),
        source("port.q", Sign::Add, vec![port("q")]),
        source("host.h", Sign::Keep, host("h", &[("port:p", "")], &[])),
    ]);
    check(
        &network,
        expect![[r#"
          network inner  10.0.0.0/24
        +   port q  10.0.0.9
            host h  10.0.0.9
    "#]],
    );
}

#[test]
fn what_nobody_declares_is_drawn_as_a_stranger() {
    let all = vec![
        source("host.h", Sign::Add, host("h", &[("bridge", "")], &[])),
        source("ip.a", Sign::Add, vec![floating("a", "192.0.2.1", "public", "host:gone")]),
    ];
    check(
        &of(all),
        expect![[r#"
          network bridge
        +   host h
          network public  outside
        +   floating IP 192.0.2.1  leads to host gone
    "#]],
    );
}

#[test]
fn many_equal_ones_are_a_stack_and_few_are_not() {
    let crowd = |count: usize| {
        let mut all =
            vec![source("net.inner", Sign::Keep, vec![network("inner", "10.0.0.0/16", false)])];
        for at in 0..count {
            let (name, address) =
                (format!("web{at}"), format!("10.0.{}.{}", at / 250, at % 250 + 4));
            let pieces = host(&name, &[("inner", &address)], &[]);
            all.push(source(&format!("host.web[{at}]"), Sign::Add, pieces));
        }
        of(all)
    };
    let few = crowd(5);
    assert_eq!(layout(&few).lanes[0].boxes.len(), 5);
    let many = crowd(200);
    let drawn = layout(&many);
    let lines: Vec<String> = drawn.lanes[0].boxes[0]
        .lines
        .iter()
        .map(|it| it.spans.iter().map(|it| &*it.0).collect())
        .collect();
    assert_eq!(drawn.lanes[0].boxes.len(), 1);
    expect![[r#"
        200 × host.web
        web0 … web199
        10.0.0.4 … 10.0.0.203"#]]
    .assert_eq(&lines.join("\n"));
    assert_eq!(text(&many).lines().count(), 201, "in words nothing is folded");
}

#[test]
fn equal_lanes_are_a_stack() {
    let lanes = (0..50).map(|at| {
        let pieces = vec![network(&format!("n{at}"), "10.0.0.0/24", false)];
        source(&format!("net.many[{at}]"), Sign::Add, pieces)
    });
    let network = of(lanes.collect());
    assert_eq!(layout(&network).lanes.len(), 1);
}

#[test]
fn a_lane_with_two_routers_has_one_place() {
    let all = vec![
        source("net.world", Sign::Keep, vec![network("world", "", true)]),
        source("net.a", Sign::Keep, vec![network("a", "", false)]),
        source("net.b", Sign::Keep, vec![network("b", "", false)]),
        source("router.r", Sign::Keep, router("r", &[("world", ""), ("a", ""), ("b", "")])),
        source("router.s", Sign::Keep, router("s", &[("a", ""), ("b", "")])),
    ];
    let network = of(all);
    let drawn = layout(&network);
    assert_eq!((drawn.lanes.len(), drawn.routers.len(), drawn.wires.len()), (3, 2, 4));
    let guests: usize = drawn.lanes.iter().map(|it| it.boxes.len()).sum();
    assert_eq!(guests, 1, "the second router is told of in the lane that it hangs not on");
}

#[test]
fn hostile_names_stay_text() {
    let name = "</title></svg><script>alert(1)</script>\u{202E}\u{0007}\"'&";
    let all = vec![source("net.x", Sign::Add, vec![network(name, name, true)])];
    let network = of(all);
    let drawn = svg(&layout(&network), "t", name);
    assert!(!drawn.contains("<script") && drawn.matches("</svg>").count() == 1);
    assert!(!drawn.contains('\u{202E}') && !drawn.contains('\u{0007}'));
    assert!(!mermaid(&network).contains("<script"));
}

#[test]
fn the_picture_as_svg() {
    let network = of(lab(Sign::Add).into_iter().take(2).collect());
    expect![[r#"
        <svg xmlns="http://www.w3.org/2000/svg" class="topology" role="img" aria-labelledby="t-title t-desc" width="1136" height="124" viewBox="0 0 1136 124">
        <title id="t-title">Topology</title>
        <desc id="t-desc">2 networks. 2 added.</desc>
        <g class="lane outer s-add"><title>added: network world (net.world) 198.51.100.0/24</title>
        <rect x="12" y="12" width="1112" height="40" rx="10"/>
        <text class="name" x="26" y="38">world<tspan class="mono" dx="10">198.51.100.0/24 </tspan></text>
        <text class="small end" x="1086" y="38">outside · network</text>
        <g class="sign"><circle cx="1104" cy="33" r="9"/><text x="1104" y="38">+</text></g>
        </g>
        <g class="lane inner s-add"><title>added: network inner (net.inner) 10.0.0.0/24</title>
        <rect x="12" y="72" width="1112" height="40" rx="10"/>
        <text class="name" x="26" y="98">inner<tspan class="mono" dx="10">10.0.0.0/24 </tspan></text>
        <text class="small end" x="1086" y="98">network</text>
        <g class="sign"><circle cx="1104" cy="93" r="9"/><text x="1104" y="98">+</text></g>
        </g>
        </svg>
    "#]].assert_eq(&svg(&layout(&network), "t", "Topology"));
}

#[test]
fn the_picture_for_mermaid() {
    expect![[r#"
        flowchart LR
          s0[["− world 198.51.100.0/24"]]:::remove
          s1[["− inner 10.0.0.0/24"]]:::remove
          n0{{"− r"}}:::remove
          n1["− a"]:::remove
          s0 -.-|"− 198.51.100.2"| n0
          s1 -.-|"− 10.0.0.1"| n0
          s1 -.-|"− 10.0.0.5"| n1
          i0(["− floating IP 198.51.100.200"]):::remove
          s0 --- i0
          i0 --> n1
          classDef add stroke:#0b6b2f,stroke-width:3px
          classDef change stroke:#7d5000,stroke-width:2px
          classDef remove stroke:#a8171f,stroke-dasharray:6 4
    "#]]
    .assert_eq(&mermaid(&of(lab(Sign::Remove))));
}
