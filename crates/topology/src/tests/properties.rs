use proptest::prelude::*;

use super::*;
use crate::{Rect, layout, svg, text};

fn any_sign() -> impl Strategy<Value = Sign> {
    prop_oneof![
        Just(Sign::Keep),
        Just(Sign::Add),
        Just(Sign::Remove),
        Just(Sign::Change),
        Just(Sign::Replace)
    ]
}

/// Any nets, routers in any of them, hosts in any of them, ways in to any host.
fn any_network() -> impl Strategy<Value = Network> {
    let ends = || proptest::collection::vec(0..12usize, 0..5);
    let nets = proptest::collection::vec((any_sign(), any::<bool>()), 0..12);
    let routers = proptest::collection::vec((any_sign(), ends()), 0..10);
    let hosts = proptest::collection::vec((any_sign(), ends(), 0..3usize, "\\PC{0,40}"), 0..40);
    let inlets = proptest::collection::vec((any_sign(), 0..12usize, 0..40usize), 0..10);
    (nets, routers, hosts, inlets).prop_map(|(nets, routers, hosts, inlets)| {
        let mut all = Vec::new();
        for (at, (sign, outer)) in nets.into_iter().enumerate() {
            let pieces = vec![super::network(&format!("n{at}"), "10.0.0.0/24", outer)];
            all.push(source(&format!("net.n{at}"), sign, pieces));
        }
        let names: Vec<String> = (0..12).map(|it| format!("n{it}")).collect();
        let ends = |at: Vec<usize>| -> Vec<(&str, &str)> {
            at.into_iter().map(|it| (&*names[it], "10.0.0.1")).collect()
        };
        for (at, (sign, nets)) in routers.into_iter().enumerate() {
            let pieces = router(&format!("r{at}"), &ends(nets));
            all.push(source(&format!("router.r{at}"), sign, pieces));
        }
        for (at, (sign, nets, block, name)) in hosts.into_iter().enumerate() {
            let mut pieces = host(&format!("h{at}"), &ends(nets), &["ssh"]);
            if let Some(Piece::Endpoint { name: it, .. }) = pieces.first_mut() {
                *it = name;
            }
            all.push(source(&format!("host.b{block}[{at}]"), sign, pieces));
        }
        for (at, (sign, net, host)) in inlets.into_iter().enumerate() {
            let pieces =
                vec![floating(&at.to_string(), "192.0.2.1", &names[net], &format!("host:h{host}"))];
            all.push(source(&format!("ip.i{at}"), sign, pieces));
        }
        Network::of(&all)
    })
}

fn apart(rects: &[Rect]) -> Result<(), TestCaseError> {
    for (at, one) in rects.iter().enumerate() {
        for other in &rects[at + 1..] {
            prop_assert!(!one.overlaps(other), "{one:?} and {other:?} overlap");
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_two_boxes_overlap_and_all_are_inside(network in any_network()) {
        let drawn = layout(&network);
        let page = Rect { x: 0, y: 0, w: drawn.width, h: drawn.height };
        apart(&drawn.blocks())?;
        for (lane, boxes) in drawn.insides() {
            prop_assert!(page.contains(&lane));
            prop_assert!(boxes.iter().all(|it| lane.contains(it)));
            apart(&boxes)?;
        }
        prop_assert!(drawn.blocks().iter().all(|it| page.contains(it)));
        // No wire runs through a lane or a router.
        for wire in &drawn.wires {
            for pair in wire.points.windows(2) {
                let ((ax, ay), (bx, by)) = (pair[0], pair[1]);
                let (x, y) = (ax.min(bx), ay.min(by));
                let (w, h) = ((ax - bx).abs(), (ay - by).abs());
                // Its ends touch the boxes that it joins.
                let inner = Rect { x: x + 1, y: y + 1, w: (w - 2).max(1), h: (h - 2).max(1) };
                if w + h > 2 {
                    let hit = drawn.blocks().into_iter().find(|it| it.overlaps(&inner));
                    prop_assert!(hit.is_none(), "{pair:?} runs through {hit:?}");
                }
            }
        }
    }

    #[test]
    fn equal_networks_give_equal_pictures_and_everything_is_told(network in any_network()) {
        let drawn = svg(&layout(&network), "t", "x");
        prop_assert_eq!(&drawn, &svg(&layout(&network.clone()), "t", "x"));
        let told = text(&network).lines().count();
        let parts = network.segments.len() + network.inlets.len() + network.nodes.len();
        prop_assert!(told >= parts, "everything is told at least once");
    }
}
